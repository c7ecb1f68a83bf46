"""A screen on an engine that is another process's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from aethermind.engine.client import Attachment, Notice
from aethermind.tui.actions import REGISTRY
from aethermind.tui.actions.registry import Action, always
from aethermind.tui.attached import ACTS, FILES, guarded
from aethermind.tui.bridge import Bridge
from aethermind.tui.context import Settings
from aethermind.tui.glyphs import UNICODE
from aethermind.tui.launch import settings_of
from aethermind.tui.rows import header

HERE = Attachment(name="this machine", target="unix:/run/engine.sock", local=True, pid=7)
BOX = Attachment(name="box", target="ssh://me@box", local=False)
LOOKING = Attachment(name="box", target="ssh://me@box", local=False, read_only=True)


def why(attached: Attachment | None, id: str) -> str | None:
    action = guarded(
        Action(id=id, title="", description="", group="run", where=frozenset(), run=cast("Any", None))
    )
    return action.enabled(cast("Any", SimpleNamespace(settings=Settings(attached=attached))))


def test_who_only_looks_on_is_told_so_by_every_key_that_acts() -> None:
    assert {action.id for action in REGISTRY} >= ACTS | FILES
    for action in REGISTRY:
        if action.group == "run" and action.enabled is not always and action.id in ACTS:
            told = why(LOOKING, action.id)
            assert told is not None
            assert "you only look on at box" in told
            assert why(None, action.id) is None
    assert why(LOOKING, "out.copy") is None


def test_files_are_where_the_engine_is() -> None:
    for id in FILES:
        assert why(BOX, id) == "its file is on box: edit it there"
        assert why(HERE, id) is None
    assert why(BOX, "run.cancel") is None


@pytest.mark.parametrize(
    "attached, place, pace",
    [(HERE, "pid 7", 10.0), (BOX, "ssh://me@box", 4.0), (LOOKING, "ssh://me@box (read-only)", 4.0)],
)
def test_the_header_says_where_and_how_often(attached: Attachment, place: str, pace: float) -> None:
    settings = settings_of({}, {}, attached=attached)
    assert settings.frame_hz == pace
    shown = header.cells(None, 80, 0, UNICODE, pace="ssh 4Hz", place=settings.place, away=True)
    text = "".join(cell[0] for cell in shown)
    assert place in text
    assert "ssh 4Hz" in text


def test_a_lost_line_shows_and_heals() -> None:
    bridge = Bridge(cast("Any", None), now=lambda: 0, wake=lambda: None)
    bridge._say(Notice(kind="lost", message="the line to box is lost (cut): trying again"))
    assert bridge.state == "LINE LOST"
    text = "".join(cell[0] for cell in header.cells(None, 80, 0, UNICODE, held=bridge.state))
    assert "LINE LOST" in text
    bridge._say(Notice(kind="held", message="the disk is full"))
    bridge._say(Notice(kind="found", message="the line to box is there again"))
    assert bridge.state == "HELD"
    bridge._say(Notice(kind="over", message="going on"))
    assert bridge.state == ""
    assert len(bridge.frame().notices) == 4
