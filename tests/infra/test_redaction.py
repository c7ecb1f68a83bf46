"""What is looked through for secrets, and what a replay lives on."""

from __future__ import annotations

from typing import Any

import pytest

from aethermind.domain import events as e
from aethermind.domain.errors import ErrorInfo
from aethermind.domain.usage import Cost, Usage
from aethermind.domain.workflow import AgentDef, Command, Group, Prompt, StepDef, WorkflowDef
from aethermind.infra import secrets
from aethermind.infra.redaction import Redaction, concealed, learn_environment
from aethermind.infra.secrets import redact

KEY = "sk-abcdefghijklmnopqrstuvwx"


def pass_over(event: e.AnyEvent) -> tuple[Any, int]:
    """The event without its secrets, and how many texts were changed."""
    redaction = Redaction(redact)
    item = redaction.recorded(e.Recorded(1, "run/r", 1, 0, event))
    return item.event, redaction.count


def test_an_event_without_secrets_stays_the_same_object() -> None:
    event = e.AttemptSucceeded(step="a", attempt=1, output={"deep": [1, {"x": "y"}]}, saved="f.md")
    item = e.Recorded(1, "run/r", 1, 0, event)
    redaction = Redaction(redact)
    assert redaction.recorded(item) is item
    assert redaction.count == 0


@pytest.mark.parametrize(
    "event",
    [
        e.AttemptSucceeded(step="a", attempt=1, output=f"key {KEY}."),
        e.AttemptSucceeded(step="a", attempt=1, output={"a": [{"b": (KEY,)}]}),
        e.AttemptSucceeded(step="a", attempt=1, output={KEY: 1}),
        e.AttemptSucceeded(step="a", attempt=1, output=1, result={"stderr": KEY}),
        e.AttemptFailed(
            step="a", attempt=1, error=ErrorInfo(kind="auth", message=f"refused {KEY}", detail="x")
        ),
        e.CallStarted(
            step="a", attempt=1, call=1, key="k", provider="p", model="m",
            request={"messages": [{"role": "user", "content": KEY}]},
        ),
        e.CallFinished(
            step="a", attempt=1, call=1, usage=Usage(), cost=Cost(), text=KEY, finish="stop"
        ),
        e.CallFailed(
            step="a", attempt=1, call=1, error=ErrorInfo(kind="server", message="500"), text=f"so far {KEY}"
        ),
        e.ToolStarted(
            step="a", attempt=1, call=1, tool_call_id="1", tool="shell", arguments={"argv": ["curl", KEY]}
        ),
        e.AskAnswered(step="a", values={"token": KEY}, by="ada"),
        e.StepExpanded(step="a", items=({"url": f"https://u:{KEY}@h/"},), digests=("d",)),
        e.LogWritten(level="info", message=f"Authorization: Bearer {KEY}"),
        e.LogWritten(level="info", message="x", metadata={"seen": [KEY]}),
        e.RunSucceeded(outputs={"report": KEY}),
        e.RunCancelled(reason=KEY),
    ],
)  # fmt: skip
def test_a_key_leaves_from_wherever_it_stands(event: e.AnyEvent) -> None:
    found, count = pass_over(event)
    assert KEY not in str(found)
    assert "[redacted]" in str(found)
    assert count == 1
    assert type(found) is type(event)


