from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import TextIO

import pytest

from aethermind.tui.driver import _MOST, Writer
from tests.e2e.waiting import until


class Pipe:
    """Something to write into that takes 64 KiB and then nothing until it is read."""

    def __init__(self) -> None:
        self.read_end, write_end = os.pipe()
        self.file: TextIO = os.fdopen(write_end, "w", encoding="utf-8")
        self.busy = 0
        self.idle = threading.Event()
        self.writer = Writer(self.file, on_busy=self._busy, on_idle=self.idle.set)
        self.writer.start()

    def _busy(self) -> None:
        self.busy += 1

    def take(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            found += os.read(self.read_end, size - len(found))
        return found


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    os.close(made.read_end)  # whoever still writes is released
    made.writer.stop()
    made.file.close()


def test_what_is_written_arrives_in_order(pipe: Pipe) -> None:
    for n in range(100):
        pipe.writer.write(f"{n} ✓\n")
    wanted = "".join(f"{n} ✓\n" for n in range(100)).encode()
    assert pipe.take(len(wanted)) == wanted
    assert pipe.idle.wait(5)
    assert pipe.writer.written == len(wanted)


def test_writing_never_waits_and_busy_is_said_once(pipe: Pipe) -> None:
    frame = "x" * 10_000
    for _ in range(50):
        pipe.writer.write(frame)
    assert pipe.writer.busy
    assert pipe.busy == 1
    assert not pipe.idle.is_set()
    pipe.take(500_000)
    assert pipe.idle.wait(5)
    pipe.writer.write("y")
    assert pipe.busy == 2  # it was idle in between
    assert pipe.take(1) == b"y"


def test_nothing_is_written_at_once(pipe: Pipe) -> None:
    pipe.writer.write("")
    assert not pipe.writer.busy
    pipe.writer.write("y")
    assert pipe.take(1) == b"y"
    assert pipe.idle.wait(5)


def test_what_waits_is_bounded(pipe: Pipe) -> None:
    pipe.writer.write("x" * 200_000)
    for _ in range(10):
        pipe.writer.write("z" * 1_000_000)
    assert pipe.writer._size <= _MOST


def test_leaving_does_not_wait_for_a_terminal_that_takes_nothing(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aethermind.tui.driver._STOP_S", 0.05)
    pipe.writer.write("x" * 200_000)
    pipe.writer.stop()
    assert pipe.writer.is_alive()  # a daemon: it keeps nobody


def test_a_terminal_that_is_gone_is_nobodys_error() -> None:
    pipe = Pipe()
    os.close(pipe.read_end)
    pipe.writer.write("hello")
    assert pipe.idle.wait(5)
    pipe.writer.write("nobody")
    pipe.writer.stop()
    assert not pipe.writer.is_alive()
    assert pipe.writer.written == 0
    pipe.file.close()


def test_a_surrogate_is_no_reason_to_die(pipe: Pipe) -> None:
    pipe.writer.write("\ud800!")
    assert pipe.take(2) == b"?!"


class Asked(Pipe):
    """One whose terminal is asked where the cursor is."""

    def __init__(self) -> None:
        super().__init__()
        self.took: list[float] = []
        self.writer.acknowledged = True
        self.writer._on_took = self.took.append


@pytest.fixture
def asked() -> Iterator[Asked]:
    made = Asked()
    yield made
    os.close(made.read_end)
    made.writer.stop()
    made.file.close()


def test_what_was_not_answered_is_still_under_way(asked: Asked) -> None:
    asked.writer.write("x" * 5_000)
    assert asked.take(5_004).endswith(b"\x1b[6n")
    assert asked.writer.busy
    assert not asked.idle.is_set()
    asked.writer.answer()
    assert asked.idle.wait(5)
    assert len(asked.took) == 1


def test_what_is_small_may_be_followed_at_once(asked: Asked) -> None:
    asked.writer.write("x" * 100)
    assert asked.idle.wait(5)
    asked.take(104)
    asked.writer.write("y" * 5_000)
    asked.take(5_004)
    until(lambda: not asked.writer._sending)  # it was read before the writer knew that it was sent
    asked.writer.answer()  # that of the first
    busy = [asked.writer.busy]
    for _ in range(2):  # the second is to nothing that was asked
        asked.writer.answer()
        busy.append(asked.writer.busy)
    assert busy == [True, False, False]


def test_a_terminal_that_never_answers_is_asked_no_more(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aethermind.tui.driver._PATIENCE_S", 0.04)
    for _ in range(2):
        asked.idle.clear()
        asked.writer.write("x" * 5_000)
        asked.take(5_004)
        assert asked.idle.wait(5)
    asked.writer.write("z")
    assert asked.take(1) == b"z"
    assert not asked.writer.acknowledged


def test_leaving_asks_no_more_and_waits_for_the_answers(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aethermind.tui.driver._SETTLE_S", 60)
    asked.writer.write("x" * 100)
    assert asked.take(104).endswith(b"\x1b[6n")
    leaving = threading.Thread(target=asked.writer.settle)
    leaving.start()
    leaving.join(0.05)
    assert leaving.is_alive()  # what came later would be typed into the shell
    asked.writer.answer()
    leaving.join(5)
    assert not leaving.is_alive()
    asked.writer.write("good-bye")
    assert asked.take(8) == b"good-bye"
    asked.writer.stop()
    os.set_blocking(asked.read_end, False)
    with pytest.raises(BlockingIOError):
        os.read(asked.read_end, 1)


def test_leaving_does_not_wait_for_answers_that_do_not_come(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aethermind.tui.driver._SETTLE_S", 0.05)
    asked.writer.write("x" * 100)
    asked.take(104)
    asked.writer.settle()
    assert not asked.writer.acknowledged
