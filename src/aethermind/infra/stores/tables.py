"""The projections' tables as dicts, for the store in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, assert_never

from aethermind.domain.days import day_of
from aethermind.domain.ids import run_id_of
from aethermind.domain.usage import RESERVED
from aethermind.engine.queries import CostFilter
from aethermind.infra.stores.projector import Changes, Op
from aethermind.infra.stores.state import (
    AgentSum,
    CallRecord,
    CostKey,
    CostSum,
    LedgerKey,
    LedgerSum,
    Row,
    RunState,
    Stream,
)


class Tables:
    """Rows by key, those of runs, attempts and calls in the order of their seqs."""

    def __init__(self) -> None:
        self.clear()
        self.partials: dict[tuple[str, str, int, int], Row] = {}

    def clear(self) -> None:
        """Empty all that follows from the events (the texts of calls in flight do not)."""
        self.runs: dict[int, Row] = {}
        self.attempts: dict[int, Row] = {}
        self.calls: dict[int, CallRecord] = {}
        self.costs: dict[CostKey, CostSum] = {}
        self.ledger: dict[LedgerKey, LedgerSum] = {}
        self.agents: dict[str, AgentSum] = {}
        self.answers: dict[str, int] = {}
        self.workflows: dict[str, Row] = {}
        self.trust: dict[tuple[str, str], int] = {}
        self.tokens: dict[str, Row] = {}
        self._run_seqs: dict[str, int] = {}
        self._attempts_of: dict[int, list[int]] = {}
        self._calls_of: dict[int, list[int]] = {}

    def apply(self, changes: Changes) -> None:
        for seq, run in changes.runs.items():
            self._run_seqs.setdefault(run.id, seq)
            self.runs[seq] = run.row()
        for seq, row in changes.attempts.items():
            if seq not in self.attempts:
                self._attempts_of.setdefault(row[1], []).append(seq)
            self.attempts[seq] = row
        for seq, call in changes.calls.items():
            if seq not in self.calls:
                self._calls_of.setdefault(call.run, []).append(seq)
            self.calls[seq] = call
        for key, change in changes.costs.items():
            self.costs[key] = self.costs.get(key, CostSum()).plus(change)
        for day, money in changes.ledger.items():
            self.ledger[day] = self.ledger.get(day, LedgerSum()).plus(money)
        for name, agent in changes.agents.items():
            self.agents[name] = self.agents.get(name, AgentSum()).plus(agent)
        self.answers |= changes.answers
        for op in changes.ops:
            self._carry_out(op)

    def run_state(self, stream: Stream) -> RunState | None:
        run_id = run_id_of(stream.name)
        seq = None if run_id is None else self._run_seqs.get(run_id)
        if seq is None:
            return None
        attempts = [self.attempts[n] for n in self._attempts_of.get(seq, ())]
        calls = [self.calls[n] for n in self._calls_of.get(seq, ())]
        return RunState.restore(
            self.runs[seq],
            [row for row in attempts if row[6] == "running"],
            [call for call in calls if call.status in {"running", "lost"}],
        )

    def in_order(self) -> dict[str, list[Row]]:
        """Table → its rows as SQLite holds them."""
        return {
            "runs": list(self.runs.values()),
            "attempts": list(self.attempts.values()),
            "calls": list(self.calls.values()),
            "costs": [(*key, *sums) for key, sums in sorted(self.costs.items())],
            "ledger": [(*key, *sums) for key, sums in sorted(self.ledger.items())],
            "agents": [(name, *row) for name, row in sorted(self.agents.items())],
            "answers": sorted(self.answers.items()),
            "workflows": [row for _, row in sorted(self.workflows.items())],
            "trust": [(*key, at) for key, at in sorted(self.trust.items())],
            "tokens": [row for _, row in sorted(self.tokens.items())],
        }

    def sums(self, where: CostFilter) -> Iterator[tuple[Any, CostSum]]:
        """Each call that fits, with the key of its group: the plain definition of what costs are."""
        for call in self.calls.values():
            if bool(call.simulated) == where.simulated and call.started_at >= (where.since or 0):
                yield self._key(where, call), _sum_of(call)

    def money_by_agent(self) -> dict[str, int]:
        """Agent → real money spent, of those with a priced call."""
        money: dict[str, int] = {}
        for call in self.calls.values():
            if call.agent is not None and not call.simulated and call.cost_micro_usd is not None:
                money[call.agent] = money.get(call.agent, 0) + call.cost_micro_usd
        return money

    def _key(self, where: CostFilter, call: CallRecord) -> Any:
        run = self.runs[call.run]
        match where.by:
            case "model":
                return f"{call.provider}:{call.model}"
            case "agent":
                return call.agent or ""
            case "workflow":
                return run[2]
            case "day":
                return day_of(call.started_at)
            case "run":
                return run[1]
            case _:
                assert_never(where.by)

    def _carry_out(self, op: Op) -> None:
        name, row = op
        match name:
            case "put_workflow":
                self.workflows[row[0]] = row
            case "drop_workflow":
                self.workflows.pop(row[0], None)
            case "put_trust":
                self.trust[row[0], row[1]] = row[2]
            case "drop_trust":
                self.trust = {key: at for key, at in self.trust.items() if key[0] != row[0]}
            case "put_token":
                self.tokens[row[0]] = row
            case "revoke_token":
                if (token := self.tokens.get(row[1])) is not None and token[6] is None:
                    self.tokens[row[1]] = (*token[:6], row[0], *token[7:])
            case "put_partial":
                self.partials[row[0], row[1], row[2], row[3]] = row
            case "drop_partial":
                self.partials.pop((row[0], row[1], row[2], row[3]), None)
            case "drop_partials_of_run":
                self.partials = {key: p for key, p in self.partials.items() if key[0] != row[0]}
            case _:
                assert_never(name)


def _sum_of(call: CallRecord) -> CostSum:
    flying = call.status == "running"
    ended = call.status in {"succeeded", "failed"}
    priced = call.cost_micro_usd is not None
    bounded = call.status == "lost" or call.price_source == RESERVED
    return CostSum(
        1,
        int(flying),
        (call.reserved_micro_usd or 0) if flying else 0,
        int(ended and not priced and call.price_source not in {None, RESERVED}),
        int(priced),
        call.cost_micro_usd or 0,
        *(count or 0 for count in call[12:17]),
    )._replace(at_most=(call.reserved_micro_usd or 0) if bounded else 0, saved=call.saved_micro_usd)
