from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aethermind import bootstrap
from aethermind.domain.errors import StepFailure
from aethermind.infra import files
from aethermind.infra.files import LocalFiles, save
from aethermind.infra.rooted import Guarded


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("untouched")
    return tmp_path / "root"


def tree(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def refusal(root: Path, path: str, text: str = "x") -> str:
    before = tree(root.parent)
    with pytest.raises(StepFailure) as caught:
        save(str(root), path, text)
    assert caught.value.info.kind == "bad_request"
    assert not caught.value.info.retryable
    assert "\n" not in caught.value.line()
    assert tree(root.parent) == before
    assert (root.parent / "outside" / "secret").read_text() == "untouched"
    return caught.value.line()


async def test_saves_on_another_thread(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    fsync = os.fsync

    def noting(fd: int) -> None:
        threads.append(threading.current_thread())
        fsync(fd)

    monkeypatch.setattr(os, "fsync", noting)
    assert await LocalFiles().save(str(root), "brief.md", "Ärger\n") == "brief.md"
    assert (root / "brief.md").read_bytes() == "Ärger\n".encode()
    assert len(threads) == 2, "the file and its directory"
    assert threading.main_thread() not in threads


async def test_makes_directories_and_returns_the_plain_path(root: Path) -> None:
    assert await LocalFiles().save(str(root), "./a//b/./c.txt", "1") == "a/b/c.txt"
    assert tree(root) == ["a", "a/b", "a/b/c.txt"]


async def test_the_root_itself_may_be_a_link(root: Path) -> None:
    (root.parent / "link").symlink_to(root)
    await LocalFiles().save(str(root.parent / "link"), "f", "1")
    assert (root / "f").read_text() == "1"


async def test_a_cancelled_save_is_over_when_it_returns(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started, go = threading.Event(), threading.Event()

    def slow(cwd: str, path: str, text: str, guarded: object) -> str:
        started.set()
        assert go.wait(10)
        return save(cwd, path, text)

    monkeypatch.setattr(files, "save", slow)
    task = asyncio.create_task(LocalFiles().save(str(root), "f", "1"))
    await asyncio.to_thread(started.wait, 10)
    task.cancel()
    asyncio.get_running_loop().call_soon(task.cancel)
    asyncio.get_running_loop().call_soon(go.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (root / "f").read_text() == "1"


def test_replaces_whole_and_keeps_the_mode(root: Path) -> None:
    target = root / "f"
    target.write_text("old and long")
    target.chmod(0o640)
    reader = target.open()
    save(str(root), "f", "new")
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640
    with reader:
        assert reader.read() == "old and long", "who had it open still reads the old file, never a half"
    assert tree(root) == ["f"]


def test_a_new_file_obeys_the_umask(root: Path) -> None:
    before = os.umask(0o027)
    try:
        save(str(root), "f", "new")
    finally:
        os.umask(before)
    assert (root / "f").stat().st_mode & 0o777 == 0o640


def test_a_hard_link_elsewhere_keeps_its_content(root: Path) -> None:
    (root / "f").hardlink_to(root.parent / "outside" / "secret")
    save(str(root), "f", "new")
    assert (root.parent / "outside" / "secret").read_text() == "untouched"


def test_a_failed_write_leaves_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "f").write_text("old")

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left" in refusal(root, "f")
    assert (root / "f").read_text() == "old"


@pytest.mark.parametrize(
    "path, why",
    [
        ("", "names no file"),
        (".", "names no file"),
        ("a/", "names no file"),
        ("a/.", "names no file"),
        ("/etc/passwd", "absolute"),
        ("//f", "absolute"),
        ("../outside/secret", "holds .."),
        ("a/../../outside/secret", "holds .."),
        ("a/..", "holds .."),
        ("a\0b", "not shown"),
        ("a\nb", "not shown"),
        ("\x1b]0;t\x07", "not shown"),
        ("a\u202egpj.exe", "not shown"),
        ("\ud800", "not shown"),
        (".git/hooks/pre-commit", ".git"),
        ("new/.GIT/config", ".git"),
        ("x" * 300, "too long"),
    ],
)
def test_refused_paths(root: Path, path: str, why: str) -> None:
    (root / "a").mkdir()
    assert why in refusal(root, path)


def test_refused_text(root: Path) -> None:
    assert "surrogate" in refusal(root, "f", "\ud800")


@pytest.mark.parametrize(
    "target",
    ["../outside", "../outside/secret", "..", "../..", "a/../../outside", "/", "{outside}", "{root}"],
)
@pytest.mark.parametrize("path", ["link", "link/secret", "a/link2/secret"])
def test_links_that_lead_out(root: Path, path: str, target: str) -> None:
    outside = str(root.parent / "outside")
    (root / "a").mkdir()
    (root / "link").symlink_to(target.format(outside=outside, root=root))
    (root / "a" / "link2").symlink_to("../link")
    assert "leads out" in refusal(root, path)


@pytest.mark.parametrize(
    "links, path, lands",
    [
        ({"link": "a"}, "link/f", "a/f"),
        ({"link": "a/"}, "link/f", "a/f"),
        ({"latest.md": "a/one.md"}, "latest.md", "a/one.md"),
        ({"a/up": ".."}, "a/up/f", "f"),
        ({"a/up": "../b/new"}, "a/up/f", "b/new/f"),
        ({"x": "y", "y": "z", "z": "a"}, "x/f", "a/f"),
    ],
)
def test_links_that_stay_inside(root: Path, links: dict[str, str], path: str, lands: str) -> None:
    (root / "a").mkdir()
    for link, target in links.items():
        (root / link).symlink_to(target)
    assert save(str(root), path, "text") == path
    assert (root / lands).read_text() == "text"
    assert not (root / lands).is_symlink()


@pytest.mark.parametrize(
    "prepare, path, why",
    [
        (lambda r: (r / "l").symlink_to("l"), "l", "symbolic links"),
        (lambda r: (r / "l").symlink_to("."), "l", "directory"),
        (lambda r: (r / "l").symlink_to(".git"), "l/config", ".git"),
        (lambda r: (r / "d").mkdir(), "d", "a directory"),
        (lambda r: (r / "f").write_text(""), "f/g", "not a directory"),
        (lambda r: os.mkfifo(r / "p"), "p", "no ordinary file"),
    ],
)
def test_places_that_cannot_be_written(
    root: Path, prepare: Callable[[Path], object], path: str, why: str
) -> None:
    prepare(root)
    assert why in refusal(root, path)


def test_a_missing_root(root: Path) -> None:
    with pytest.raises(StepFailure, match="No such file"):
        save(str(root / "never"), "f", "x")


def test_a_directory_swapped_for_a_link_during_the_walk(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The moment between looking at a component and opening it."""
    (root / "a").mkdir()
    look = os.readlink

    def swap(path: str, *, dir_fd: int) -> str:
        try:
            return look(path, dir_fd=dir_fd)
        finally:
            if path == "a":
                (root / "a").rmdir()
                (root / "a").symlink_to(root.parent / "outside")

    monkeypatch.setattr(os, "readlink", swap)
    with pytest.raises(StepFailure):
        save(str(root), "a/secret", "x")
    assert (root.parent / "outside" / "secret").read_text() == "untouched"


def test_a_directory_moved_away_takes_its_file_along(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is never looked up twice: what was entered stays entered."""
    (root / "a").mkdir()
    rename = os.rename

    def swap(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        rename(root / "a", root / "moved")
        (root / "a").symlink_to(root.parent / "outside")
        rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "rename", swap)
    save(str(root), "a/secret", "x")
    assert (root.parent / "outside" / "secret").read_text() == "untouched"
    assert (root / "moved" / "secret").read_text() == "x"


@given(path=st.text(st.sampled_from("ab./\\~ ü\u200d"), max_size=12), text=st.text(max_size=20))
def test_any_path_lands_below_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, path: str, text: str
) -> None:
    base = tmp_path_factory.mktemp("base")
    (base / "root").mkdir()
    try:
        saved = save(str(base / "root"), path, text)
    except StepFailure:
        assert tree(base) == ["root"]
    else:
        assert (base / "root" / saved).read_bytes().decode() == text
        assert {p.parts[0] for p in map(Path, tree(base))} == {"root"}


@pytest.mark.parametrize("path", ["home/x", "home/deep/x", "HOME/x", "link/x", "link/deep/../x.db"])
def test_guarded_directories_are_not_written_to(root: Path, path: str) -> None:
    (root / "home" / "deep").mkdir(parents=True)
    (root / "link").symlink_to("home")
    guarded = Guarded([str(root / "home")])
    with pytest.raises(StepFailure):
        save(str(root), path, "x", guarded)
    assert not [p for p in root.rglob("x*") if p.is_file()]
    with pytest.raises(StepFailure, match="own"):
        save(str(root / "home"), "x", "x", guarded)
    with pytest.raises(StepFailure, match="own"):
        save(str(root / "home" / "deep"), "x", "x", guarded)
    assert save(str(root), "homework/x", "x", guarded) == "homework/x"


def test_a_guarded_directory_that_does_not_exist_yet_is_not_made(root: Path) -> None:
    with pytest.raises(StepFailure, match="own"):
        save(str(root), "conf/aethermind/config.toml", "x", Guarded([str(root / "conf" / "aethermind")]))
    assert not (root / "conf" / "aethermind").exists()
    assert save(str(root), "conf/other", "x", Guarded([str(root / "conf" / "aethermind")])) == "conf/other"


async def test_the_adapter_guards(root: Path) -> None:
    with pytest.raises(StepFailure, match="own"):
        await LocalFiles(guarded=[str(root)]).save(str(root), "f", "x")


async def test_no_step_writes_into_what_is_ours(root: Path) -> None:
    """The engine as it is put together: `save` and tools know the data directory and the config."""
    home = root / "home"
    composition = bootstrap.load(bootstrap.Options(home=home))
    async with bootstrap.open_engine(composition, bootstrap.MEMORY) as engine:
        files = engine.scheduler._attempts._files
        with pytest.raises(StepFailure, match="own"):
            await files.save(str(root), "home/aethermind.db", "x")
        assert await files.save(str(root), "homework", "x") == "homework"
    assert not (home / "aethermind.db").exists()
