"""The door of an engine, as the command line opens it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from aethermind import bootstrap
from aethermind.domain.errors import StoreError
from aethermind.engine.hosting import EngineThread
from aethermind.infra import sockets


def test_a_door_that_opens_only_half_way_is_closed(tmp_path: Path) -> None:
    """Its TCP port is taken: nobody is to find a socket where nobody listens."""
    composition = bootstrap.load(bootstrap.Options(home=tmp_path))
    engine = EngineThread(lambda: bootstrap.open_client(composition))
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(StoreError, match="can't be listened on"),
    ):
        bootstrap.listen(composition, engine, tcp=taken.getsockname()[:2])
    assert sockets.locate(tmp_path) is None
