"""What steps wait for: from their log lines, until anything says that it is over."""

from __future__ import annotations

from typing import Any

import pytest

from aethermind.domain.workflow import Prompt, StepDef, WorkflowDef
from aethermind.tui.held import Held
from aethermind.tui.rows.waits import Wait, Waits, brief, sentence
from tests.tui.fakes import FakeClient
from tests.tui.histories import T0, Script

UNTIL = T0 + 30_000
WAITS = {"waits": {"lane": "openai:gpt-5", "why": "rate_limit", "until": UNTIL}}


def begun() -> Script:
    script = Script(WorkflowDef(name="w", steps=(StepDef(id="a", action=Prompt(template="x")),)))
    script.begin(0, "a")
    return script


def of(script: Script, waits: Waits, at: int) -> Wait | None:
    return waits.of(script.run.nodes["a"], T0 + at)


def told(metadata: dict[str, Any], *, at: int = 1_000, attempt: int | None = 1) -> Waits:
    waits = Waits()
    waits.take(T0 + at, "a", attempt, metadata)
    return waits


def test_a_wait_lasts_until_its_time_is_up() -> None:
    script, waits = begun(), told(WAITS)
    assert of(script, waits, 2_000) == Wait(1, T0 + 1_000, "openai:gpt-5", "rate_limit", UNTIL)
    assert of(script, waits, 29_999) is not None
    assert of(script, waits, 30_000) is None


def test_without_an_end_it_lasts_until_the_call() -> None:
    script = begun()
    waits = told({"waits": {"lane": "openai:gpt-5", "why": "tokens", "until": None}})
    assert of(script, waits, 900_000) is not None
    script.call(910_000, "a")
    assert of(script, waits, 910_000) is None
    script.reply(920_000, "a", "done")
    assert of(script, waits, 920_000) is None, "a line that is read after the call is an old one"


def test_a_second_call_may_wait_as_well() -> None:
    script = begun()
    script.call(100, "a")
    script.reply(900, "a", "first")
    assert of(script, told(WAITS), 2_000) is not None


def test_another_attempt_and_a_step_that_is_over_wait_for_nothing() -> None:
    script = begun()
    assert of(script, told(WAITS, attempt=2), 2_000) is None
    script.succeed(1_500, "a", "x")
    assert of(script, told(WAITS), 2_000) is None


def test_an_older_line_does_not_take_the_place_of_a_newer() -> None:
    waits = told(WAITS, at=5_000)
    old = {"waits": {"lane": "openai:old", "why": "rate_limit", "until": UNTIL}}
    assert not waits.take(T0 + 1_000, "a", 1, old)
    found = of(begun(), waits, 6_000)
    assert found is not None
    assert found.lane == "openai:gpt-5"


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"waits": "long"},
        {"waits": {"lane": "openai:gpt-5", "why": "boredom", "until": UNTIL}},
        {"waits": {"lane": "openai:gpt-5", "why": ["rate_limit"], "until": UNTIL}},
        {"waits": {"lane": 7, "why": "rate_limit", "until": UNTIL}},
        {"waits": {"lane": "openai:gpt-5", "why": "rate_limit", "until": "soon"}},
        {"waits": {"lane": "openai:gpt-5", "why": "rate_limit", "until": True}},
    ],
)
def test_what_anybody_logs_is_no_wait(metadata: dict[str, Any]) -> None:
    assert len(told(metadata)) == 0


def test_words() -> None:
    wait = Wait(1, T0, "openai:\x1b[31mgpt", "rate_limit", T0 + 12_000)
    assert brief(wait, T0) == "waits 12s: rate limit"
    assert sentence(wait).startswith("it waits for openai:␛[31mgpt: the provider limits the rate, until ")
    assert brief(wait._replace(until=None, why="tokens"), T0) == "waits: tokens/min"
    assert sentence(wait._replace(until=None)).endswith("limits the rate")


# --- a run that is held --------------------------------------------------------------------------


def held_of(script: Script) -> Held:
    held = Held(script.run, now=lambda: script.now)
    held.logs_complete()
    held.take()
    return held


def test_a_line_that_comes_marks_its_row_and_the_next_event_ends_it() -> None:
    script = begun()
    held = held_of(script)
    script.log(1_000, "info", "waits for openai:gpt-5", step="a", attempt=1, metadata=WAITS)
    held.feed(script.history[-1])
    assert "a" in held.take()[0].nodes
    assert of(script, held.waits, 2_000) is not None
    script.call(3_000, "a")
    shown = Held(begun().run, now=lambda: T0)
    shown.logs_complete()
    shown.waits = held.waits
    shown.feed(script.history[-1])
    assert len(held.waits) == 0


async def test_stored_lines_tell_it_too() -> None:
    script = begun()
    script.log(1_000, "info", "waits for openai:gpt-5", step="a", attempt=1, metadata=WAITS)
    rows = [row for item in script.history if (row := FakeClient._log(item)) is not None]
    held = held_of(script)
    held.load_logs(rows)
    assert of(script, held.waits, 2_000) is not None