def test_a_definition_is_looked_through_and_stays_a_definition() -> None:
    definition = WorkflowDef(
        name="w",
        agents={"writer": AgentDef(name="writer", models=("smart",), instructions=f"use {KEY}")},
        steps=(
            StepDef(
                id="g",
                action=Group(steps=(StepDef(id="p", action=Prompt(template=KEY, agent="writer")),)),
            ),
            StepDef(
                id="c", action=Command(argv=("curl", KEY), env={"API_KEY": "$API_KEY"}), depends_on=("g",)
            ),
        ),
    )
    event = e.RunCreated(
        workflow="w",
        definition=definition,
        definition_hash="0f",
        inputs={"question": "?", "secret": "of three letters: abc"},
        models={"smart": ("openai:gpt",)},
        submitter=e.Submitter(user="ada", cwd="/w", interpreter="python", env_names=("API_KEY",)),
        sim={"steps": {"p": KEY}},
    )
    found, count = pass_over(event)
    assert KEY not in str(found)
    assert count == 5  # instructions, template, argv, the input called secret, the script
    assert found.inputs == {"question": "?", "secret": "[redacted]"}
    group, command = found.definition.steps
    assert group.action.steps[0].action.agent == "writer"
    assert (command.needs, command.action.env) == (("g",), {"API_KEY": "$API_KEY"})
    assert found.models == event.models
    assert found.submitter == event.submitter


def test_what_a_replay_lives_on_is_left_even_where_it_looks_like_a_key() -> None:
    odd = "ghp_abcdefghijklmnopqrstuvwx"  # an id that a step may have
    assert redact(odd) != odd
    event = e.CallStarted(
        step=odd, attempt=1, call=1, key=odd, provider=odd, model=odd, request={}, agent=odd
    )
    assert pass_over(event) == (event, 0)
    reopened = e.RunReopened(steps=(odd,), generation=2, by="ada")
    assert pass_over(reopened) == (reopened, 0)


@pytest.mark.parametrize(
    "name",
    ["password", "API_KEY", "db-password", "clientSecret", "x_api_key", "Authorization", "refresh_token"],
)
def test_texts_below_telling_names_leave_whatever_they_look_like(name: str) -> None:
    found, count = pass_over(e.RunSucceeded(outputs={"a": {name: "hunter2", "other": "stays"}}))
    assert found.outputs["a"] == {name: "[redacted]", "other": "stays"}
    assert count == 1


def test_numbers_and_counts_of_tokens_stay() -> None:
    usage = {"input_tokens": 5, "tokens": 7, "token": None, "password": 12}
    found, count = pass_over(e.RunSucceeded(outputs=usage))
    assert (found.outputs, count) == (usage, 0)


# --- before it is recorded ---------------------------------------------------------------------


def test_only_exact_values_are_taken_out_before_something_is_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(secrets, "_registry", secrets._Registry())
    secrets.remember("loaded-value-4711")
    plain = e.AttemptSucceeded(step="a", attempt=1, output={"password": "of mine", "key": KEY})
    assert concealed(plain) is plain
    event = e.CallFinished(
        step="loaded-value-4711", attempt=1, call=1, usage=Usage(), cost=Cost(), finish="stop",
        text=f"{KEY} loaded-value-4711", content_key="abc",
    )  # fmt: skip
    found = concealed(event)
    assert isinstance(found, e.CallFinished)
    assert found.text == f"{KEY} [redacted]"
    assert (found.step, found.content_key) == ("loaded-value-4711", "abc"), "a replay lives on it"


@pytest.mark.parametrize(
    "name, value, secret",
    [
        ("DEPLOY_TOKEN", "q7w8e9r0t1y2u3i4", True),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", True),
        ("ANYTHING", "ghp_abcdefghijklmnopqrstuvwxyz0123456789", True),
        ("DATABASE_URL", "postgresql://u:pass-4711-word@db/x", True),
        ("DB_PASSWORD", "postgres", False),
        ("TOKEN", "a word or two with 42 in it", False),
        ("SSL_KEY", "/etc/ssl/private/host-4711.pem", False),
        ("AUTH_TOKEN", "https://login.example.com/v1/token", False),
        ("KEY_VAULT_NAME", "production-east-1", False),
        ("KEYBOARD", "a0b1c2d3e4f5g6h7", False),
    ],
)
def test_what_of_the_environment_is_a_secret(
    name: str, value: str, secret: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "_registry", secrets._Registry())
    learn_environment({name: value, "SHELL": "/bin/sh"})
    assert (secrets.conceal(value) != value) is secret
    assert secrets.conceal("/bin/sh") == "/bin/sh"
