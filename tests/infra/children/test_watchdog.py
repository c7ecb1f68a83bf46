from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aethermind.infra.children import watchdog
from aethermind.infra.children.guard import Guard
from aethermind.infra.children.watchdog import Process, family
from tests.infra.children.processes import PYTHON, alive, wait_gone


def process(
    pid: int,
    parent: int = 1,
    group: int | None = None,
    session: int | None = None,
    start: int = 100,
    marks: str = "",
) -> Process:
    group = pid if group is None else group
    return Process(pid, parent, group, group if session is None else session, start, marks)


def members(found: list[Process], mark: str = "m.", roots: dict[int, int] | None = None) -> list[int]:
    return [p.pid for p in family(found, mark, roots or {})]


def test_a_family_is_found_by_mark_group_session_and_parent() -> None:
    found = [
        process(10),  # registered
        process(11, group=10),  # in its group, orphaned
        process(12, group=12, session=10),  # a job of a shell
        process(13, parent=12, group=13),  # a descendant without a mark
        process(14, parent=13, group=14),
        process(20, marks="m.1"),
        process(21, marks="x.7,m.1"),  # of an engine inside a step
        process(30),
        process(31, parent=30, marks="n.1"),
        process(32, group=30, marks="xm.1"),
    ]
    assert members(found, roots={10: 100}) == [10, 11, 12, 13, 14, 20, 21]


def test_a_reused_number_is_nobodys() -> None:
    found = [process(10, start=500), process(11, group=10, parent=10, start=501)]
    assert members(found, roots={10: 100}) == []


def test_a_group_outlives_its_head() -> None:
    assert members([process(11, group=10)], roots={10: 100}) == [11]


def test_the_caller_and_the_first_process_are_never_members() -> None:
    me = os.getpid()
    found = [process(1, parent=0, marks="m.1"), process(me, marks="m.1"), process(40, marks="m.1")]
    assert 1 not in members(found)
    assert me not in members(found)


@pytest.fixture
def sleepers() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two processes in sessions of their own, without a mark."""
    started = [
        subprocess.Popen(
            ["tail", "-f", "/dev/null"], start_new_session=True, env={}, stdout=subprocess.DEVNULL
        )
        for _ in range(2)
    ]
    yield started
    for sleeper in started:
        sleeper.kill()
        sleeper.wait()


@contextlib.contextmanager
def marked(mark: str, program: str = "cat", **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process with this mark that has begun: its environment can be read only a moment after `Popen`
    returns, so it has to have answered.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen([program], env=env | {watchdog.MARK: mark}, stdin=pipe, stdout=pipe) as started:
        assert started.stdin is not None
        assert started.stdout is not None
        started.stdin.write(b".")
        started.stdin.flush()
        assert started.stdout.read(1) == b"."
        yield started
        started.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_own_process_is_seen() -> None:
    (me,) = [p for p in watchdog.processes() if p.pid == os.getpid()]
    assert (me.parent, me.group, me.session) == (os.getppid(), os.getpgrp(), os.getsid(0))
    assert me.start == watchdog.start_of(os.getpid()) > 0


def test_a_name_with_brackets_confuses_nobody(tmp_path: Path) -> None:
    program = shutil.copy(shutil.which("cat") or "", f"{tmp_path}/a) R 1 1 (b")
    with marked("brackets.1", program) as started:
        (found,) = [p for p in watchdog.processes() if p.pid == started.pid]
    assert (found.parent, found.marks) == (os.getpid(), "brackets.1")


def test_marks_of_older_processes_are_not_read() -> None:
    with marked("old.1") as started:
        start = watchdog.start_of(started.pid)
        seen = {
            since: [p for p in watchdog.processes(since) if p.bears("old.")] for since in (start, start + 1)
        }
    assert len(seen[start]) == 1
    assert seen[start + 1] == []


@pytest.mark.skipif(not shutil.which("ps"), reason="there is no ps(1)")
def test_ps_sees_the_same() -> None:
    with marked("byps.1", A="b") as started:
        (found,) = [p for p in watchdog.processes_by_ps() if p.bears("byps.")]
    assert (found.pid, found.parent, found.group) == (started.pid, os.getpid(), os.getpgrp())


def test_the_end_of_the_pipe_kills_what_is_registered(sleepers: list[subprocess.Popen[bytes]]) -> None:
    kept, gone = sleepers
    guard = Guard("pipe.")
    guard.ensure()
    for sleeper in sleepers:
        guard.register(sleeper.pid, watchdog.start_of(sleeper.pid))
    guard.unregister(kept.pid)
    engine_dies(guard)
    assert gone.wait() == -signal.SIGKILL
    assert alive(kept.pid)


def test_an_orderly_end_kills_what_bears_the_mark() -> None:
    guard = Guard("orderly.")
    guard.ensure()
    pid = guard.pid
    assert pid is not None
    with marked("orderly.1") as started:
        guard.close()
        assert started.wait() == -signal.SIGKILL
    assert not alive(pid)
    guard.close()


def test_a_killed_watchdog_is_replaced_and_told_everything(sleepers: list[subprocess.Popen[bytes]]) -> None:
    guard = Guard("again.")
    guard.ensure()
    first = guard.pid
    guard.register(sleepers[0].pid, watchdog.start_of(sleepers[0].pid))
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert wait_gone([first], 5) == []
    guard.register(sleepers[1].pid, watchdog.start_of(sleepers[1].pid))
    assert guard.pid != first
    assert all(alive(sleeper.pid) for sleeper in sleepers)
    engine_dies(guard)
    assert [sleeper.wait() for sleeper in sleepers] == [-signal.SIGKILL] * 2


def test_a_stopped_watchdog_does_not_stop_the_engine(sleepers: list[subprocess.Popen[bytes]]) -> None:
    guard = Guard("stuck.")
    guard.ensure()
    first = guard.pid
    assert first is not None
    os.kill(first, signal.SIGSTOP)
    start = watchdog.start_of(sleepers[0].pid)
    while guard.pid == first:  # until its pipe is full
        guard.register(sleepers[0].pid, start)
        guard.unregister(sleepers[0].pid)
    guard.register(sleepers[0].pid, start)
    assert alive(sleepers[0].pid)
    engine_dies(guard)
    assert sleepers[0].wait() == -signal.SIGKILL


def test_no_child_without_a_watchdog() -> None:
    with pytest.raises(OSError, match="nowhere"):
        Guard("none.", python="/nowhere/python").ensure()


def test_the_script_starts_with_little() -> None:
    """It stands between a user and his first child."""
    script = "import sys; sys.path.insert(0, sys.argv[1]); import watchdog; print(*sys.modules)"
    where = str(Path(watchdog.__file__).parent)
    done = subprocess.run([*PYTHON, "-c", script, where], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "watchdog" in loaded
    assert not loaded & {
        "aethermind",
        "asyncio",
        "contextlib",
        "pathlib",
        "re",
        "site",
        "subprocess",
        "typing",
    }


def engine_dies(guard: Guard) -> None:
    """What the kernel does to the pipe of a killed engine."""
    assert guard._watchdog is not None
    assert guard._watchdog.stdin is not None
    guard._watchdog.stdin.close()
    assert guard._watchdog.wait(10) == 0
