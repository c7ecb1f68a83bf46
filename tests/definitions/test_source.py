from __future__ import annotations

import os
from pathlib import Path

import pytest

from aethermind.definitions.nodes import Map, Scalar, Seq, Spot
from aethermind.definitions.source import decode, parse, read_bytes, resolve
from aethermind.domain.errors import DeniedError, InvalidError, NotFoundError
from tests.definitions.helpers import node


@pytest.mark.parametrize(
    "text,value",
    [
        ("hello", "hello"),
        ("~", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("12", 12),
        ("-3", -3),
        ("+4", 4),
        ("0", 0),
        ("0x1F", 31),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("y", "y"),
        ("n", "n"),
        ("1.2.3", "1.2.3"),
        ("12 o'clock", "12 o'clock"),
        ("nope", "nope"),
        ("openai:gpt", "openai:gpt"),
    ],
)
def test_plain_scalars_follow_the_core_schema(text: str, value: object) -> None:
    found, odd = resolve(text)
    assert (found, type(found), odd) == (value, type(value), None)


@pytest.mark.parametrize(
    "text",
    ["no", "Yes", "ON", "off", "007", "-01", "0o7", "0b1", "1_000", "1:30", "190:20:30", "2026-11-22",
     "2026-13-45", "2026-11-22 10:00:00", ".nan", "-.inf", "9" * 20, "1e9999", "9" * 5_000],
)  # fmt: skip
def test_ambiguous_scalars_stay_text_and_are_odd(text: str) -> None:
    found, odd = resolve(text)
    assert found == text
    assert odd is not None
    assert "quotes" in odd.hint


def test_quoted_scalars_are_text() -> None:
    root = node('[\'no\', "1:30", "5"]')
    assert isinstance(root, Seq)
    assert root.plain_data() == ["no", "1:30", "5"]
    assert all(isinstance(i, Scalar) and i.odd is None for i in root.items)


def test_keys_and_values_know_their_place() -> None:
    root = node("# first\nname: x\nsteps:\n  - id: é\n    value: [1, {k: v}]\n")
    assert isinstance(root, Map)
    assert root.keys["steps"] == Spot(3, 1)
    step = root.entries["steps"].items[0]  # type: ignore[union-attr]  # a list
    assert isinstance(step, Map)
    assert step.entries["id"].start == Spot(4, 9)
    assert step.keys["value"] == Spot(5, 5)
    inner = step.entries["value"].items[1]  # type: ignore[union-attr]  # a list
    assert isinstance(inner, Map)
    assert inner.keys["k"] == Spot(5, 17)


def test_a_byte_order_mark_and_windows_lines_are_fine() -> None:
    root = parse(decode(b"\xef\xbb\xbfname: x\r\nsteps: []\r\n", "f"))
    assert root.plain_data() == {"name": "x", "steps": []}


def test_emoji_count_as_one_column() -> None:
    root = node('{a: "\U0001f600", b: 1}')
    assert isinstance(root, Map)
    assert root.keys["b"] == Spot(1, 10)


@pytest.mark.parametrize(
    "data,place,fragment",
    [
        (b"a: \xff", "1:4", "UTF-8"),
        (b"a: 1\nb: x\0", "2:5", "NUL"),
        (b"a: 1\nb: \x1b", "2:4", "\\x1b"),
        (b"a: 1\n---\nb: 1\n", "2:1", "second document"),
        (b"a: 'x\nb: 2\n", "1:4", "end of stream"),
        (b"a: &x 1\n", "1:4", "anchors"),
        (b"a: *x\n", "1:4", "aliases"),
        (b"a: !!int 5\n", "1:4", "`!!int`"),
        (b"{a: 1, a: 2}\n", "1:8", "there twice"),
        (b"a:\n\tb: 1\n", "2:1", "tab"),
        (b"a: @b\n", "1:4", "cannot start any token"),
        (b"a: {% if x %}\n", "1:4", "needs quotes"),
    ],
)
def test_hostile_texts(data: bytes, place: str, fragment: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse(decode(data, "f"))
    assert caught.value.line().startswith(f"f:{place}: ")
    assert fragment in caught.value.message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_bytes(tmp_path / "none", "none")
    with pytest.raises(InvalidError, match="directory"):
        read_bytes(tmp_path, "here")
    with pytest.raises(InvalidError, match="not a usable path"):
        read_bytes(Path("a\0b"), "a\0b")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidError, match="regular"):
        read_bytes(tmp_path / "pipe", "pipe", regular=True)
    if os.geteuid():
        (tmp_path / "closed").touch(mode=0)
        with pytest.raises(DeniedError):
            read_bytes(tmp_path / "closed", "closed")


def test_an_endless_file_is_read_no_further_than_allowed() -> None:
    with pytest.raises(InvalidError, match="larger than 1 MiB"):
        decode(read_bytes(Path("/dev/zero"), "zero"), "zero")
