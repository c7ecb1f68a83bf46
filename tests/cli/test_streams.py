from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aethermind.cli import streams

FULL = "/dev/full"


def python(program: str, *, stdout: int | None = None, close: str = "") -> subprocess.CompletedProcess[str]:
    """A child that runs `program` with `streams` imported; `close` is a shell redirection."""
    code = f"import sys\nfrom aethermind.cli import streams\nstreams.prepare()\n{program}"
    argv = ["/bin/sh", "-c", f'exec "$0" -c "$1" {close}', sys.executable, code]
    return subprocess.run(
        argv, stdout=stdout or subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30, check=False
    )


def test_a_reader_that_left_stops_nothing_and_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = python(
        "for n in range(20_000): streams.OUT.write('x' * 100)\n"
        "streams.note('went on')\n"
        "sys.exit(streams.close(0))",
        stdout=writer,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "went on\n")


def test_a_listing_ends_when_nobody_reads_it() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = python(
        "try:\n"
        "  while True: streams.say('x' * 100)\n"
        "except streams.OutputClosed: streams.note('ended')\n"
        "sys.exit(streams.close(0))",
        stdout=writer,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "ended\n")


@pytest.mark.skipif(not Path(FULL).exists(), reason="this system has no full device")
def test_an_output_that_was_lost_is_told() -> None:
    done = python("streams.OUT.write('brief\\n')\nsys.exit(streams.close(0))", close=f">{FULL}")
    assert done.returncode == 1
    assert done.stderr == f"aethermind: cannot write the output: {os.strerror(errno.ENOSPC)}\n"


def test_any_encoding_takes_any_text() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from aethermind.cli import streams as s; s.prepare(); s.say('é✓\\ud800')"],
        env=os.environ | {"PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout == b"\xe9\\u2713\\ud800\n"


def test_glyphs_follow_the_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        encoding = "iso8859-1"

    assert streams.unicode_fits(streams.OUT)
    monkeypatch.setattr("sys.stdout", Old())
    assert not streams.unicode_fits(streams.OUT)


class Screen(io.StringIO):
    """Stands for a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_line_in_passing_goes_with_what_is_written_next(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", screen)
    streams.prepare()
    streams.pass_by("it opens")
    streams.note("the data is held by another program")
    assert screen.getvalue() == "it opens\r\x1b[2Kthe data is held by another program\n"
    streams.passed()
    assert screen.getvalue().endswith("program\n"), "there was nothing left to take away"
    streams.pass_by("again")
    streams.passed()
    assert screen.getvalue().endswith("again\r\x1b[2K")


def test_nothing_is_said_in_passing_to_a_file_or_a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    streams.prepare()
    streams.pass_by("it opens")
    monkeypatch.setattr(sys, "stdout", screen := Screen())
    streams.be_plain()
    streams.pass_by("it opens")
    streams.passed()
    assert screen.getvalue() == ""
    streams.prepare()
