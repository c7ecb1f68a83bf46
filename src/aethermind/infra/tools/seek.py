"""Looks for files and for lines in them. As a process of its own: `python -I -S seek.py`.

A pattern comes from a model and may take for ever to match; Python's matcher can't be interrupted and holds
the interpreter's lock, so it runs where it can be killed. The standard library only, for a quick start.

Nothing here follows a symbolic link, and what is in `.git` is never looked at. Directories of packages and
caches are left out unless the search begins in one.
"""

from __future__ import annotations

import contextlib
import fnmatch
import json
import os
import re
import resource
import stat
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

MAX_FILES = 50_000
MAX_SIZE = 4 * 1024 * 1024
"""Bytes of a file that is still searched."""
MAX_MEMORY = 1024 * 1024 * 1024
MAX_DEPTH = 60
MAX_LINE = 400
"""Characters of a line that are shown."""

_LEFT_OUT = frozenset({"__pycache__", "node_modules", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox"})
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW


def enter(root: int, names: list[str]) -> int:
    """A descriptor of the directory that these names lead to. Raises `OSError`."""
    here = os.dup(root)
    for name in names:
        try:
            below = os.open(name, _DIRECTORY, dir_fd=here)
        finally:
            os.close(here)
        here = below
    return here


def walk(
    top: int, prefix: str, leave_out: Callable[[int, int], bool], *, deep: bool = True
) -> Iterator[tuple[str, bool, int, str]]:
    """What is below a directory, sorted: path, whether it is a directory, and the descriptor and name by
    which it can be opened until the next step. `leave_out`: device and number of a directory."""
    stack: list[tuple[int, Iterator[tuple[str, bool]], str]] = [(top, iter(_entries(top)), prefix)]
    try:
        while stack:
            here, entries, path = stack[-1]
            entry = next(entries, None)
            if entry is None:
                stack.pop()
                if here != top:
                    os.close(here)
                continue
            name, is_directory = entry
            if not is_directory:
                yield path + name, False, here, name
                continue
            try:
                below = os.open(name, _DIRECTORY, dir_fd=here)
            except OSError:
                continue
            found = os.fstat(below)
            if leave_out(found.st_dev, found.st_ino):
                os.close(below)
                continue
            deeper = deep and len(stack) < MAX_DEPTH and not _is_package(name, below)
            stack.append((below, iter(_entries(below) if deeper else ()), f"{path}{name}/"))
            yield path + name, True, here, name
    finally:
        for here, _, _ in stack:
            if here != top:
                os.close(here)


def _entries(directory: int) -> list[tuple[str, bool]]:
    """Names of directories and ordinary files; neither links nor pipes, sockets, devices."""
    found = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.casefold() == ".git":
                    continue
                if entry.is_dir(follow_symlinks=False):
                    found.append((entry.name, True))
                elif entry.is_file(follow_symlinks=False):
                    found.append((entry.name, False))
    except OSError:
        return []
    return sorted(found)


def _is_package(name: str, directory: int) -> bool:
    if name in _LEFT_OUT:
        return True
    try:
        os.stat("pyvenv.cfg", dir_fd=directory, follow_symlinks=False)
    except OSError:
        return False
    return True


def matcher(glob: str) -> Callable[[str], bool]:
    """Whether a path fits: `*.py` (anywhere), `src/**/*.py`, `*.{js,ts}`."""
    ways = [_Way(way) for way in _without_braces(glob.removeprefix("./"))]
    return lambda path: any(way.fits(path) for way in ways)


class _Way:
    def __init__(self, glob: str) -> None:
        self._anywhere = "/" not in glob
        # `fnmatch` makes patterns that take no more than quadratic time.
        self._parts = [
            None if part == "**" else re.compile(fnmatch.translate(part)) for part in glob.split("/") if part
        ]

    def fits(self, path: str) -> bool:
        parts = path.split("/")
        if self._anywhere:
            parts = parts[-1:]
        here = {0}
        for pattern in self._parts:
            if pattern is None:
                here = set(range(min(here), len(parts) + 1)) if here else here
            else:
                here = {at + 1 for at in here if at < len(parts) and pattern.match(parts[at])}
        return len(parts) in here


def _without_braces(glob: str, most: int = 50) -> list[str]:
    found = re.search(r"\{([^{}]*)\}", glob)
    if found is None:
        return [glob]
    out: list[str] = []
    for option in found[1].split(","):
        out += _without_braces(glob[: found.start()] + option + glob[found.end() :], most - len(out))
        if len(out) >= most:
            break
    return out[:most]


def search(request: dict[str, Any]) -> dict[str, Any]:
    """`names` (where), `file` (only this one), `pattern`, `ignore_case`, `glob`, `guarded`, `matches`
    (most), `seconds` → `found` [[path, line, text]], `files` that were read, `complete`."""
    pattern = re.compile(request["pattern"], re.IGNORECASE if request["ignore_case"] else 0)
    deadline = time.monotonic() + request["seconds"]
    fits = matcher(request["glob"]) if request["glob"] else lambda path: True
    guarded = {tuple(pair) for pair in request["guarded"]}
    names = request["names"]
    prefix = "".join(f"{name}/" for name in names)
    root = os.open(".", _DIRECTORY)
    top = enter(root, names)
    files: Iterator[tuple[str, bool, int, str]]
    if request["file"]:
        files = iter([(prefix + request["file"], False, top, request["file"])])
        fits = lambda path: True  # noqa: E731 - it was named
    else:
        files = walk(top, prefix, lambda device, number: (device, number) in guarded)
    found: list[tuple[str, int, str]] = []
    count = 0
    for path, is_directory, directory, name in files:
        if is_directory or not fits(path[len(prefix) :]):
            continue
        if count >= MAX_FILES or time.monotonic() > deadline:
            return {"found": found, "files": count, "complete": False}
        lines = _lines(directory, name)
        count += lines is not None
        for number, line in enumerate(lines or (), start=1):
            match = pattern.search(line)
            if match is not None:
                if len(found) >= request["matches"]:
                    return {"found": found, "files": count, "complete": False}
                found.append((path, number, _around(line, match.start())))
    return {"found": found, "files": count, "complete": True}


def _lines(directory: int, name: str) -> list[str] | None:
    """None for what is no text, too large, or can't be read."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_SIZE:
            return None
        try:
            data = file.read(MAX_SIZE)
        except OSError:
            return None
    if b"\0" in data[:8192]:
        return None
    return data.decode(errors="replace").replace("\r\n", "\n").split("\n")


def _around(line: str, start: int) -> str:
    if len(line) <= MAX_LINE:
        return line
    first = max(0, start - MAX_LINE // 4)
    return ("…" if first else "") + line[first : first + MAX_LINE] + "…"


def main() -> None:
    request = json.loads(sys.stdin.buffer.read())
    # Compiling some patterns would take all memory there is.
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, hard))
    try:
        answer = search(request)
    except (re.error, OverflowError) as problem:
        answer = {"error": f"the pattern is no regular expression: {problem}"}
    except (RecursionError, MemoryError):
        answer = {"error": "the pattern is too large"}
    except OSError as problem:
        answer = {"error": problem.strerror or "it cannot be read"}
    sys.stdout.buffer.write(json.dumps(answer).encode(errors="replace"))


if __name__ == "__main__":
    main()
