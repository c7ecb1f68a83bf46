"""Questions and tools: slips in what they say."""

from __future__ import annotations

import pytest

from tests.definitions.helpers import refused, workflow


def test_no_tools_are_fine() -> None:
    workflow("  - {id: a, prompt: hi, tools: []}\n")


@pytest.mark.parametrize(
    "line,fragment",
    [
        ("ask: {mesage: x}", "unknown key `mesage`"),
        ("ask: {message: x, fields: {by: string}}", "cannot be the name of an answer"),
        ("ask: {message: x, fields: {a: strng}}", "is no type"),
        ("ask: {message: x, on_timeout: wait}", "cannot be 'wait'"),
        (
            "ask: {message: x, fields: {a: integer}, on_timeout: default}",
            "`a` has no default for `on_timeout",
        ),
        ("ask: {message: x, on_timeout: default}", "`answer` has no default for `on_timeout"),
        ("approval: {message: x, on_timeout: default}", "cannot be 'default' (one of: fail, skip)"),
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
def test_slips(line: str, fragment: str) -> None:
    body = line.strip("{}") if line.startswith("{prompt") else line
    if line.startswith("{prompt"):
        body = line[1:-1]
    assert fragment in refused(f"  - {{id: a, {body}}}\n")
