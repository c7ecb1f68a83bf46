"""Filters → conditions of SQL and their parameters. No value of a filter ever gets into the text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aethermind.domain.days import DAY_MS
from aethermind.domain.ids import run_stream
from aethermind.engine.queries import AttemptFilter, CostFilter, LogFilter, RunFilter
from aethermind.infra.stores.pages import LAST, ascii_lower, first_whole_day
from aethermind.infra.stores.sequencer import LEVEL_NUMBER

Parameters = dict[str, Any]

BAD = ("failed", "cancelled", "lost")
UNFINISHED = """seq IN (SELECT seq FROM runs WHERE status IN
  ('queued', 'running', 'paused', 'stopping', 'waiting_answer', 'waiting_budget', 'parked'))"""
RUNNING = """attempts.seq IN (SELECT seq FROM events WHERE stream IN (
  SELECT created.stream FROM runs JOIN events AS created ON created.seq = runs.seq WHERE runs.status IN
  ('queued', 'running', 'paused', 'stopping', 'waiting_answer', 'waiting_budget', 'parked')))"""

# The ids first: their index holds seq as well, so only the page's rows are fetched. A prefix that nearly
# all have is better looked for along the rows.
BY_PREFIX = "seq IN (SELECT seq FROM runs WHERE id >= :prefix AND id < :beyond AND seq < :cursor)"
WIDE_PREFIX = len("r_")

# As `cost_rows` orders them.
DEAREST = """
ORDER BY count(calls.cost_micro_usd) = 0, sum(calls.cost_micro_usd) DESC, runs.id LIMIT :limit"""

# Which column of `costs`, and which of `calls` and `runs`, holds the key of a grouping.
COST_KEYS: Mapping[str, tuple[str, str]] = {
    "model": ("model", "calls.provider || ':' || calls.model"),
    "agent": ("agent", "coalesce(calls.agent, '')"),
    "workflow": ("workflow", "runs.workflow"),
    "day": ("day", f"calls.started_at / {DAY_MS}"),
    "run": ("", "runs.id"),
}


def runs(where: RunFilter) -> tuple[str, Parameters]:
    conditions: list[str] = []
    parameters: Parameters = {}
    # With both, one of the two indexes leads: nearly every run succeeds, so that status leads to too many.
    # (A `+` keeps SQLite from using an index for that condition.)
    by_workflow = where.status in {None, "succeeded"}
    if where.status is not None:
        conditions.append("+status = :status" if by_workflow and where.workflow else "status = :status")
    if where.workflow is not None:
        conditions.append("workflow = :workflow" if by_workflow else "+workflow = :workflow")
    parameters |= {"status": where.status, "workflow": where.workflow}
    if where.unfinished:
        conditions.append(UNFINISHED)
    if where.id_prefix is not None:
        conditions.append(
            BY_PREFIX if len(where.id_prefix) > WIDE_PREFIX else "id >= :prefix AND id < :beyond"
        )
        parameters |= {"prefix": where.id_prefix, "beyond": where.id_prefix + "\U0010ffff"}
    if where.text:
        conditions.append("instr(lower(id || ' ' || workflow || ' ' || status), :text)")
        parameters["text"] = ascii_lower(where.text)
    return _all(conditions), parameters


def attempts(where: AttemptFilter) -> tuple[str, str, Parameters]:
    """The name of the query, too: a run's attempts are found another way."""
    conditions: list[str] = []
    parameters: Parameters = {}
    if where.run_id is not None:
        parameters |= {"run_id": where.run_id, "stream": run_stream(where.run_id)}
    if where.agent is not None:
        conditions.append("attempts.agent = :agent")
        parameters["agent"] = where.agent
    if where.status is not None:
        conditions.append("attempts.status = :status")
        parameters["status"] = where.status
        if where.status in BAD:
            # In the words of the partial index, or it is not used.
            conditions.append("attempts.status <> 'running' AND attempts.status <> 'succeeded'")
        elif where.status == "running" and where.run_id is None and where.agent is None:
            # An index of what runs would cost each step something; what runs is in runs that have not
            # ended, and those are few.
            conditions.append(RUNNING)
    return "attempts" if where.run_id is None else "attempts_of_run", _all(conditions), parameters


def logs(where: LogFilter) -> tuple[str, str, Parameters]:
    """Conditions that an index answers, those that need a look at each row, and their parameters."""
    conditions: list[str] = []
    searched: list[str] = []
    parameters: Parameters = {}
    if where.run_id is not None:
        conditions.append("stream = (SELECT id FROM streams WHERE name = :stream)")
        parameters["stream"] = run_stream(where.run_id)
    if where.min_level != "debug":
        # In the words of the partial indexes, or they are not used.
        conditions.append(f"level >= {LEVEL_NUMBER[where.min_level]}")
    if where.step is not None:
        searched.append(
            "substr(step, 1, length(:step)) = :step"
            " AND substr(step, length(:step) + 1, 1) IN ('', '[', '#', '/')"
        )
        parameters["step"] = where.step
    if where.agent is not None:
        searched.append("agent = :agent")
        parameters["agent"] = where.agent
    if where.text:
        searched.append("instr(lower(message), :text)")
        parameters["text"] = ascii_lower(where.text)
    return _all(conditions), _all(searched), parameters


def costs(sql: Mapping[str, str], where: CostFilter) -> list[tuple[str, Parameters]]:
    """The queries whose sums together are the answer: whole days, and the calls of a part of a day."""
    by_day, by_call = COST_KEYS[where.by]
    simulated = int(where.simulated)
    since = where.since
    calls = sql["costs_by_call"].replace("{key}", by_call)
    if where.by == "run":  # one query has all of it, so that it can be cut where the rows are made
        limit = -1 if where.limit is None else where.limit
        if since is None:
            return [(sql["costs_by_run"], {"simulated": simulated, "limit": limit})]
        dearest = calls + DEAREST
        return [(dearest, {"simulated": simulated, "since": since, "until": LAST, "limit": limit})]
    first = first_whole_day(since)
    days = sql["costs_by_day"].replace("{key}", by_day)
    queries = [(days, {"simulated": simulated, "first_day": first})]
    if since is not None and first * DAY_MS > since:
        queries.append((calls, {"simulated": simulated, "since": since, "until": first * DAY_MS}))
    return queries


def _all(conditions: list[str]) -> str:
    return "".join(f" AND {condition}" for condition in conditions)
