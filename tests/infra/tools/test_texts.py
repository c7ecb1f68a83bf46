"""Cutting, showing differences, finding: what needs no place and no process."""

from __future__ import annotations

import difflib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aethermind.infra.sanitize import is_clean
from aethermind.infra.tools import diffs, seek
from aethermind.infra.tools.texts import Tail, cut


@given(st.text(max_size=300), st.integers(min_value=40, max_value=400))
def test_a_cut_text_is_its_beginning_and_its_end(text: str, limit: int) -> None:
    short, shortened = cut(text, limit)
    if not shortened:
        assert short == text
        assert len(text.encode()) <= limit
        return
    head, _, rest = short.partition("\n[… ")
    assert text.startswith(head)
    tail = rest.partition(" …]\n")[2]
    assert text.endswith(tail)
    assert len(head.encode()) + len(tail.encode()) <= limit
    assert len(short.encode()) <= limit + 60


def test_the_tail_of_something_long() -> None:
    tail = Tail(20)
    for number in range(100):
        tail.add(f"line {number}")
    assert tail.text() == "line 98\nline 99"
    assert tail.dropped
    one = Tail(5)
    one.add("longer than that")
    assert one.text() == "longer than that"
    assert not one.dropped


@given(
    st.text(alphabet="ab\n\r\t\x1b\u202e", max_size=60), st.text(alphabet="ab\n\r\t\x1b\u202e", max_size=60)
)
def test_a_difference_is_harmless_and_shows_each_change(before: str, after: str) -> None:
    text = diffs.unified("f", before, after)
    assert is_clean(text)
    assert ("nothing changes" in text) == (before == after)
    body = text.split("\n")[2:]
    if before != after:
        assert any(line.startswith(("-", "+")) for line in body)


def test_a_large_change_is_shown_whole_and_quickly() -> None:
    same = [f"same {n}\n" for n in range(10)]
    before = "".join([*same, *(f"old {n}\n" for n in range(30_000)), *same])
    after = "".join([*same, *(f"new {n}\n" for n in range(20_000)), *same])
    lines = diffs.unified("f", before, after).split("\n")
    assert lines[2] == "@@ -8,30006 +8,20006 @@"
    assert lines[3:6] == [" same 7", " same 8", " same 9"]
    assert sum(line.startswith("-old") for line in lines) == 30_000
    assert sum(line.startswith("+new") for line in lines) == 20_000
    assert lines[-3:] == [" same 0", " same 1", " same 2"]


def test_the_quick_way_says_what_difflib_says(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\n7\n8\n9\n"
    expected = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3))[2:]
    monkeypatch.setattr(diffs, "_DENSE", 0)
    assert diffs.unified("f", before, after).split("\n")[2:] == expected


@pytest.mark.parametrize(
    "glob,fits,fits_not",
    [
        ("*.py", ["a.py", "x/y/a.py"], ["a.pyc", "a.py/b"]),
        ("src/*.py", ["src/a.py"], ["a.py", "src/x/a.py", "x/src/a.py"]),
        ("src/**/*.py", ["src/a.py", "src/x/a.py", "src/x/y/a.py"], ["a.py", "src/x/a.js"]),
        ("**/test_*", ["test_a", "x/test_a", "x/y/test_a"], ["x/a"]),
        ("src/**", ["src/a", "src/x/a"], ["a", "x/src/a"]),
        ("*.{js,ts}", ["a.js", "x/a.ts"], ["a.py", "a.{js,ts}"]),
        ("{a,b}/{c,d}", ["a/c", "b/d"], ["a/b"]),
        ("./a?.[ch]", ["a1.c"], ["a.c", "a1.x"]),
        ("[", ["["], ["a"]),
    ],
)
def test_globs(glob: str, fits: list[str], fits_not: list[str]) -> None:
    match = seek.matcher(glob)
    assert [path for path in fits if not match(path)] == []
    assert [path for path in fits_not if match(path)] == []


@pytest.mark.parametrize("glob", ["{a,b}" * 30, "*a" * 200, "**/" * 200 + "x", "{" * 100, "a{b" * 50])
def test_no_glob_takes_for_ever(glob: str) -> None:
    match = seek.matcher(glob)
    assert not match("/".join(["a" * 50] * 20) + "!")


def test_a_walk_closes_what_it_opened(tmp_path: Path) -> None:
    for name in ("a/b/c", "a/d", "e"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "f").touch()
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208 - the same on every system
    top = os.open(tmp_path, os.O_RDONLY)
    paths = [path for path, is_directory, _, _ in seek.walk(top, "", lambda *pair: False) if not is_directory]
    assert paths == ["a/b/c/f", "a/d/f", "e/f"]
    broken_off = seek.walk(top, "", lambda *pair: False)
    assert [next(broken_off)[0] for _ in range(3)] == ["a", "a/b", "a/b/c"]
    broken_off.close()  # type: ignore[attr-defined]  # a generator
    os.close(top)
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208 - as above


def test_the_search_starts_with_few_modules() -> None:
    here = str(Path(seek.__file__).parent)
    code = f"import sys; sys.path.insert(0, {here!r}); import seek; print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"aethermind", "asyncio", "msgspec", "pathlib", "typing_extensions"} & set(found)
