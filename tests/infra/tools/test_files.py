from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aethermind.domain.errors import ToolError, ToolRefused
from aethermind.engine.toolbox import Toolbox, ToolOutput
from aethermind.infra.tools import files
from tests.infra.tools.boxes import Kit, kit

ALL = {"files": {"read": "always", "write": "ask"}}
HOSTILE = [
    "../secret", "a/../../secret", "/etc/passwd", "~/../secret/\x00", "", ".", "./", "a\nb", "x\u202ey",
    ".git/config", "sub/.GIT/hooks/pre-commit", "a//../..//secret", "\ud800", "link/secret", "chain/secret",
    "absolute", "pipe", "device/null", "home/aethermind.db", "x" * 300, "/".join(["d"] * 3000),
]  # fmt: skip


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Kit]:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret").write_text("untouched")
    (root / "home").mkdir()
    (root / "home" / "aethermind.db").write_text("the log")
    (root / "link").symlink_to("..")
    (root / "chain").symlink_to("link")
    (root / "absolute").symlink_to(tmp_path / "secret")
    (root / "device").symlink_to("/dev")
    os.mkfifo(root / "pipe")
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("[remote]")
    async with kit(root, guarded=(str(root / "home"),)) as made:
        yield made


@pytest.fixture
async def box(made: Kit) -> Toolbox:
    return await made.open(ALL)


async def refusal(box: Toolbox, name: str, **arguments: Any) -> str:
    with pytest.raises(ToolRefused) as caught:
        await box.call(name, arguments)
    with pytest.raises(ToolRefused):
        await box.preview(name, arguments)
    return caught.value.line()


async def read(box: Toolbox, path: str, **more: int) -> ToolOutput:
    return await box.call("read_file", {"path": path, **more})


@pytest.mark.parametrize("path", HOSTILE, ids=lambda path: ascii(path)[:30])
async def test_no_path_leads_out(made: Kit, box: Toolbox, path: str) -> None:
    def snapshot() -> list[tuple[str, bytes]]:
        everything = [p for p in made.cwd.parent.rglob("*") if p.is_file() and not p.is_fifo()]
        return sorted((str(p), p.read_bytes()) for p in everything)

    before = snapshot()
    calls: list[tuple[str, dict[str, Any]]] = [
        ("read_file", {"path": path}),
        ("write_file", {"path": path, "content": "owned"}),
        ("edit_file", {"path": path, "old": "untouched", "new": "owned"}),
    ]
    for name, arguments in calls:
        with pytest.raises(ToolRefused) as caught:
            await asyncio.wait_for(box.call(name, arguments), 10)
        assert "\n" not in caught.value.line()
        assert "\x00" not in caught.value.line()
    if path not in {"", ".", "./"}:
        for name, arguments in [
            ("list_files", {"path": path}),
            ("search_files", {"path": path, "pattern": "u"}),
        ]:
            try:
                answer = await asyncio.wait_for(box.call(name, arguments), 10)
            except ToolRefused:
                continue
            assert "untouched" not in answer.text
            assert answer.text.startswith("[")
    assert snapshot() == before


async def test_all_that_is_below_is_listed_and_searched_but_not_what_is_guarded(
    made: Kit, box: Toolbox
) -> None:
    (made.cwd / "src").mkdir()
    (made.cwd / "src" / "a.py").write_text("one\ntwo\n")
    (made.cwd / "src" / "node_modules").mkdir()
    (made.cwd / "src" / "node_modules" / "b.py").write_text("one\n")
    (made.cwd / "env").mkdir()
    (made.cwd / "env" / "pyvenv.cfg").write_text("")
    (made.cwd / "env" / "c.py").write_text("one\n")
    listed = (await box.call("list_files", {})).text.split("\n")
    assert listed == ["env/", "src/"], "no link, no pipe, no .git, nothing of the product's own"
    assert (await box.call("list_files", {"glob": "*.py"})).text == "src/a.py"
    assert (await box.call("list_files", {"path": "env", "glob": "*.py"})).text == "env/c.py"
    assert (await box.call("search_files", {"pattern": "^one$"})).text == "src/a.py:1: one"
    assert (await box.call("search_files", {"pattern": "ONE", "ignore_case": True})).text == "src/a.py:1: one"
    inside = await box.call("search_files", {"pattern": "one", "path": "src/node_modules"})
    assert inside.text == "src/node_modules/b.py:1: one"
    assert (await box.call("search_files", {"pattern": "t.o", "path": "src/a.py"})).text == "src/a.py:2: two"
    assert (await box.call("search_files", {"pattern": "log|remote"})).text == "[no match in 1 files]"
    assert (await box.call("list_files", {"glob": "*.none"})).text.startswith("[no file")


