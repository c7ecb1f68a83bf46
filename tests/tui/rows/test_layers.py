"""Steps by layers: what could run at the same time, as boxes and as a list."""

from __future__ import annotations

import pytest

from aethermind.domain import events as e
from aethermind.domain.workflow import Value, WorkflowDef
from aethermind.tui.glyphs import ASCII, UNICODE
from aethermind.tui.rows.cells import plain
from aethermind.tui.rows.layers import (
    HIGH,
    Place,
    box_line,
    grid,
    list_line,
    places,
    progress,
    related,
)
from tests.tui.histories import Script, research, step, wide

NOW = 1_767_594_102_000


def diamond() -> Script:
    """Declared in an order in which nothing could be placed at once."""
    value = Value(value=1)
    definition = WorkflowDef(
        name="diamond",
        steps=(
            step("end", value, "left", "right"),
            step("left", value, "begin"),
            step("alone", value),
            step("right", value, "begin"),
            step("begin", value),
        ),
    )
    return Script(definition, inputs={}, models={})


def by_layer(found: list[Place]) -> list[list[str]]:
    layers: dict[int, list[str]] = {}
    for place in found:
        layers.setdefault(place.layer, []).append(place.name)
    return [layers[n] for n in sorted(layers)]


def test_a_step_stands_below_everything_it_needs() -> None:
    found = places(diamond().run.root)
    assert by_layer(found) == [["alone", "begin"], ["left", "right"], ["end"]]
    assert {place.name: place.needs for place in found}["end"] == ("left", "right")


def test_items_are_one_layer_and_rounds_one_after_the_other() -> None:
    run = research(until="end").run
    assert by_layer(places(run.node("sections"))) == [["sections[0]", "sections[1]", "sections[2]"]]
    assert by_layer(places(run.node("polish"))) == [["polish#1"], ["polish#2"]]
    assert by_layer(places(run.node("gather"))) == [["search_web", "read_papers", "scrape"]]
    assert [place.name for place in places(run.root)] == ["plan", "gather", "sections", "polish", "brief"]


def test_what_hangs_together_is_told() -> None:
    found = places(diamond().run.root)
    at = next(n for n, place in enumerate(found) if place.name == "left")
    names = {found[n].name: word for n, word in related(found, at).items()}
    assert names == {"begin": "needed", "end": "needs it"}
    assert related(found, 99) == {}


@pytest.mark.parametrize("items", [0, 1, 7, 300])
@pytest.mark.parametrize("width", [98, 118, 198])
def test_every_line_of_the_boxes_has_its_place(items: int, width: int) -> None:
    script = wide(items)
    found = places(script.run.node("each"))
    a_grid = grid(found, width)
    assert sorted(index for row in a_grid.rows for index in row) == list(range(items))
    drawn = [
        plain(box_line(found, a_grid, n, 0, related(found, 0), NOW, UNICODE)) for n in range(a_grid.lines)
    ]
    assert all(len(line) <= width for line in drawn)
    assert sum("╭" in line or "┏" in line for line in drawn) == len(a_grid.rows)
    for row in range(len(a_grid.rows)):
        assert a_grid.at(a_grid.first_line(row)) == (row, 0)
        assert a_grid.at(a_grid.first_line(row) + HIGH - 1) == (row, HIGH - 1)


def test_layers_are_numbered_between_their_rows() -> None:
    found = places(diamond().run.root)
    a_grid = grid(found, 118)
    assert len(a_grid.rows) == 3
    drawn = [
        plain(box_line(found, a_grid, n, 0, related(found, 0), NOW, UNICODE)).strip()
        for n in range(a_grid.lines)
    ]
    assert [line for line in drawn if line[-1:].isdigit() and len(line) < 5] == ["1", "↓ 2", "↓ 3"]


def test_boxes_say_state_time_and_cost_and_mark_the_cursor() -> None:
    run = research().run
    found = places(run.root)
    a_grid = grid(found, 118)
    drawn = "\n".join(
        plain(box_line(found, a_grid, n, 0, related(found, 0), NOW, UNICODE)) for n in range(a_grid.lines)
    )
    assert "┏ ✓ plan" in drawn
    assert "8.2s" in drawn
    assert "$0.0310" in drawn
    assert "╰─ needs it" in drawn
    assert "55s $.25 │" in drawn, "an amount is not cut"
    assert "$0.0…" not in drawn
    assert "pending" in drawn


@pytest.mark.parametrize("width", [58, 78])
def test_the_list_fills_its_width_and_tells_a_layer_once(width: int) -> None:
    found = places(diamond().run.root)
    drawn = [plain(list_line(found, n, related(found, 0), width, NOW, UNICODE)) for n in range(len(found))]
    assert all(len(line) == width for line in drawn)
    assert [line[:4].strip() for line in drawn] == ["1", "", "2", "", "3"]
    assert "←begin" in drawn[2]


def test_containers_say_how_much_is_over() -> None:
    run = research().run
    assert progress(run.node("sections"), UNICODE) == "2/3∥"
    assert progress(run.node("plan"), UNICODE) == ""


def test_ascii_means_every_sign() -> None:
    found = places(research().run.root)
    a_grid = grid(found, 118)
    assert all(
        plain(box_line(found, a_grid, n, 1, related(found, 1), NOW, ASCII)).isascii()
        for n in range(a_grid.lines)
    )
    assert all(
        plain(list_line(found, n, related(found, 1), 78, NOW, ASCII)).isascii() for n in range(len(found))
    )


def test_hostile_names_are_cleaned() -> None:
    script = Script(
        WorkflowDef(name="w", steps=(step("a", Value(value=1), for_each="{{ x }}"),)), inputs={}, models={}
    )
    script.expand(1, "a", items=["\x1b[31m"])
    found = places(script.run.node("a"))
    assert not any(
        "\x1b" in plain(list_line(found, n, related(found, 0), 78, NOW, UNICODE)) for n in range(len(found))
    )
    assert isinstance(script.history[-1].event, e.StepExpanded)
