"""Who keeps an engine alive."""

from __future__ import annotations

from typing import Any

import pytest

from aethermind import bootstrap
from aethermind.cli.owning import Owned


class Server:
    """One that somebody looks at, and asks nothing."""

    watching = 1
    last_used_at = 0.0


@pytest.mark.parametrize("origin, kept_by", [("serve", 1), ("run", 0)])
def test_who_just_looks_on_keeps_an_engine_that_serves_and_no_command(origin: str, kept_by: int) -> None:
    engine: Any = None  # nobody asks it
    server: Any = Server()
    assert Owned(bootstrap.load(), engine, server, origin=origin).watching() == kept_by
