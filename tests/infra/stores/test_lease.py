from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aethermind.domain.errors import BusyError, InvalidError
from aethermind.infra.stores.lease import FILE, Lease

HOLD = """
import sys
from aethermind.domain.errors import BusyError
from aethermind.infra.stores.lease import Lease
try:
    lease = Lease.acquire(sys.argv[1])
except BusyError as busy:
    print("busy", busy.message, flush=True)
else:
    print("held", lease.epoch, flush=True)
sys.stdin.read()
"""


def holder(directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def said(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def end(child: subprocess.Popen[str]) -> None:
    child.communicate(timeout=20)


def test_one_owner_and_rising_epochs(tmp_path: Path) -> None:
    first = Lease.acquire(tmp_path)
    assert first.epoch == 1
    with pytest.raises(BusyError, match=f"pid {os.getpid()} owns the data in"):
        Lease.acquire(tmp_path)
    first.release()
    first.release()
    second = Lease.acquire(str(tmp_path))
    assert second.epoch == 2
    second.release()
    assert (tmp_path / FILE).exists(), "it is never unlinked"
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_the_pid_of_another_process_is_named_and_kill_9_frees_it(tmp_path: Path) -> None:
    child = holder(tmp_path)
    try:
        assert said(child) == "held 1"
        with pytest.raises(BusyError, match=rf"the engine with pid {child.pid} owns the data in"):
            Lease.acquire(tmp_path)
        child.send_signal(signal.SIGKILL)
        child.wait()
        lease = Lease.acquire(tmp_path)
        assert lease.epoch == 2
        lease.release()
    finally:
        end(child)


def test_of_many_that_start_at_once_one_owns(tmp_path: Path) -> None:
    children = [holder(tmp_path) for _ in range(6)]
    try:
        answers = [said(child) for child in children]
        winners = [c for c, answer in zip(children, answers, strict=True) if answer == "held 1"]
        assert len(winners) == 1
        busy = f"busy the engine with pid {winners[0].pid} owns the data in {tmp_path}"
        assert answers.count(busy) == 5
    finally:
        for child in children:
            end(child)


def test_a_child_does_not_inherit_it(tmp_path: Path) -> None:
    lease = Lease.acquire(tmp_path)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    try:
        lease.release()
        Lease.acquire(tmp_path).release()
    finally:
        child.communicate(b"\n", timeout=20)


@pytest.mark.parametrize("content", ["", "rubbish\n", "7", "x y\n", "\x00" * 40, "7 99999999\n"])
def test_what_stands_in_the_file_does_not_decide(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    lease = Lease.acquire(tmp_path)
    assert lease.epoch == (8 if content.startswith("7 ") else 1)
    lease.release()


def test_no_such_directory(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="No such file or directory"):
        Lease.acquire(tmp_path / "no")
