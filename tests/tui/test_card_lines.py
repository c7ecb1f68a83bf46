from __future__ import annotations

from aethermind.tui.glyphs import UNICODE
from aethermind.tui.screens.card import card_lines
from tests.tui import histories


def test_of_a_huge_output_the_card_shows_a_few_lines_and_tells_how_many_more_there_are() -> None:
    run = histories.research(until="end").run
    run.outputs = {"all": [{"n": n} for n in range(3_000)]}
    drawn = [
        "".join(span.text for span in line) for line in card_lines(run, width=80, preview=6, glyphs=UNICODE)
    ]
    at = drawn.index("all")
    assert drawn[at + 1 : at + 4] == ["[", "  {", '    "n": 0']
    assert drawn[at + 7] == f"… {3_000 * 3 + 2 - 6} more lines"
