from __future__ import annotations

from collections.abc import Generator

import pytest

from aethermind.cli import streams


@pytest.fixture(autouse=True)
def fresh_streams() -> Generator[None]:
    """What a test did to the streams is forgotten after it."""
    streams.OUT.error = streams.ERR.error = None
    yield
    streams.OUT.error = streams.ERR.error = None
