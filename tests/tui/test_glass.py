"""Only cells that differ are written, and what is written leaves what was wanted."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from aethermind.tui.glass import Glass
from aethermind.tui.widgets.strips import difference

WIDTH = 12
SIZE = (WIDTH, 4)
LOOKS = (Style.parse("red"), Style.parse("bold on blue"), Style.parse("red"))


def strip(*pieces: tuple[str, int]) -> Strip:
    return Strip([Segment(text, LOOKS[look]) for text, look in pieces])


pieces = st.lists(
    st.tuples(st.text(alphabet="ab █─界é", min_size=1, max_size=4), st.integers(0, 2)), max_size=5
)


def filled(made: list[tuple[str, int]], width: int = WIDTH) -> Strip:
    return strip(*made, (" " * WIDTH, 0)).crop(0, width)


def cells(line: Strip) -> list[tuple[str, Style | None]]:
    """Each cell's character (of a wide one, of its first) and look."""
    found: list[tuple[str, Style | None]] = []
    for text, style, _ in line:
        for char in text:
            found += [(char, style), ("", style)][: cell_len(char)]
    return found


class Terminal:
    """Lines of cells; what is written over half of a wide character blanks the other half."""

    def __init__(self) -> None:
        self.lines: dict[int, list[tuple[str, Style | None]]] = {}

    def write(self, x: int, y: int, part: Strip) -> None:
        line = self.lines.setdefault(y, [(" ", None)] * WIDTH)
        if line[x][0] == "" and x:
            line[x - 1] = (" ", line[x - 1][1])
        end = x + part.cell_length
        if end < WIDTH and line[end][0] == "":
            line[end] = (" ", line[end][1])
        line[x:end] = cells(part)


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(pieces, st.integers(0, 1), st.integers(0, WIDTH - 1), st.integers(1, WIDTH)), max_size=8
    )
)
def test_the_terminal_has_what_was_put(puts: list[tuple[list[tuple[str, int]], int, int, int]]) -> None:
    glass, terminal, all_of_it = Glass(), Terminal(), Terminal()
    for y in (0, 1):
        for made in (terminal, all_of_it):
            made.write(0, y, filled([]))
        glass.put(0, y, filled([]), SIZE)
    for made_of, y, x, width in puts:
        part = filled(made_of, min(width, WIDTH - x))
        all_of_it.write(x, y, part)
        if (fresh := glass.put(x, y, part, SIZE)) is not None:
            terminal.write(fresh[0], y, fresh[1])
    assert terminal.lines == all_of_it.lines


def test_what_is_there_is_not_written_again_and_what_differs_alone_is() -> None:
    glass = Glass()
    line = strip(("abc", 0), ("██████", 1), ("xyz", 0))
    assert glass.put(0, 0, line, SIZE) == (0, line)
    assert glass.put(0, 0, strip(("abc", 2), ("███", 1), ("███", 1), ("xyz", 0)), SIZE) is None
    written = glass.put(0, 0, strip(("abc", 0), ("█████─", 1), ("xyz", 0)), SIZE)
    assert written is not None
    assert (written[0], written[1].text) == (8, "─")


def test_a_line_that_is_not_known_is_written_as_it_is() -> None:
    glass = Glass()
    part = strip(("ab", 0))
    assert glass.put(3, 0, part, SIZE) == (3, part)
    assert glass.put(3, 0, part, SIZE) == (3, part)


def test_everything_is_written_again_to_another_size_and_when_it_was_forgotten() -> None:
    glass = Glass()
    line = filled([("hello", 0)])
    glass.put(0, 0, line, SIZE)
    assert glass.put(0, 0, line, SIZE) is None
    assert glass.put(0, 0, line, (WIDTH, 5)) == (0, line)
    glass.forget()
    assert glass.put(0, 0, line, (WIDTH, 5)) == (0, line)


def test_a_bar_that_grows_differs_at_its_end() -> None:
    assert difference(strip(("████      ", 0)), strip(("█████     ", 0))) == (4, 5)
    assert difference(strip(("a界bc", 0)), strip(("a界bd", 0))) == (0, 5)  # wide: no guessing where it stands
