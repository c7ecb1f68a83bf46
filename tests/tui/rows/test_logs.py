from __future__ import annotations

import tracemalloc

from aethermind.infra.sanitize import is_clean_line
from aethermind.tui.glyphs import UNICODE
from aethermind.tui.rows.cells import plain
from aethermind.tui.rows.logs import LogLine, LogRing, LogView, as_text, cells, mentions
from tests.tui.histories import T0


def line(n: int, level: str = "info", step: str | None = "plan") -> LogLine:
    return LogLine(T0 + n * 1_000, level, "planner", step, f"line {n}")  # type: ignore[arg-type]  # a level


def ring(*lines: LogLine, cap: int = 1_000) -> LogRing:
    made = LogRing(cap)
    for a_line in lines:
        made.append(a_line)
    return made


def shown(view: LogView) -> list[str]:
    return [view.line(row).message for row in range(len(view))]


def test_old_lines_go_and_numbers_go_on() -> None:
    made = ring(*(line(n) for n in range(120)), cap=80)
    assert made.end == 120
    assert made.first > 0
    assert 80 <= len(made) < 90
    assert made[119].message == "line 119"
    assert made[made.first].message == f"line {made.first}"


def test_names_are_held_once() -> None:
    made = ring(*(line(n, step=b"plan".decode()) for n in range(2)))
    assert made[0].step is made[1].step


def test_a_view_of_everything_follows_the_ring() -> None:
    made = ring(line(1))
    view = LogView(made)
    made.append(line(2))
    assert view.catch_up() == 1
    assert shown(view) == ["line 1", "line 2"]


def test_filters_take_in_what_comes_later() -> None:
    made = ring(line(1), line(2, "error"), line(3, "warning", "gather/scrape"))
    view = LogView(made)
    view.filter(level="warning")
    assert shown(view) == ["line 2", "line 3"]
    made.append(line(4, "error"))
    made.append(line(5, "debug"))
    assert view.catch_up() == 1
    assert shown(view) == ["line 2", "line 3", "line 4"]
    view.filter(step="gather")
    assert shown(view) == ["line 3"]
    view.filter(step="", level="debug", text="LINE 5")
    assert shown(view) == ["line 5"]
    view.filter(text="")
    assert not view.filtered
    assert len(view) == 5


def test_a_step_means_what_is_below_it_too() -> None:
    made = ring(
        *(line(n, step=s) for n, s in enumerate(["polish#1/text", "polish", "polishing", "polish[2]"]))
    )
    view = LogView(made)
    view.filter(step="polish")
    assert shown(view) == ["line 0", "line 1", "line 3"]


def test_filtered_rows_of_dropped_lines_go() -> None:
    made = ring(cap=16)
    view = LogView(made)
    view.filter(level="error")
    for n in range(60):
        made.append(line(n, "error" if n % 2 else "info"))
        view.catch_up()
    assert shown(view) == [f"line {n}" for n in range(60) if n % 2 and n >= made.first]


def test_finding_goes_around() -> None:
    view = LogView(ring(line(1), line(2, "error"), line(3)))
    assert view.find(2, 1, lambda a_line: a_line.level == "error") == 1
    assert view.find(0, -1, mentions("LINE 3")) == 2
    assert view.find(0, 1, mentions("nothing")) is None


def test_a_line_in_three_widths() -> None:
    a_line = LogLine(T0, "warning", "scraper", "gather/deep/inside/scrape", "429 Too Many Requests")
    fixed, body = cells(a_line, 118, UNICODE)
    assert " WARN  scraper     inside/scrape    " in plain(fixed)
    assert plain(body) == "429 Too Many Requests"
    assert " W inside/scrape " not in plain(cells(a_line, 78, UNICODE)[0])
    assert " W scrape       " in plain(cells(a_line, 78, UNICODE)[0])
    assert plain(cells(a_line, 40, UNICODE)[0]) == " W "


def test_what_is_sought_is_marked() -> None:
    _, body = cells(line(7), 118, UNICODE, match="ne 7")
    assert ("ne 7", "match") in body


def test_hostile_lines_become_harmless() -> None:
    a_line = LogLine(T0, "info", "\x1b[31ma", "\x07", "a\nb\x1b]52;c;x\x07\u202e")
    fixed, body = cells(a_line, 118, UNICODE)
    assert is_clean_line(plain(fixed) + plain(body))
    assert is_clean_line(as_text(a_line))


def test_packed_lines_come_back_as_they_were() -> None:
    levels = ("debug", "info", "warning", "error")
    lines = [
        LogLine(T0 + n * n % 977, levels[n % 4], f"a{n % 3}" if n % 5 else None, f"s{n % 7}", f"ü {n} \x1b")  # type: ignore[arg-type]  # a level
        for n in range(5_000)
    ]
    made = ring(*lines, cap=100_000)
    assert [made[n] for n in range(5_000)] == lines
    assert list(made.since(4_990)) == lines[4_990:]
    assert [made.level(n) for n in (0, 1, 2, 3, 4_999)] == [*levels, "error"]
    view = LogView(made)
    view.filter(level="error", step="s3")
    assert [view.line(row) for row in range(len(view))] == [
        a_line for a_line in lines if a_line.level == "error" and a_line.step == "s3"
    ]
    view.filter(level="debug", step="", text="ü 49")
    assert [view.line(row) for row in range(len(view))] == [
        a_line for a_line in lines if "ü 49" in a_line.message
    ]


def test_blocks_that_go_take_their_lines_along() -> None:
    made = ring(*(line(n, step=f"s{n}") for n in range(300)), cap=80)
    assert (made.end, made.first % 10) == (300, 0)
    assert [made[n].step for n in range(made.first, 300)] == [f"s{n}" for n in range(made.first, 300)]


def test_more_steps_than_two_bytes_can_name() -> None:
    made = ring(*(line(n, step=f"s{n}") for n in range(66_000)), cap=100_000)
    assert [made[n].step for n in (0, 65_535, 65_999)] == ["s0", "s65535", "s65999"]


def test_a_hundred_thousand_lines_take_little_room() -> None:
    words = ("tide", "moon", "gather", "answer", "tokens", "retry", "after", "seconds", "file", "wrote")
    made = LogRing()
    tracemalloc.start()
    for n in range(100_000):
        text = " ".join(words[(n * k) % 10] for k in range(1, 9))
        made.append(LogLine(T0 + n * 7, "info", f"agent{n % 5}", f"sections[{n % 90}]", f"{text} {n}"))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 2_500_000  # a million lines: some 20 MB


def test_the_next_error_is_found_without_unpacking() -> None:
    made = ring(*(line(n, "error" if n in {40, 4_000} else "info") for n in range(5_000)), cap=100_000)
    view = LogView(made)
    assert view.find_level(41, 1, "error") == 4_000
    assert view.find_level(4_001, 1, "error") == 40
    assert view.find_level(39, -1, "error") == 4_000
    assert view.find_level(0, 1, "warning") is None
    assert not made._unpacked
