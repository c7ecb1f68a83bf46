"""The suite's own guard: it lets loopback through and fails whoever reaches further."""

from __future__ import annotations

import os
import random
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.guard import sitecustomize as guard

REFUSED = [
    "socket.create_connection(('192.0.2.1', 80), timeout=1)",
    "socket.create_connection(('2001:db8::1', 80), timeout=1)",
    "socket.socket().connect_ex(('192.0.2.1', 80))",
    "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
    "socket.getaddrinfo('example.com', 443)",
    "socket.gethostbyname('example.com')",
    "socket.gethostbyname('127.example.com')",
]


@pytest.fixture
def own_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Refusals of this test go elsewhere, else they would fail it."""
    log = tmp_path / "refused"
    monkeypatch.setenv(guard.LOG, str(log))
    return log


@pytest.mark.parametrize("statement", REFUSED)
def test_a_child_process_is_refused_and_reported(statement: str, own_log: Path) -> None:
    code = f"import socket\ntry: {statement}\nexcept Exception as error: print(type(error).__name__)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "NetworkReached"
    assert "tests may not reach beyond loopback" in own_log.read_text()


def test_this_process_is_refused_and_reported(own_log: Path) -> None:
    with socket.socket() as client, pytest.raises(RuntimeError, match="beyond loopback"):
        client.connect(("192.0.2.1", 80))
    assert "192.0.2.1" in own_log.read_text()


def test_loopback_unix_sockets_and_reserved_names_need_no_network(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
    left, right = socket.socketpair()
    left.close()
    right.close()
    assert socket.getaddrinfo("localhost", 80)
    assert socket.getaddrinfo("192.0.2.1", 80)
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("nowhere.invalid", 80)


SWALLOWS = """
import socket

def test_swallows():
    with socket.socket() as client:
        try:
            client.connect(("192.0.2.1", 80))
        except RuntimeError:
            pass

def test_behaves():
    pass
"""


def test_a_swallowed_refusal_still_fails_its_test_and_no_other(tmp_path: Path) -> None:
    here = Path(__file__).parent
    (tmp_path / "conftest.py").write_text((here / "conftest.py").read_text())
    (tmp_path / "test_inner.py").write_text(SWALLOWS)
    options = ["-p", "no:cacheprovider", "-o", f"pythonpath={here.parent}", "-c", os.devnull]
    inner = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--rootdir", tmp_path, tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    # In CI pytest writes the reason behind the name, elsewhere as much of it as the line holds.
    summary = inner.stdout.partition("short test summary")[2]
    assert re.search(r"^FAILED \S+::test_swallows( - .*)?$", summary, re.MULTILINE)
    assert "socket.connect to ('192.0.2.1', 80): tests may not reach beyond loopback" in inner.stdout
    assert "1 failed, 1 passed" in inner.stdout


def test_the_seed_repeats(seed: int, rng: random.Random) -> None:
    assert rng.random() == random.Random(seed).random()
    assert random.random() == random.Random(seed).random()
