"""`serve`, `stop` and what `doctor` says of an engine: the words, and engines that do not answer."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import click
import pytest

from aethermind import bootstrap
from aethermind.bootstrap.composition import DATABASE
from aethermind.cli import engine_told, serve
from aethermind.engine.info import EngineInfo
from aethermind.infra.stores.lease import Lease
from tests.cli.program import Said


@pytest.mark.parametrize(
    "typed, meant",
    [
        ("127.0.0.1:3001", ("127.0.0.1", 3001)),
        (":4000", ("127.0.0.1", 4000)),
        ("box", ("box", 3001)),
        ("[::1]:80", ("::1", 80)),
        ("[::1]", ("::1", 3001)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),
    ],
)
def test_an_address(typed: str, meant: tuple[str, int]) -> None:
    assert serve.address(click.Context(serve.command), serve.command.params[0], typed) == meant


@pytest.mark.parametrize("typed", ["box:", "box:http", "box:70000", "box:-1"])
def test_what_is_no_address(typed: str) -> None:
    with pytest.raises(click.BadParameter, match="write HOST:PORT"):
        serve.address(click.Context(serve.command), serve.command.params[0], typed)


def test_stop_without_an_engine_is_fine(said: Said) -> None:
    code, out, err = said("stop")
    assert (code, err) == (0, "")
    assert out.startswith("no engine runs on ")
    assert json.loads(said("stop", "--json")[1]) == {"engine": None}


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lease]:
    """An engine that owns the data and says nothing: this process. It ends when it gets a SIGTERM."""
    monkeypatch.setattr(bootstrap, "SILENT_S", 0.05)
    home = Path(os.environ["AETHERMIND_HOME"])
    home.mkdir(0o700)
    lease = Lease.acquire(home, f"{DATABASE}.lease")

    def end(number: int, frame: FrameType | None) -> None:
        lease.release()

    before = signal.signal(signal.SIGTERM, end)
    yield lease
    signal.signal(signal.SIGTERM, before)
    lease.release()


def test_one_that_says_nothing_is_ended_as_any_process(silent: Lease, said: Said) -> None:
    code, out, err = said("stop", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {"engine": {"pid": os.getpid()}}
    assert bootstrap.holder(bootstrap.load()) is None


def test_one_that_says_nothing_keeps_nobody_waiting(silent: Lease, said: Said) -> None:
    code, out, err = said("serve")
    assert (code, out) == (75, "")
    assert str(os.getpid()) in err
    assert err.count("\n") == 1


def test_doctor_tells_of_one_that_says_nothing(
    said: Said, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "hi.yaml").write_text("name: hi\nsteps: [{id: a, value: 1}]\n")
    assert said("run", str(tmp_path / "hi.yaml"), "-q")[0] == 0
    assert "engine" not in json.loads(said("doctor", "--json")[1])
    monkeypatch.setattr(bootstrap, "SILENT_S", 0.05)
    lease = Lease.acquire(os.environ["AETHERMIND_HOME"], f"{DATABASE}.lease")
    try:
        code, out, _ = said("doctor", "--json")
    finally:
        lease.release()
    found = json.loads(out)
    assert code == 1
    assert found["engine"] == {"pid": os.getpid()}
    (problem,) = found["problems"]
    assert str(os.getpid()) in problem["problem"]
    assert "aethermind stop" in problem["repair"]


def test_doctor_counts_those_who_look() -> None:
    info = EngineInfo(pid=7, version="1", started_at=0, home="/h", watching=2, idle_s=600)
    told = engine_told.told(info, bootstrap.load())
    assert (told["attached"], told["ends"]) == (2, "after 10m00s idle")
