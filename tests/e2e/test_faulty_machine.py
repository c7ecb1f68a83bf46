"""The real program on a machine in trouble: a disk that is full, a database that is locked, a process that
is stopped for a while, and many that start at once."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import aethermind, effects, gate
from tests.e2e.running import running
from tests.e2e.waiting import PATIENCE, lines, until

# --- a full disk -------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 40 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(place)], capture_output=True, check=False
    ) if sys.platform == "linux" else None  # fmt: skip
    if mounted is None or mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    until(lambda: not subprocess.run(["umount", str(place)], capture_output=True, check=False).returncode)


def fill(place: Path) -> Path:
    """Take all the room that is left."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 16))
    return filler


def test_a_full_disk_holds_the_run_and_it_goes_on_when_there_is_room(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = small_disk / "home"
    monkeypatch.setenv("AETHERMIND_HOME", str(home))
    pipe, target = gate(tmp_path)
    # What comes in must not fit into what the log of the database has room for already.
    target.write_text(
        target.read_text().replace("cat gate", "cat gate; head -c 900000 /dev/zero | tr '\\\\0' x")
    )
    with running("run", str(target), "--trust", "--json", cwd=tmp_path) as started:
        started.out.event("AttemptStarted", step="middle")
        ballast = home / "aethermind.db.ballast"
        assert ballast.stat().st_size == 8 << 20
        filler = fill(small_disk)
        pipe.write_text("two\n")
        started.out.event("AttemptSucceeded", step="middle")  # with the room of the ballast
        held = started.err.until("the disk that holds", "is full")
        assert held.count("\n") == 1
        assert not ballast.exists()
        filler.unlink()
        started.err.until("there is room on the disk again")
        assert started.end() == 0
    assert ballast.stat().st_size == 8 << 20
    log = (home / "debug.log").read_text()
    assert "nothing new is started until 24 MB are free" in log
    assert "there is room on the disk again" in log
    assert effects(tmp_path) == ["first", "middle", "last"]
    assert json.loads(aethermind("db", "check", "--json").stdout)


def test_a_run_that_cannot_be_recorded_says_why(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the ballast is enough: the run stops, with one line that says why and how to go on."""
    home = small_disk / "home"
    monkeypatch.setenv("AETHERMIND_HOME", str(home))
    config = tmp_path / "config.toml"
    config.write_text("ballast = false\n")
    monkeypatch.setenv("AETHERMIND_CONFIG", str(config))
    pipe, target = gate(tmp_path)
    target.write_text(
        target.read_text().replace("cat gate", "cat gate; head -c 900000 /dev/zero | tr '\\\\0' x")
    )
    with running("run", str(target), "--trust", "--plain", cwd=tmp_path) as started:
        started.err.until("middle", "started")
        assert not (home / "aethermind.db.ballast").exists()
        filler = fill(small_disk)
        pipe.write_text("two\n")
        assert started.end() == 1
    last = started.err.lines[-1]
    assert "was stopped" in last
    assert "the disk is full" in last
    assert "to go on: aethermind resume r_" in last
    filler.unlink()
    (row,) = items("runs")
    assert row["status"] == "interrupted"
    assert effects(tmp_path) == ["first", "middle"]


LIMITED = """\
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
os.execv(sys.executable, [sys.executable, "-m", "aethermind", *sys.argv[1:]])
"""


def test_a_file_that_may_not_grow_stops_the_run_with_a_reason(tmp_path: Path) -> None:
    """What no ballast can heal, on any system: the files of this process have a limit."""
    (tmp_path / "big.yaml").write_text(
        "name: big\nsteps:\n"
        '  - {id: first, run: [sh, -c, "echo first >> effects.txt"]}\n'
        "  - {id: big, run: [sh, -c, \"head -c 900000 /dev/zero | tr '\\\\0' x\"], depends_on: [first]}\n"
        '  - {id: last, run: [sh, -c, "echo last >> effects.txt"], depends_on: [big]}\n'
    )
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, "run", "big.yaml", "--trust", "--plain"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    last = done.stderr.splitlines()[-1]
    assert "was stopped" in last
    assert "disk I/O error" in last
    assert effects(tmp_path) == ["first"]
    again = aethermind("resume", "last", cwd=tmp_path)  # without the limit; the command asks, as it must
    assert again.returncode == 5, again.stderr
    assert effects(tmp_path) == ["first"]


def items(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(aethermind(*arguments, "--json").stdout)["items"]
    return found


# --- a locked database -------------------------------------------------------------------------


def test_a_locked_database_is_waited_for(tmp_path: Path) -> None:
    pipe, target = gate(tmp_path)
    home = Path(os.environ["AETHERMIND_HOME"])
    with running("run", str(target), "--trust", "--json", cwd=tmp_path) as started:
        started.out.event("AttemptStarted", step="middle")
        with contextlib.closing(sqlite3.connect(home / "aethermind.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            pipe.write_text("two\n")
            who = f"(pid {os.getpid()})" if sys.platform == "linux" else "another program"
            started.err.until("is locked by", who, "waiting until it lets go")
            other.execute("ROLLBACK")
        started.err.until("the database is free again")
        assert started.end() == 0
    assert effects(tmp_path) == ["first", "middle", "last"]


# --- a stopped process -------------------------------------------------------------------------

TIMERS = """\
name: timers
steps:
  - id: flaky
    run: [sh, -c, "echo flaky >> effects.txt; test -e again || { touch again; exit 1; }"]
    retry: {max_attempts: 3, backoff: 1s}
  - {id: hold, run: [sleep, "3"]}
  - id: ask
    ask: {message: "Go on?", fields: {choice: yes|no}, timeout: 1s, on_timeout: skip}
"""


def test_a_process_that_was_stopped_rings_each_timer_once(tmp_path: Path) -> None:
    (tmp_path / "timers.yaml").write_text(TIMERS)
    with running("run", "timers.yaml", "--trust", "--json", cwd=tmp_path) as started:
        started.out.event("AttemptFailed", step="flaky")
        started.out.event("AskOpened", step="ask")
        started.signal(signal.SIGSTOP)
        stopped = time.monotonic()
        until(lambda: time.monotonic() - stopped > 2.0)  # both timers are due long before
        started.signal(signal.SIGCONT)
        assert started.end() == 0
    types = [json.loads(line).get("type") for line in started.out.lines]
    assert types.count("AskExpired") == 1
    assert types.count("AttemptFailed") == 1
    assert lines(tmp_path / "effects.txt") == ["flaky", "flaky"]


# --- many at once ------------------------------------------------------------------------------

MANY = 30
ROOT = Path(__file__).resolve().parents[2]
QUICK = """\
name: quick
steps: [{id: only, run: [sh, -c, "echo ran >> effects.txt; echo done"]}]
"""
NOTES = re.compile(
    r"(?m)^((r_\w+|\d+ runs) of another terminal goe?s? on in this engine, which ends with (it|them)"
    r"|the line to this machine .*)\n"
)


def test_of_many_that_start_at_once_one_owns_and_the_others_attach(tmp_path: Path) -> None:
    """Each has its run, once; or is told by one line that the owner, who is named, can't be spoken with."""
    (tmp_path / "quick.yaml").write_text(QUICK)
    said = tmp_path / "said"
    said.mkdir()
    crowd = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.crowd", str(MANY), str(said), "run", "quick.yaml", "--trust", "-q"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ['PYTHONPATH']}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert crowd.stdin is not None
    assert crowd.stdout is not None
    try:
        pids = [int(crowd.stdout.readline().split()[1]) for _ in range(MANY)]
        crowd.stdin.write("now\n")
        crowd.stdin.flush()
        ended: dict[int, int] = {}
        for _ in range(MANY):
            _, who, code = crowd.stdout.readline().split()
            ended[int(who)] = int(code)
    finally:
        crowd.kill()
        crowd.communicate(timeout=PATIENCE)
    ran = [pid for pid in pids if ended[pid] == 0]
    for number, pid in enumerate(pids):
        out, err = ((said / f"{number}.{name}").read_text() for name in ("out", "err"))
        if pid in ran:
            assert out == "done\n"
            # Whose engine it is may be told why its end is waited for; who uses it, that it has ended.
            assert NOTES.sub("", err) == ""
        else:
            assert (ended[pid], out, err.count("\n")) == (75, "", 1), err
            named = re.search(r"pid (\d+)", err)
            assert named is not None, err
            assert int(named[1]) in pids
    assert len(ran) > MANY // 2
    assert effects(tmp_path) == ["ran"] * len(ran)
    assert [row["status"] for row in items("runs")] == ["succeeded"] * len(ran)
