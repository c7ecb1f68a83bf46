from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aethermind.engine.ports import ChildOutput
from aethermind.infra.children.local import LocalChildren
from aethermind.infra.children.output import LINE_LIMIT, Kept, Lines

CHUNKS = st.lists(
    st.lists(
        st.sampled_from([b"a", b"\n", b"\r", "ü".encode(), "𝄞".encode(), b"\xff", b"\xe2"]), max_size=8
    ).map(b"".join)
)


def shown(chunks: list[bytes], limit: int = LINE_LIMIT) -> list[str]:
    lines = Lines(limit)
    return [line for chunk in chunks for line in lines.add(chunk)] + list(lines.end())


@given(CHUNKS)
@example([b"a\r", b"\n", b"\n"])
@example([b"a\r", b"", b"\nb"])
def test_lines_do_not_depend_on_how_they_arrive(chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    assert shown(chunks) == [line.decode(errors="replace") for line in whole.splitlines()]


@given(CHUNKS, st.integers(4, 9))
def test_long_lines_come_in_pieces(chunks: list[bytes], limit: int) -> None:
    pieces = shown(chunks, limit)
    assert all(len(piece.encode()) <= limit for piece in pieces)
    valid = b"".join(chunks).replace(b"\xff", b"").replace(b"\xe2", b"")
    pieces = shown([valid[at : at + 3] for at in range(0, len(valid), 3)], limit)
    assert "".join(pieces) == valid.decode().replace("\n", "").replace("\r", "")


def test_a_character_that_grows_when_cleaned_keeps_the_limit() -> None:
    pieces = shown([b"\x9b\x1b\xc2\x9b" * 30], 64)
    assert all(len(piece.encode()) <= 64 for piece in pieces)
    assert "".join(pieces) == "\ufffd␛⟨U+009B⟩" * 30


def test_a_line_without_end_is_shown_before_it_ends() -> None:
    lines = Lines(8)
    assert list(lines.add(b"0123456")) == []
    assert list(lines.add(b"789abcdefghi")) == ["01234567", "89abcdef"]
    assert list(lines.end()) == ["ghi"]


@given(st.lists(st.binary(max_size=6)), st.integers(1, 10))
def test_what_is_kept(parts: list[bytes], limit: int) -> None:
    first, last = Kept(limit, "first"), Kept(limit, "last")
    for part in parts:
        first.add(part)
        last.add(part)
    whole = b"".join(parts)
    assert first.bytes() == whole[:limit]
    assert last.bytes() == whole[-limit:]
    assert first.truncated == last.truncated == (len(whole) > limit)


@given(st.text(), st.integers(1, 10))
def test_a_cut_does_not_tear_a_character(text: str, limit: int) -> None:
    data = text.encode(errors="replace")
    first, last = Kept(limit, "first"), Kept(limit, "last")
    first.add(data)
    last.add(data)
    assert data.decode().startswith(first.text())
    assert data.decode().endswith(last.text())
    for kept in (first, last):
        assert len(kept.text().encode()) > min(limit, len(data)) - 4


@pytest.mark.parametrize("limit", [1000, 100_000])
async def test_the_cap_of_output(tmp_path: Path, limit: int) -> None:
    """The first of standard output is kept, the last of standard error; the child is read to its end."""
    children = LocalChildren(output_limit=limit)
    script = "import sys\nfor n in range(40000): print(f'{n:06}'); print(f'{n:06}', file=sys.stderr)"
    count = 0

    def on_output(line: ChildOutput) -> None:
        nonlocal count
        count += 1

    result = await children.run(
        [sys.executable, "-I", "-c", script], cwd=str(tmp_path), env={}, stdin=None, on_output=on_output
    )
    await children.close()
    assert result.truncated
    assert result.exit_code == 0
    assert len(result.stdout) == len(result.stderr) == limit
    assert result.stdout.startswith("000000\n000001\n")
    assert result.stderr.endswith("039998\n039999\n")
    assert count == 80_000
