"""Whatever a file holds: a workflow, or one error with its place. Nothing else, and soon."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aethermind.definitions.data import data_dir
from aethermind.definitions.loader import load_text
from aethermind.domain.errors import InvalidError
from tests.definitions.test_contract_example import EXAMPLE

BROKEN = Path(__file__).parent.parent / "broken"
SEEDS = [
    EXAMPLE.encode(),
    *(p.read_bytes() for p in sorted(data_dir("sample_workflows").glob("*.yaml"))),
    *(p.read_bytes() for p in sorted(BROKEN.glob("*.yaml"))),
]
TOKENS = [
    *b"{{ | }}|{% for x in y %}|{% endfor %}|- |: |\n|\n  |\t|[|]|{|}|>\n|&a |*a ".split(b"|"),
    *b"!!str |'|\"|\\|#|? |<<: |---\n|...\n|\r\n|\r|\x00|\xff".split(b"|"),
    *b"\xed\xa0\x80|\xe2\x80\xae|\xf0\x9f\x98\x80|\xc2\x85|\xe2\x80\xa8".split(b"|"),
    *b"null|no|1:30|007|.nan|1e999|string?|$ref|type|pattern|(a+)+|{file: x}|timeout|retry".split(b"|"),
    *b"id|steps|prompt|run|when|for_each|repeat|output|inputs.x|item|previous|agent|with|env".split(b"|"),
    b"|\n",
    b"a|b",
]


def outcome(data: bytes) -> InvalidError | None:
    try:
        msgspec.json.encode(load_text(data, "f.yaml"))
    except InvalidError as error:
        return error
    return None


def check(data: bytes) -> None:
    before = time.thread_time()
    error = outcome(data)
    assert time.thread_time() - before < 5, "seconds of CPU, generously"
    if error is not None:
        assert error.line_no is not None
        assert error.line_no >= 1
        assert error.column is not None
        assert error.column >= 1
        assert len(error.line().splitlines()) == 1
        assert error.line().isprintable()
        error.line().encode()


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real file with a few cuts, doubles and foreign pieces."""
    data = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 40)))
        piece = draw(
            st.one_of(
                st.sampled_from(TOKENS), st.just(b""), st.just(data[start:end] * 2), st.binary(max_size=4)
            )
        )
        data = data[:start] + piece + data[end:]
    return data


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutated())
def test_mutated_files(data: bytes) -> None:
    check(data)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(TOKENS), max_size=60).map(b"".join))
@example(b"")
@example(b"\xef\xbb\xbf")
@example(b"? a")
@example(b"{[a]: 1}")
@example(b"name: x\nsteps: [{id: a, value: }]")
def test_piled_up_pieces(data: bytes) -> None:
    check(data)
    check(b"name: x\nsteps:\n  - id: a\n    prompt: " + data)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text_as_a_template(text: str) -> None:
    quoted = msgspec.json.encode(text).decode()
    check(f"name: x\nsteps:\n  - id: a\n    value: {quoted}\n    when: {quoted}\n".encode("utf-8", "replace"))
    check(
        b"name: x\nsteps:\n  - {id: a, value: 1}\noutputs: {o: '{{ "
        + text.encode("utf-8", "replace")
        + b" }}'}\n"
    )
