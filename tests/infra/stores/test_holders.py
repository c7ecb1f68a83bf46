from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aethermind.infra.stores import holders
from aethermind.infra.stores.sqlite import open_store

TABLE = """\
1: POSIX  ADVISORY  WRITE 4711 fe:00:77 120 120
1: -> POSIX  ADVISORY  WRITE 4712 fe:00:77 120 120
2: POSIX  ADVISORY  READ 4713 fe:00:77 123 123
3: POSIX  ADVISORY  READ 4714 fe:00:77 127 127
4: POSIX  ADVISORY  READ 4715 fe:00:77 128 128
5: POSIX  ADVISORY  WRITE 4716 fe:00:78 120 120
6: FLOCK  ADVISORY  WRITE 4717 fe:00:77 0 EOF
7: POSIX  ADVISORY  WRITE 0 fe:00:77 120 120
8: POSIX  ADVISORY  WRITE 4718 fe:00:77 0 EOF
"""


def test_the_kernels_list() -> None:
    assert holders.found(TABLE, "fe:00:77", range(120, 121)) == {4711, 4718}
    assert holders.found(TABLE, "fe:00:77", range(123, 128)) == {4713, 4714, 4718}
    assert holders.found(TABLE, "fe:00:79", range(120, 121)) == set()


HOLD = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute(sys.argv[2])
db.execute("SELECT count(*) FROM events").fetchone()
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def holding(path: Path, begin: str) -> Iterator[int]:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), begin],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    try:
        yield child.pid
    finally:
        child.communicate(timeout=20)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists locks")
async def test_who_holds_a_lock_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    store = await open_store(path)
    assert (holders.writers(path), holders.readers(path)) == ("", "")
    with holding(path, "BEGIN IMMEDIATE") as pid:
        assert holders.writers(path).endswith(f"(pid {pid})")
    with holding(path, "BEGIN") as pid:
        assert holders.writers(path) == ""
        assert holders.readers(path).endswith(f"(pid {pid})")
    assert holders.readers(path) == ""
    await store.close()
    assert holders.writers(tmp_path / "no.db") == ""


async def test_oneself_is_nobody(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    store = await open_store(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        assert str(os.getpid()) not in holders.writers(path)
    await store.close()
