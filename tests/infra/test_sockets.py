"""Where an engine listens: rights, long paths, sockets of engines that were killed."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from aethermind.domain.errors import StoreError
from aethermind.infra import sockets


@pytest.fixture
def home() -> Iterator[Path]:
    """A short one: pytest's own directories are too long for a socket."""
    with tempfile.TemporaryDirectory(prefix="ae") as made:
        yield Path(made)


@pytest.fixture
def long_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ae") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        found = tmp_path / ("d" * 60) / ("e" * 60)
        found.mkdir(parents=True)
        yield found


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def test_it_listens_in_the_directory_for_its_user_alone(home: Path) -> None:
    assert sockets.locate(home) is None
    with sockets.bind(home):
        path = sockets.locate(home)
        assert path == home / "engine.sock"
        assert path.stat().st_mode & 0o777 == 0o600
        assert answers(path)
        assert list(home.iterdir()) == [path]
        sockets.unbind(home)
    assert sockets.locate(home) is None
    sockets.unbind(home)


def test_the_socket_of_a_killed_engine_is_replaced(home: Path) -> None:
    sockets.bind(home).close()
    dead = sockets.locate(home)
    assert dead is not None
    assert not answers(dead)
    with sockets.bind(home):
        assert answers(dead)


def test_a_long_path_gives_way_to_the_runtime_directory(long_home: Path) -> None:
    with sockets.bind(long_home):
        path = sockets.locate(long_home)
        assert path is not None
        assert path.parent == Path(os.environ["XDG_RUNTIME_DIR"], "aethermind")
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert (long_home / "engine.sock.path").read_text() == f"{path}\n"
        assert answers(path)
        sockets.unbind(long_home)
        assert not path.exists()
    assert sockets.locate(long_home) is None


def test_two_long_homes_have_two_sockets(long_home: Path) -> None:
    other = long_home.with_name("f" * 60)
    other.mkdir()
    with sockets.bind(long_home), sockets.bind(other):
        assert sockets.locate(long_home) != sockets.locate(other)


def test_a_runtime_directory_that_others_can_reach_into_is_closed_first(long_home: Path) -> None:
    place = Path(os.environ["XDG_RUNTIME_DIR"], "aethermind")
    place.mkdir(mode=0o777)
    place.chmod(0o777)
    with sockets.bind(long_home):
        assert place.stat().st_mode & 0o777 == 0o700


def test_what_is_no_directory_of_ours_is_refused(long_home: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    Path(os.environ["XDG_RUNTIME_DIR"], "aethermind").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="not a directory of yours"):
        sockets.bind(long_home)


def test_a_pointer_to_what_is_no_socket_leads_nowhere(home: Path) -> None:
    (home / "engine.sock.path").write_text(f"{home}\n")
    assert sockets.locate(home) is None
    (home / "engine.sock.path").write_bytes(b"\xff\xfe\0")
    assert sockets.locate(home) is None


def test_a_directory_that_can_not_be_written_to(home: Path) -> None:
    with pytest.raises(StoreError, match="socket"):
        sockets.bind(home / "nix")
