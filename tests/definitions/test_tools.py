"""The `tools:` of agents and steps: what they become, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from aethermind.definitions.loader import LoadedWorkflow
from tests.definitions.helpers import load, refusal

HEAD = "name: t\nagents:\n  a:\n    tools:\n"
TAIL = "steps: [{id: s, agent: a, prompt: hi}]\n"
LIMITS = {"timeout_ms": 120_000}


def loaded(*lines: str) -> LoadedWorkflow:
    return load(HEAD + "".join(f"      - {line}\n" for line in lines) + TAIL)


def read(*lines: str) -> tuple[Any, ...]:
    return loaded(*lines).definition.agents["a"].tools


@pytest.mark.parametrize(
    "line,tool",
    [
        ("files", {"files": {"read": "always", "write": "ask"}}),
        ("files: {}", {"files": {"read": "always", "write": "ask"}}),
        ("files: {read: ask, write: never}", {"files": {"read": "ask", "write": "never"}}),
        ("files: {root: ./docs//x/}", {"files": {"read": "always", "write": "ask", "root": "docs/x"}}),
        ("shell", {"shell": {"approve": "ask", "max_output": 65536, **LIMITS}}),
        ("shell: always", {"shell": {"approve": "always", "max_output": 65536, **LIMITS}}),
        (
            "shell: {timeout: 10m, max_output: 5000, allowed: [[pytest], [git, diff]]}",
            {
                "shell": {
                    "approve": "ask",
                    "timeout_ms": 600_000,
                    "max_output": 5000,
                    "allowed": [["pytest"], ["git", "diff"]],
                }
            },
        ),
        ("python: m:f", {"python": {"call": "m:f", "approve": "always", "effect": "command", **LIMITS}}),
        (
            "python: {call: a.b:c.d, approve: ask, effect: pure, timeout: 5s}",
            {"python": {"call": "a.b:c.d", "approve": "ask", "effect": "pure", "timeout_ms": 5_000}},
        ),
        (
            "mcp: {command: [uvx, x], env: {TOKEN: $TOKEN, MODE: fast}, cwd: sub, allowed: [fetch]}",
            {
                "mcp": {
                    "command": ["uvx", "x"],
                    "env": {"TOKEN": "$TOKEN", "MODE": "fast"},
                    "cwd": "sub",
                    "allowed": ["fetch"],
                    "approve": "ask",
                    **LIMITS,
                }
            },
        ),
        ("mcp: {command: [x]}", {"mcp": {"command": ["x"], "env": {}, "approve": "ask", **LIMITS}}),
        (
            "mcp: {url: 'https://h/mcp?team=a', headers: {Authorization: $AUTH, X-Team: a}, approve: always}",
            {
                "mcp": {
                    "url": "https://h/mcp?team=a",
                    "headers": {"Authorization": "$AUTH", "X-Team": "a"},
                    "approve": "always",
                    **LIMITS,
                }
            },
        ),
    ],
)
def test_what_they_become(line: str, tool: Any) -> None:
    assert read(line) == (tool,)


@pytest.mark.parametrize(
    "line,column,words",
    [
        ("hammer", 9, "cannot be 'hammer'"),
        ("fils", 9, "did you mean `files`?"),
        ("python", 9, "cannot be 'python'"),
        ("{files: {}, shell: ask}", 9, "exactly one of"),
        ("fils: {}", 9, "did you mean `files`?"),
        ("files: {wirte: ask}", 17, "did you mean `write`?"),
        ("files: {write: maybe}", 24, "one of: always, ask, never"),
        ("files: {root: ../x}", 23, "no `..`"),
        ("files: {root: /etc}", 23, "below the working directory"),
        ("shell: sometimes", 16, "cannot be 'sometimes'"),
        ("shell: {timeout: 5}", 26, "has no unit"),
        ("shell: {timeout: 0s}", 26, "cannot be 0"),
        ("shell: {max_output: 5}", 29, "at least 1000"),
        ("shell: {allowed: [pytest]}", 27, "should be a list"),
        ("shell: {allowed: []}", 26, "empty list"),
        ("shell: {allowed: [[]]}", 27, "empty list"),
        ("shell: {alowed: [[x]]}", 17, "did you mean `allowed`?"),
        ("python: search", 17, "write module:function"),
        ("python: {call: 'a b'}", 24, "is no function"),
        ("python: {approve: ask}", 17, "has no `call`"),
        ("python: {call: m:f, effect: none}", 37, "one of: command, network, pure, read, write"),
        ("mcp: {}", 14, "exactly one of `command` and `url`"),
        ("mcp: {command: [x], url: 'http://x'}", 14, "exactly one of `command` and `url`"),
        ("mcp: {command: x}", 24, "should be a list"),
        ("mcp: {command: [x], headers: {A: b}}", 29, "belongs to an MCP server with `url`"),
        ("mcp: {url: 'http://x', env: {A: b}}", 32, "belongs to an MCP server with `command`"),
        ("mcp: {url: 'http://x', cwd: a}", 32, "belongs to an MCP server with `command`"),
        ("mcp: {command: [x], cwd: /tmp}", 34, "below the working directory"),
        ("mcp: {url: x}", 20, "is no address"),
        ("mcp: {url: 'htps://x'}", 20, "did you mean `https`?"),
        ("mcp: {url: 'http:///mcp'}", 20, "is no address"),
        ("mcp: {url: 'http://x:99999/'}", 20, "is no address"),
        ("mcp: {url: 'https://me:pw@host/mcp'}", 20, "a password does not belong"),
        ("mcp: {url: 'https://host/mcp?api_key=1'}", 20, "a secret does not belong"),
        ("mcp: {command: [x], env: {'A B': c}}", 35, "no name of a variable"),
        ("mcp: {command: [x], env: {A: $B C}}", 38, "names no variable"),
        ("mcp: {command: [x], env: {GITHUB_TOKEN: abc}}", 49, "take it from the environment: $NAME"),
        ("mcp: {command: [x], env: {DB_PASSWORD: abc}}", 48, "`DB_PASSWORD` is a secret"),
        ("mcp: {command: [x], env: {A: sk-abcdefghijklmnopqrstuvwxyz}}", 38, "looks like a secret"),
        (
            "mcp: {url: 'http://x', headers: {Authorization: Bearer $TOKEN}}",
            57,
            "$NAME has to be the whole value",
        ),
        ("mcp: {url: 'http://x', headers: {X-Api-Key: abc}}", 53, "is a secret"),
        ("mcp: {url: 'http://x', headers: {'X Y': abc}}", 42, "no name of a header"),
        ('mcp: {url: "http://x", headers: {X: "a\\nB: c"}}', 45, "control character"),
        ("mcp: {url: 'http://x', allowed: []}", 41, "empty list"),
    ],
)
def test_every_mistake_is_found_at_its_place(line: str, column: int, words: str) -> None:
    error = refusal(HEAD + f"      - {line}\n" + TAIL)
    assert words in error.line()
    assert error.line_no == 5
    assert error.column == column


@pytest.mark.parametrize(
    "lines", [("shell", "shell: ask"), ("files", "files: {root: a}"), ("python: m:f",) * 2]
)
def test_none_is_there_twice(lines: tuple[str, str]) -> None:
    error = refusal(HEAD + "".join(f"      - {line}\n" for line in lines) + TAIL)
    assert "twice" in error.line()
    assert error.line_no == 6


def test_several_functions_and_servers_are_fine() -> None:
    tools = read("python: m:f", "python: m:g", "mcp: {command: [x]}", "mcp: {command: [x, y]}")
    assert len(tools) == 4


@pytest.mark.parametrize(
    "line,needs",
    [
        ("files", []),
        ("files: {write: always}", ["agent `a` may write files unasked"]),
        ("shell", ["agent `a` may use the shell"]),
        ("shell: never", []),
        ("shell: {approve: never}", []),
        ("shell: {allowed: [[git, diff]]}", ["agent `a` may use the shell for git diff"]),
        ("python: m:f", ["agent `a` may call Python `m:f`"]),
        ("mcp: {command: [x, y]}", ["agent `a` starts the MCP server `x y`"]),
        ("mcp: {url: 'http://x/mcp'}", ["agent `a` may use the MCP server http://x/mcp"]),
    ],
)
def test_what_needs_trust(line: str, needs: list[str]) -> None:
    assert list(loaded(line).needs_trust) == needs


def test_names_of_the_environment_join_the_others() -> None:
    found = loaded(
        "mcp: {command: [x], env: {A: $B, C: literal}}",
        "mcp: {url: 'http://x', headers: {Authorization: $D}}",
    )
    assert found.env_names == ("B", "D")


def test_tools_right_on_a_step() -> None:
    found = load("name: t\nsteps:\n  - {id: s, prompt: hi, tools: [files, shell: ask]}\n")
    (step,) = found.definition.steps
    assert [next(iter(tool)) for tool in step.action.tools] == ["files", "shell"]  # type: ignore[union-attr]  # a prompt
    assert found.needs_trust == ("step `s` may use the shell",)
