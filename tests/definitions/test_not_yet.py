"""What this version reads and checks, but cannot do."""

from __future__ import annotations

import pytest

from aethermind.definitions import context
from tests.definitions.helpers import refused, workflow


@pytest.mark.parametrize(
    "line,what",
    [
        ("  - {id: a, prompt: hi, tools: [files]}\n", "tools"),
    ],
)
def test_not_yet(line: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(line).endswith("not in this version yet")
    monkeypatch.delitem(context.NOT_YET, what)
    workflow(line)


def test_what_is_not_there_yet_is_said_last() -> None:
    lines = '  - {id: a, prompt: hi, tools: [files]}\n  - {id: b, value: "{{ nope }}"}\n'
    assert "unknown name `nope`" in refused(lines)


def test_empty_forms_of_it_are_fine() -> None:
    workflow("  - {id: a, prompt: hi, tools: []}\n")


@pytest.mark.parametrize(
    "line,fragment",
    [
        ("ask: {mesage: x}", "unknown key `mesage`"),
        ("ask: {message: x, fields: {by: string}}", "cannot be the name of an answer"),
        ("ask: {message: x, fields: {a: strng}}", "is no type"),
        ("ask: {message: x, on_timeout: wait}", "cannot be 'wait'"),
        ("approval: x", "should be a mapping"),
        ("{prompt: x, tools: [{files: {write: maybe}}]}", "cannot be 'maybe'"),
        ("{prompt: x, tools: [hammer]}", "cannot be 'hammer'"),
        ("{prompt: x, tools: [{shell: ask, files: {}}]}", "exactly one of"),
        ("{prompt: x, tools: [{python: search}]}", "is no function"),
        ("{prompt: x, tools: [{mcp: {}}]}", "exactly one of `command` and `url`"),
        (
            "{prompt: x, tools: [{mcp: {command: [x], headers: {A: b}}}]}",
            "belongs to an MCP server with `url`",
        ),
        ("{prompt: x, tools: [{mcp: {url: x}}]}", "is no address"),
    ],
)
def test_it_is_checked_all_the_same(line: str, fragment: str) -> None:
    body = line.strip("{}") if line.startswith("{prompt") else line
    if line.startswith("{prompt"):
        body = line[1:-1]
    assert fragment in refused(f"  - {{id: a, {body}}}\n")
