"""Replies that were recorded, as a script of the simulated provider: the same prompts give the same run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from aethermind.definitions.loader import parse_sim
from aethermind.definitions.source import decode
from aethermind.domain.errors import InvalidError, ProviderError
from aethermind.domain.run import Run
from aethermind.domain.workflow import Prompt, StepDef, Value, WorkflowDef
from aethermind.engine.ports import CallContext, ChatRequest, Message
from aethermind.infra import bundle, recorded
from aethermind.infra.providers.sim_script import prompt_digest
from aethermind.infra.providers.simulated import SimulatedProvider
from aethermind.infra.secrets import redact
from tests.engine.harness import Harness, workflow
from tests.engine.talker import Hand, Talker, agent, table
from tests.servers.peers import ask, collect, text_of

GOLDEN = Path(__file__).parent.parent / "migrations" / "golden"
KEY = "sk-abcdefghijklmnopqrstuvwx"


def loaded(run: Run, steps: set[str] | None = None) -> dict[str, Any]:
    """The script, written and read as a file beside a workflow is."""
    return parse_sim(decode(recorded.script(run, redact=redact).encode(), "w.sim.yaml"), steps)


async def again(definition: WorkflowDef, sim: dict[str, Any], tmp_path: Path, **inputs: Any) -> Run:
    async with Harness(cwd=tmp_path) as h:
        return await h.run(definition, inputs, sim=sim)


# --- whole runs --------------------------------------------------------------------------------


async def test_a_recorded_run_runs_again_without_its_models(tmp_path: Path) -> None:
    """Fan-out, loop, a reply that had to be repaired, calls that had failed."""
    run = bundle.read(GOLDEN / "0.1.0-everyday.jsonl").run
    sim = loaded(run, {"plan", "sections", "extra", "polish", "polish/text", "polish/judge", "words", "file"})
    assert set(sim["steps"]) == {
        "plan",
        "sections[0]",
        "sections[1]",
        "sections[2]",
        "polish#1/text",
        "polish#1/judge",
        "polish#2/text",
        "polish#2/judge",
    }
    assert len(sim["steps"]["plan"]["replies"]) == 2
    assert sim["steps"]["polish#1/judge"]["reply"] == {"score": 5}, "JSON is written as such"
    replay = await again(run.definition, sim, tmp_path, **run.created.inputs)
    assert replay.status == "succeeded"
    assert replay.outputs == run.outputs
    for path, node in run.nodes.items():
        assert replay.nodes[path].output == node.output, path
    calls = [call for node in replay.nodes.values() for attempt in node.attempts for call in attempt.calls]
    assert all(call.status == "succeeded" for call in calls), "failed calls are not repeated"
    assert replay.tally.usage.output_tokens <= run.tally.usage.output_tokens


async def test_a_prompt_that_has_changed_fails_its_step_and_says_so(tmp_path: Path) -> None:
    run = bundle.read(GOLDEN / "0.1.0-everyday.jsonl").run
    replay = await again(run.definition, loaded(run), tmp_path, topic="glaciers")
    assert (replay.status, replay.error_step) == ("failed", "plan")
    assert replay.error is not None
    assert replay.error.kind == "bad_request"
    assert replay.error.message == (
        "no recorded reply fits step plan: its prompt has changed since it was recorded"
    )
    assert "export RUN --sim" in (replay.error.hint or "")
    assert len(replay.nodes["plan"].attempts) == 1, "a retry could not help"


async def test_an_answer_from_the_record_is_a_reply_like_any_other() -> None:
    definition = workflow(StepDef(id="a", action=Prompt(template="go", models=("smart",)), cache=True))
    async with Harness() as h:
        await h.run(definition, sim={"steps": {"a": "gone"}})
        run = await h.run(definition, sim={"steps": {"a": "gone"}})
    assert run.tally.usage.total_tokens == 0
    entry = loaded(run)["steps"]["a"]
    assert (entry["reply"], "usage" in entry) == ("gone", False)


async def test_no_answer_of_before_hides_that_a_prompt_has_changed() -> None:
    def asks(words: str) -> WorkflowDef:
        return workflow(StepDef(id="a", action=Prompt(template=words, models=("smart",)), cache=True))

    async with Harness() as h:
        run = await h.run(asks("go"), sim={"steps": {"a": "gone"}})
        await h.run(asks("go away"))
        sim = loaded(run)
        assert (await h.run(asks("go"), sim=sim)).outputs == {"a": "gone"}
        changed = await h.run(asks("go away"), sim=sim)
        assert changed.error is not None
        assert "its prompt has changed" in changed.error.message


async def test_secrets_stay_and_what_follows_from_them_still_fits(tmp_path: Path) -> None:
    definition = workflow(
        StepDef(id="a", action=Prompt(template="go", models=("smart",))),
        StepDef(id="b", action=Prompt(template="You said: {{ a }}", models=("smart",)), references=("a",)),
    )
    run = await again(definition, {"steps": {"a": f"the key {KEY}", "b": "fine"}}, tmp_path)
    assert run.nodes["a"].output == f"the key {KEY}"
    text = recorded.script(run, redact=redact)
    assert KEY not in text
    replay = await again(definition, loaded(run), tmp_path)
    assert replay.outputs == {"b": "fine"}


async def test_a_run_without_replies_gives_no_script(tmp_path: Path) -> None:
    run = await again(workflow(StepDef(id="v", action=Value(value=1))), {}, tmp_path)
    with pytest.raises(InvalidError, match="has no reply of a model"):
        recorded.script(run, redact=redact)


async def test_a_script_that_could_not_be_read_is_not_written(tmp_path: Path) -> None:
    definition = workflow(StepDef(id="a", action=Prompt(template="go", models=("smart",)), for_each=[1, 2]))
    run = await again(definition, {"steps": {"a": "word " * 120_000}}, tmp_path)
    with pytest.raises(InvalidError, match="at most 1 MiB") as caught:
        recorded.script(run, redact=redact)
    assert "--limit" in (caught.value.hint or "")


ODD = [
    "",
    " lead\nand trail ",
    "\n",
    "two\nlines\n",
    "blank at the end\n\n",
    "tab\there\nand",
    "\x1b[2J\nescape",
    "yes",
    "1:30",
    "0o7",
    "2026-11-22",
    "\u2028 é\u0085\r\n😀",
    "# no comment\n- no list\n---\n...",
    '{"a": 1.0, "no": [null, true, "1:30"], "deep": {"x y": "z\\n"}}',
    '{"a":1}',
    '{"a": 1, "a": 2}',
    "[1, 2]",
    "[" * 50 + "]" * 50,
    '{"big": 123456789012345678901234567890}',
    "{broken",
    "x" * 300 + " y\nz",
]


@pytest.mark.parametrize("reply", ODD)
async def test_a_reply_comes_back_to_the_letter(reply: str, tmp_path: Path) -> None:
    definition = workflow(StepDef(id="a", action=Prompt(template="go", models=("smart",))))
    run = await again(definition, {"steps": {"a": {"reply": reply}}}, tmp_path)
    assert run.nodes["a"].output == reply
    replay = await again(definition, loaded(run), tmp_path)
    assert replay.nodes["a"].output == reply


# --- the provider ------------------------------------------------------------------------------


def call(entry: dict[str, Any], prompt: str, *, attempt: int = 1, step: str = "plan") -> ChatRequest:
    context = CallContext(step=step, sim={"steps": {step: entry}}, attempt=attempt)
    return msgspec.structs.replace(ask(context=context), instructions="Be brief.", messages=(user(prompt),))


def user(text: str) -> Message:
    return Message(role="user", content=text)


def digest(prompt: str) -> str:
    return prompt_digest("Be brief.", [("user", prompt)])


async def reply(request: ChatRequest) -> str:
    return text_of(await collect(SimulatedProvider(), request))


async def test_a_reply_is_given_to_its_prompt_alone() -> None:
    entry = {"reply": "yes", "prompt_digest": digest("now?")}
    assert await reply(call(entry, "now?")) == "yes"
    with pytest.raises(ProviderError) as caught:
        await reply(call(entry, "later?", step="deep/plan"))
    assert caught.value.info.kind == "bad_request"
    assert not caught.value.info.retryable
    assert "deep/plan" in caught.value.info.message
    assert await reply(call({"reply": "yes"}, "later?")) == "yes"


async def test_of_several_the_one_that_fits_wherever_it_stands() -> None:
    entry = {"replies": ["1", "2", "again"], "prompt_digest": [digest("a"), digest("b"), digest("a")]}
    assert await reply(call(entry, "b", step="sections[7]")) == "2"
    assert await reply(call(entry, "a")) == "1"
    assert await reply(call(entry, "a", attempt=2)) == "again"
    assert await reply(call(entry, "a", attempt=9)) == "again"
    with pytest.raises(ProviderError):
        await reply(call(entry, "c"))


def test_a_digest_depends_on_instructions_roles_and_texts() -> None:
    base = prompt_digest("s", [("user", "t")])
    assert base == prompt_digest("s", [("user", "t")])
    others = {
        prompt_digest("x", [("user", "t")]),
        prompt_digest("s", [("assistant", "t")]),
        prompt_digest("s", [("user", "x")]),
        prompt_digest("s", [("user", "t"), ("user", "t")]),
    }
    assert len(others) == 4
    assert base not in others
    assert prompt_digest("", [("user", KEY)]) == prompt_digest("", [("user", "[redacted]")])


# --- what is wrong with a script ---------------------------------------------------------------


@pytest.mark.parametrize(
    "entry, fragment",
    [
        ('{prompt_digest: "0f"}', "a text beside `reply`"),
        ("{reply: x, prompt_digest: 12}", "a text beside `reply`"),
        ('{reply: x, prompt_digest: ["0f"]}', "a text beside `reply`"),
        ('{replies: [x, y], prompt_digest: ["0f"]}', "one for each of `replies`"),
        ('{replies: [x], prompt_digest: "0f"}', "one for each of `replies`"),
        ("{replies: [x], prompt_digest: [7]}", "one for each of `replies`"),
    ],
)
def test_a_digest_that_fits_no_reply_is_an_error_of_the_file(entry: str, fragment: str) -> None:
    with pytest.raises(InvalidError, match=fragment) as caught:
        parse_sim(decode(f"steps: {{plan: {entry}}}".encode(), "w.sim.yaml"))
    assert caught.value.line().startswith("w.sim.yaml:1:")


async def test_a_conversation_with_tools_is_recorded_turn_by_turn(tmp_path: Path) -> None:
    hand = Hand()
    talker = Talker([("look", {"what": "no"}), ("change", {"to": "new"})], [("look", {"what": "12"})], "done")
    async with table(hand, tmp_path, talker) as h:
        run = await h.run(agent(hand, h))
    assert loaded(run)["steps"] == {
        "a": {
            "replies": [
                {
                    "tools": [
                        {"name": "look", "arguments": {"what": "no"}},
                        {"name": "change", "arguments": {"to": "new"}},
                    ]
                },
                {"tools": [{"name": "look", "arguments": {"what": "12"}}]},
                "done",
            ]
        }
    }
