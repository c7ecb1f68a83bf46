from __future__ import annotations

from collections.abc import Generator

import pytest

from aethermind.cli import streams
from aethermind.cli.app import main
from tests.cli.program import Said


@pytest.fixture(autouse=True)
def fresh_streams() -> Generator[None]:
    """What a test did to the streams is forgotten after it."""
    streams.OUT.error = streams.ERR.error = None
    yield
    streams.OUT.error = streams.ERR.error = None


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """Run a command line in this process: exit code, stdout, stderr."""

    def say(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return say
