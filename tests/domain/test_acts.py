"""Which events are acts of people, and how they are told."""

from __future__ import annotations

import pytest

from aethermind.domain import acts
from aethermind.domain import events as e
from aethermind.domain.acts import Act
from tests.infra.stores.histories import FLOW, created

RUN = "run/r_1"


@pytest.mark.parametrize(
    "event, told",
    [
        (created(), Act("run", "u", "cli", "r_1", "flow")),
        (created(simulated=True), Act("run", "u", "cli", "r_1", "flow, simulated")),
        (created(by="token ci via 10.0.0.7"), Act("run", "token ci", "10.0.0.7", "r_1", "flow")),
        (created(by="ana"), Act("run", "ana", "cli", "r_1", "flow")),
        (created(forked_from="r_0"), Act("fork", "u", "cli", "r_1", "flow, from r_0")),
        (created(tags={"imported": "ab"}), Act("import", "", "local", "r_1", "flow")),
        (
            created(tags={"imported": "ab"}, forked_from="r_0", by="ana via tui"),
            Act("fork", "ana", "tui", "r_1", "flow, from r_0"),
        ),
        (
            created(tags={"imported": "ab", "imported_events": "3"}, forked_from="r_theirs"),
            Act("import", "", "local", "r_1", "flow"),
        ),
        (e.RunPaused(by="ana", reason="lunch"), Act("pause", "ana", "local", "r_1", "lunch")),
        (e.RunResumed(by="ana via tui"), Act("resume", "ana", "tui", "r_1", "")),
        (e.RunReopened(steps=("a", "b"), generation=1), Act("retry", "", "local", "r_1", "a, b")),
        (e.CancelRequested(by="ana"), Act("cancel", "ana", "local", "r_1", "")),
        (e.BudgetRaised(scope="run", micro_usd=5), Act("budget", "", "local", "r_1", "5 micro-USD")),
        (
            e.DefinitionAdopted(definition=FLOW, definition_hash="ab", kept=(), by="x via y via z"),
            Act("resume --edited", "x via y", "z", "r_1", "definition ab"),
        ),
        (
            e.AskAnswered(step="ok", values={"approved": True}, by="ben"),
            Act("approve", "ben", "local", "r_1/ok", ""),
        ),
        (
            e.AskAnswered(step="ok", values={"approved": False, "note": "my password"}, by="ben"),
            Act("reject", "ben", "local", "r_1/ok", "note"),
        ),
        (
            e.AskAnswered(step="a", values={"choice": "retry", "why": "secret words"}, by="ben"),
            Act("answer", "ben", "local", "r_1/a", "choice=retry, why"),
        ),
    ],
)
def test_acts_on_runs(event: e.AnyEvent, told: Act) -> None:
    assert acts.of(RUN, event) == told


@pytest.mark.parametrize(
    "event, told",
    [
        (
            e.TokenCreated(id="a1", name="ci", sha256="f00", scope="admin", expires_at=0, by="ana via ssh"),
            Act("tokens create", "ana", "ssh", "a1", "ci, admin, until 1970-01-01T00:00:00.000Z"),
        ),
        (e.TrustGranted(path="/f", sha256="ab"), Act("trust", "", "local", "/f", "sha256 ab")),
        (
            e.WorkflowRegistered(name="w", definition=FLOW, definition_hash="ab", trusted=True),
            Act("workflows put", "", "local", "w", "definition ab, trusted"),
        ),
        (e.AgentRemoved(name="w", by="ana"), Act("agents remove", "ana", "local", "w", "")),
        (e.EngineStopped(by="ana via tcp"), Act("stop", "ana", "tcp", "engine", "")),
        (
            e.BudgetRaised(scope="day/2026-11-22", micro_usd=7, by="ana"),
            Act("budget", "ana", "local", "day/2026-11-22", "7 micro-USD"),
        ),
    ],
)
def test_acts_on_what_is_no_run(event: e.AnyEvent, told: Act) -> None:
    assert acts.of("system", event) == told


@pytest.mark.parametrize(
    "event",
    [
        e.RunPaused(by="guard", reason="the same again"),
        e.RunSucceeded(outputs={}),
        e.AskExpired(step="a", policy="fail"),
        e.BudgetFreed(step="a", scope="day"),
        e.StateChanged(agent="a", values={}),
    ],
)
def test_what_the_engine_does_by_itself_is_no_act(event: e.AnyEvent) -> None:
    assert acts.of(RUN, event) is None


def test_texts_in_an_act_are_one_short_line() -> None:
    act = acts.of(RUN, e.CancelRequested(by="a\nb via c\nd", reason="x\n" * 500))
    assert act is not None
    assert (act.who, act.origin) == ("a b", "c d")
    assert len(act.detail) == acts.LONGEST
    assert act.detail.endswith("…")


@pytest.mark.parametrize(
    "tags, count",
    [({}, 0), ({"imported_events": "7"}, 0), ({"imported": "x", "imported_events": "7"}, 7)]
    + [({"imported": "x", "imported_events": odd}, 0) for odd in ("", "-1", "1e3", "²", "9" * 40)],
)
def test_how_much_of_a_run_came_with_it(tags: dict[str, str], count: int) -> None:
    assert acts.imported(created(tags=tags)) == count
