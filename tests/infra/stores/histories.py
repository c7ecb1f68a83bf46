"""Events for the tests of stores: short to write, in scripts and at random."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from aethermind.domain import events as e
from aethermind.domain.errors import ErrorInfo
from aethermind.domain.usage import AT_MOST_RESERVED, Cost, Usage
from aethermind.domain.workflow import StepDef, Value, WorkflowDef

DAY = 86_400_000
T0 = 20_000 * DAY + 5_000
"""Five seconds into some UTC day."""
TOKENS = Usage(input_tokens=10, cached_input_tokens=4, output_tokens=5, reasoning_tokens=2)
FLOW = WorkflowDef(
    name="flow", description="A flow", steps=(StepDef(id="a", action=Value(value=1)),), source="f.yaml"
)


def on(run: str, *facts: e.AnyEvent, at: int = T0) -> list[e.Draft]:
    """Drafts for a run's stream, a millisecond apart."""
    return [e.Draft(f"run/{run}", at + n, fact) for n, fact in enumerate(facts)]


def system(*facts: e.AnyEvent, at: int = T0) -> list[e.Draft]:
    return [e.Draft("system", at + n, fact) for n, fact in enumerate(facts)]


def created(workflow: str = "flow", **fields: Any) -> e.RunCreated:
    return e.RunCreated(
        workflow=workflow,
        definition=FLOW,
        definition_hash="0123",
        inputs={},
        models={},
        submitter=e.Submitter(user="u", cwd="/w", interpreter="python"),
        **fields,
    )


def started(step: str = "a", attempt: int = 1, agent: str | None = None) -> e.AttemptStarted:
    return e.AttemptStarted(step=step, attempt=attempt, kind="prompt" if agent else "value", agent=agent)


def succeeded(step: str = "a", attempt: int = 1, output: Any = "done") -> e.AttemptSucceeded:
    return e.AttemptSucceeded(step=step, attempt=attempt, output=output)


def failed(step: str = "a", attempt: int = 1, message: str = "no") -> e.AttemptFailed:
    return e.AttemptFailed(step=step, attempt=attempt, error=error(message))


def lost(step: str = "a", attempt: int = 1) -> e.AttemptLost:
    return e.AttemptLost(step=step, attempt=attempt, resolution="ask")


def call(
    step: str = "a",
    attempt: int = 1,
    n: int = 1,
    *,
    model: str = "openai:big",
    agent: str | None = "writer",
    reserved: int | None = 500,
) -> e.CallStarted:
    provider, name = model.split(":")
    return e.CallStarted(
        step=step,
        attempt=attempt,
        call=n,
        key=f"{step}{n}",
        provider=provider,
        model=name,
        request={"messages": []},
        agent=agent,
        reserved_micro_usd=reserved,
    )


def answered(
    step: str = "a",
    attempt: int = 1,
    n: int = 1,
    *,
    cost: int | None = 100,
    usage: Usage | None = TOKENS,
    content_key: str | None = None,
    saved: int = 0,
) -> e.CallFinished:
    price = Cost() if cost is None else Cost(micro_usd=cost, source="config", saved_micro_usd=saved)
    return e.CallFinished(
        step=step,
        attempt=attempt,
        call=n,
        usage=usage,
        cost=price,
        text="hello",
        finish="stop",
        content_key=content_key,
    )


def refused(
    step: str = "a", attempt: int = 1, n: int = 1, *, cost: Cost | None = None, usage: Usage | None = None
) -> e.CallFailed:
    return e.CallFailed(step=step, attempt=attempt, call=n, error=error("429"), cost=cost, usage=usage)


def log(message: str = "hi", level: e.LogLevel = "info", **fields: Any) -> e.LogWritten:
    return e.LogWritten(level=level, message=message, **fields)


def error(message: str = "no") -> ErrorInfo:
    return ErrorInfo(kind="internal", message=message)


# --- at random ---------------------------------------------------------------------------------

_steps = st.sampled_from(["a", "b[0]", "g#1/c"])
_numbers = st.integers(1, 2)
_agents = st.sampled_from([None, "writer", "critic"])
_money = st.sampled_from([None, 0, 7, 500])
_usages = st.sampled_from([None, Usage(), Usage(input_tokens=3, output_tokens=2, cached_input_tokens=1)])
_costs = st.sampled_from(
    [
        Cost(),
        AT_MOST_RESERVED,
        Cost(micro_usd=0, source="local"),
        Cost(micro_usd=31, source="config"),
        Cost(micro_usd=17, source="config", saved_micro_usd=9),
        Cost(micro_usd=0, source="cache", saved_micro_usd=40),
    ]
)
_keys = st.sampled_from([None, "0a", "0b"])
_models = st.sampled_from(["openai:big", "sim:x"])
_outputs = st.one_of(st.none(), st.text(max_size=5), st.lists(st.integers(-9, 9)))