async def test_a_link_that_stays_inside_is_followed(made: Kit, box: Toolbox) -> None:
    (made.cwd / "src").mkdir()
    (made.cwd / "src" / "a").write_text("inside")
    (made.cwd / "in").symlink_to("src")
    assert (await read(box, "in/a")).text == "inside"
    assert (await box.call("search_files", {"pattern": "in", "path": "in"})).text == "src/a:1: inside"
    await box.call("write_file", {"path": "in/a", "content": "changed"})
    assert (made.cwd / "src" / "a").read_text() == "changed"
    assert (made.cwd / "in").is_symlink()


async def test_a_directory_swapped_for_a_link_during_the_walk(
    made: Kit, box: Toolbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    (made.cwd / "sub").mkdir()
    readlink = os.readlink

    def swap(part: str, *, dir_fd: int) -> str:
        try:
            return readlink(part, dir_fd=dir_fd)
        finally:
            if part == "sub" and not (made.cwd / "sub").is_symlink():
                (made.cwd / "sub").rename(made.cwd / "gone")
                (made.cwd / "sub").symlink_to("..")

    monkeypatch.setattr(os, "readlink", swap)
    with pytest.raises(ToolRefused):
        await box.call("write_file", {"path": "sub/secret", "content": "owned"})
    assert (made.cwd.parent / "secret").read_text() == "untouched"


async def test_reading_by_pages(made: Kit, box: Toolbox) -> None:
    text = "".join(f"line {n}\n" for n in range(1, 5001))
    (made.cwd / "long").write_text(text)
    first = await read(box, "long")
    assert first.truncated
    assert first.text.endswith("line 2000\n[lines 1-2000 of 5000; read on with offset 2001]")
    last = await read(box, "long", offset=4999)
    assert not last.truncated
    assert last.text == "line 4999\nline 5000\n[lines 4999-5000 of 5000]"
    assert (await read(box, "long", offset=7, limit=1)).text.startswith("line 7\n[lines 7-7 of 5000;")
    assert "only 5000 lines" in await refusal_of_call(box, "read_file", path="long", offset=5001)
    (made.cwd / "short").write_text("a\n\nb")
    assert await read(box, "short") == ToolOutput(text="a\n\nb"), "exactly what is in it"
    (made.cwd / "empty").write_text("")
    assert (await read(box, "empty")).text == ""


async def refusal_of_call(box: Toolbox, name: str, **arguments: Any) -> str:
    with pytest.raises(ToolRefused) as caught:
        await box.call(name, arguments)
    return caught.value.line()


async def test_what_is_too_much_is_cut_or_refused(
    made: Kit, box: Toolbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    (made.cwd / "wide").write_text("ü" * 100_000 + "\nend\n")
    answer = await read(box, "wide")
    assert answer.truncated
    assert len(answer.text.encode()) < 64 * 1024
    assert answer.text.endswith("[line 1 is too long: its first 60 KiB]")
    monkeypatch.setattr(files, "MAX_READ", 1000)
    assert "larger than" in await refusal_of_call(box, "read_file", path="wide")
    await_too_large = await refusal(box, "write_file", path="w", content="x" * 2_100_000)
    assert "larger than 2 MiB" in await_too_large
    for number in range(1100):
        (made.cwd / f"f{number:04}").touch()
    listed = await box.call("list_files", {})
    assert listed.truncated
    assert len(listed.text.split("\n")) == 1001


async def test_what_is_no_text_is_refused_with_a_word(made: Kit, box: Toolbox) -> None:
    (made.cwd / "binary").write_bytes(b"\x7fELF\0\0")
    (made.cwd / "latin").write_bytes("Ärger".encode("latin-1"))
    assert "it is binary (6 bytes)" in await refusal_of_call(box, "read_file", path="binary")
    assert "no UTF-8 text" in await refusal_of_call(box, "read_file", path="latin")
    assert "it is binary" in await refusal(box, "write_file", path="binary", content="x")
    assert "no UTF-8 text" in await refusal(box, "edit_file", path="latin", old="r", new="x")
    assert "holds NUL" in await refusal(box, "write_file", path="new", content="a\0b")
    assert "No such file" in await refusal_of_call(box, "read_file", path="nothing")


async def test_what_cannot_be_seen_is_shown_but_typography_stays(made: Kit, box: Toolbox) -> None:
    (made.cwd / "f").write_text("a\x1b[2J\u202eb ❤\ufe0f\r\nc")
    assert (await read(box, "f")).text == "a␛[2J⟨U+202E⟩b ❤\ufe0f\nc"
    await box.call("edit_file", {"path": "f", "old": "b ❤\ufe0f\nc", "new": "d\ne"})
    assert (made.cwd / "f").read_bytes() == "a\x1b[2J\u202ed\r\ne".encode()


async def test_an_edit_has_to_be_exact(made: Kit, box: Toolbox) -> None:
    target = made.cwd / "f"
    target.write_text("one\ntwo\none\n")
    target.chmod(0o755)
    assert "does not occur" in await refusal(box, "edit_file", path="f", old="One", new="x")
    assert "occurs 2 times" in await refusal(box, "edit_file", path="f", old="one", new="x")
    assert "occurs 1 times in it, not 3" in await refusal(
        box, "edit_file", path="f", old="two", new="x", count=3
    )
    assert "the same" in await refusal(box, "edit_file", path="f", old="two", new="two")
    assert "no such file" in await refusal(box, "edit_file", path="g", old="a", new="b")
    assert target.read_text() == "one\ntwo\none\n"
    await box.call("edit_file", {"path": "f", "old": "one", "new": "1", "count": 2})
    await box.call("edit_file", {"path": "f", "old": "two\n", "new": ""})
    assert target.read_text() == "1\n1\n"
    assert target.stat().st_mode & 0o777 == 0o755


async def test_the_preview_is_the_difference(made: Kit, box: Toolbox) -> None:
    (made.cwd / "f").write_text("".join(f"{n}\n" for n in range(10)))
    preview = await box.preview("edit_file", {"path": "f", "old": "5\n", "new": "five\x1b[m\n\n"})
    assert preview.title == "edit f"
    assert preview.text == (
        "--- a/f\n+++ b/f\n@@ -3,7 +3,8 @@\n 2\n 3\n 4\n-5\n+five␛[m\n+\n 6\n 7\n 8"
    )  # fmt: skip
    new = await box.preview("write_file", {"path": "./sub//g", "content": "a\nb"})
    assert new.title == "write sub/g"
    assert new.text == "--- /dev/null\n+++ b/sub/g\n@@ -0,0 +1,2 @@\n+a\n+b  (no end of line)"
    assert not (made.cwd / "sub").exists()
    same = await box.preview("write_file", {"path": "f", "content": (made.cwd / "f").read_text()})
    assert "nothing changes" in same.text
    tabs = await box.preview("edit_file", {"path": "f", "old": "5\n", "new": "5 \n"})
    assert "-5\n+5 \n" in tabs.text, "what looks the same is shown where it differs"


async def test_an_approved_write_is_bound_to_what_was_seen(made: Kit, box: Toolbox) -> None:
    (made.cwd / "f").write_text("old")
    change = {"path": "f", "content": "new"}
    preview = await box.preview("write_file", change)
    (made.cwd / "f").write_text("meanwhile")
    with pytest.raises(ToolRefused, match="has changed since"):
        await box.call("write_file", change, basis=preview.basis)
    assert (made.cwd / "f").read_text() == "meanwhile"
    preview = await box.preview("write_file", change)
    await box.call("write_file", change, basis=preview.basis)
    create = {"path": "g", "content": "mine"}
    preview = await box.preview("write_file", create)
    (made.cwd / "g").write_text("somebody else's")
    with pytest.raises(ToolRefused, match="has changed since"):
        await box.call("write_file", create, basis=preview.basis)


async def test_secrets_are_neither_shown_nor_written_back_as_what_stands_for_them(
    made: Kit, box: Toolbox
) -> None:
    (made.cwd / ".env").write_text("KEY=sk-abcdefghijklmnopqrstuvwxyz\nPORT=1\n")
    text = (await read(box, ".env")).text
    assert text == "KEY=[redacted]\nPORT=1\n"
    assert "stands for a secret" in await refusal(box, "write_file", path=".env", content=text)
    await box.call("edit_file", {"path": ".env", "old": "PORT=1", "new": "PORT=2"})
    assert (made.cwd / ".env").read_text() == "KEY=sk-abcdefghijklmnopqrstuvwxyz\nPORT=2\n"


async def test_a_pattern_that_never_ends_is_ended(
    made: Kit, box: Toolbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    (made.cwd / "f").write_text("a" * 50 + "!\n")
    monkeypatch.setattr(files, "_SEARCH_SECONDS", 1.0)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    task = asyncio.create_task(tick())
    with pytest.raises(ToolRefused, match="took more than"):
        await box.call("search_files", {"pattern": "(a+)+$"})
    task.cancel()
    assert ticks > 100, "the engine's loop went on meanwhile"
    for pattern in ["(", "a{99999999999}", "(" * 500, "[z-a]"]:
        assert "cannot search" in await refusal_of_call(box, "search_files", pattern=pattern)


async def test_found_lines_are_few_and_short(made: Kit, box: Toolbox) -> None:
    (made.cwd / "f").write_text("x" * 5000 + "needle" + "y" * 5000 + "\n" + "needle\x1b[31m\n" * 500)
    answer = await box.call("search_files", {"pattern": "needle"})
    assert answer.truncated
    lines = answer.text.split("\n")
    assert len(lines) == 201
    assert "needle" in lines[0]
    assert len(lines[0]) < 500
    assert lines[1] == "f:2: needle␛[31m"


async def test_a_root_below_the_cwd(made: Kit) -> None:
    (made.cwd / "docs").mkdir()
    (made.cwd / "docs" / "a.md").write_text("a")
    (made.cwd / "code").write_text("c")
    box = await made.open({"files": {"read": "always", "write": "ask", "root": "docs"}})
    assert (await box.call("list_files", {})).text == "a.md"
    await box.call("write_file", {"path": "b.md", "content": "b"})
    assert (made.cwd / "docs" / "b.md").read_text() == "b"
    with pytest.raises(ToolRefused):
        await box.call("read_file", {"path": "../code"})
    for root in ["nothing", "link", "code", "home"]:
        with pytest.raises(ToolError, match="cannot be used"):
            await made.open({"files": {"read": "always", "write": "ask", "root": root}})


async def test_reading_without_writing(made: Kit) -> None:
    box = await made.open({"files": {"read": "ask", "write": "never"}})
    assert {spec.name: spec.approve for spec in box.specs} == {
        "read_file": "ask", "list_files": "ask", "search_files": "ask",
    }  # fmt: skip
    with pytest.raises(ToolRefused, match="there is no tool"):
        await box.call("write_file", {"path": "f", "content": "x"})


async def test_the_preview_of_a_file_in_a_directory_is_of_that_file(made: Kit, box: Toolbox) -> None:
    (made.cwd / "deep").mkdir()
    (made.cwd / "deep" / "same").write_text("inner\n")
    (made.cwd / "same").write_text("outer\n")
    preview = await box.preview("edit_file", {"path": "deep/same", "old": "inner", "new": "changed"})
    assert (preview.title, preview.text.splitlines()[-2:]) == ("edit deep/same", ["-inner", "+changed"])
    await box.call("edit_file", {"path": "deep/same", "old": "inner", "new": "changed"}, basis=preview.basis)
    assert (made.cwd / "deep" / "same").read_text() == "changed\n"
