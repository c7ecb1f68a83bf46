"""How a command comes to its engine."""

from __future__ import annotations

from typing import Any

import pytest

from aethermind import bootstrap
from aethermind.cli import parent, session
from aethermind.cli.options import Given
from aethermind.engine.client import Attachment


class Elsewhere:
    """An engine of another process."""

    attached = Attachment(name="box", target="ssh://box", local=False)

    def start(self) -> None: ...

    def stop(self, *, drain_s: float) -> None: ...


class Link:
    def __init__(self) -> None:
        self.watched = 0

    def watch(self) -> None:
        self.watched += 1


@pytest.mark.parametrize("origin, watched", [("tui", 1), (None, 0)])
def test_who_looks_at_an_engine_elsewhere_goes_with_his_parent(
    origin: str | None, watched: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    link: Any = Link()
    monkeypatch.setattr(parent, "link", lambda: link)
    monkeypatch.setattr(bootstrap, "engine_thread", lambda composition, **options: Elsewhere())
    with session.engine_of(session.compose(Given()), origin=origin):
        assert link.watched == watched