def _at_step(make: Any, **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(make, step=_steps, attempt=_numbers, **more)


facts: st.SearchStrategy[e.AnyEvent] = st.one_of(
    st.builds(created, st.sampled_from(["flow", "other"]), simulated=st.booleans(), budget_micro_usd=_money),
    st.builds(e.RunReopened, steps=st.just(("a",)), generation=st.just(2)),
    st.builds(e.RunPaused),
    st.builds(e.RunResumed),
    st.builds(e.CancelRequested, step=st.one_of(st.none(), st.sampled_from(["a", "b", "g"]))),
    st.builds(e.RunSucceeded, outputs=st.just({"x": 1})),
    st.builds(e.RunFailed, error=st.just(error())),
    st.builds(e.RunCancelled, reason=st.sampled_from(["", "asked"])),
    st.builds(e.StepSkipped, step=_steps, reason=st.just("when")),
    _at_step(e.AttemptStarted, kind=st.just("prompt"), agent=_agents),
    _at_step(e.AttemptStarted, kind=st.just("prompt"), agent=_agents),
    _at_step(e.AttemptSucceeded, output=_outputs),
    _at_step(e.AttemptFailed, error=st.just(error())),
    _at_step(e.AttemptCancelled, reason=st.sampled_from(["", "stop"])),
    _at_step(e.AttemptLost, resolution=st.just("ask")),
    _at_step(call, n=_numbers, model=_models, agent=_agents, reserved=_money),
    _at_step(call, n=_numbers, agent=_agents, reserved=_money),
    _at_step(answered, n=_numbers, usage=_usages, cost=_money, content_key=_keys),
    _at_step(refused, n=_numbers, cost=st.one_of(st.none(), _costs), usage=_usages),
    _at_step(e.AskOpened, about=st.sampled_from(["ask", "in_doubt", "tool"]), message=st.just("?")),
    st.builds(e.AskAnswered, step=_steps, values=st.just({"choice": "retry"}), by=st.just("me")),
    st.builds(e.AskExpired, step=_steps, policy=st.just("fail")),
    _at_step(
        e.BudgetHeld,
        scope=st.sampled_from(["run", "day", "guard"]),
        needed_micro_usd=st.just(9),
        available_micro_usd=st.just(1),
    ),
    st.builds(e.BudgetRaised, scope=st.just("run"), micro_usd=st.just(900)),
    st.builds(e.BudgetFreed, step=_steps, scope=st.just("day")),
    st.builds(
        log, st.sampled_from(["Alpha", "beta Ä"]), st.sampled_from(["debug", "info", "warning", "error"]),
        step=st.one_of(st.none(), _steps), metadata=st.sampled_from([{}, {"k": [1, None]}]),
    ),
    st.builds(e.StepExpanded, step=_steps),
)  # fmt: skip
system_facts: st.SearchStrategy[e.AnyEvent] = st.one_of(
    st.builds(
        e.WorkflowRegistered,
        name=st.sampled_from("vw"),
        definition=st.just(FLOW),
        definition_hash=st.just("1"),
    ),
    st.builds(e.WorkflowRemoved, name=st.sampled_from("vw")),
    st.builds(
        e.AgentRegistered,
        name=st.sampled_from(["writer", "other"]),
        definition=st.sampled_from(
            [{"name": "writer", "models": ["smart"]}, {"name": "other"}, {"logic": True}]
        ),
    ),
    st.builds(e.AgentRemoved, name=st.sampled_from(["writer", "other"])),
    st.builds(e.TrustGranted, path=st.sampled_from(["/p", "/q"]), sha256=st.sampled_from([None, "aa", "bb"])),
    st.builds(e.TrustRevoked, path=st.sampled_from(["/p", "/q"])),
    st.builds(
        e.TokenCreated,
        id=st.sampled_from(["aa", "bb"]),
        name=st.just("ci"),
        sha256=st.just("00"),
        scope=st.sampled_from(["viewer", "admin"]),
        expires_at=st.sampled_from([None, T0]),
        by=st.sampled_from(["", "ana via ssh"]),
    ),
    st.builds(e.TokenRevoked, id=st.sampled_from(["aa", "bb", "cc"])),
    st.builds(
        e.BudgetRaised,
        scope=st.sampled_from(["day/2024-10-05", "day:sim/2024-10-04", "week"]),
        micro_usd=st.just(900),
    ),
)

_times = st.integers(T0, T0 + 3 * DAY)
drafts: st.SearchStrategy[e.Draft] = st.one_of(
    st.builds(e.Draft, st.sampled_from(["run/r_1", "run/r_2", "run/r_22"]), _times, facts),
    st.builds(e.Draft, st.sampled_from(["run/r_1", "run/r_2", "run/r_22"]), _times, facts),
    st.builds(e.Draft, st.sampled_from(["system"]), _times, system_facts),
)
appends: st.SearchStrategy[list[list[e.Draft]]] = st.lists(
    st.lists(drafts, min_size=1, max_size=6), max_size=12
)
"""Appends of any events in any order: most fit no real run, and no store may mind."""
