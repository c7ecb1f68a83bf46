"""What must hold after the last life: read from the log, the ledgers of the children and the server."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from aethermind.domain import events as e
from aethermind.domain import invariants
from aethermind.domain.days import day_of
from aethermind.domain.ids import SYSTEM, agent_stream, run_stream
from aethermind.domain.run import Run
from aethermind.engine.queries import LedgerRow, RunFilter
from aethermind.infra.stores.inspection import check
from aethermind.infra.stores.sqlite import open_store
from bench.crash import workload
from bench.crash.host import RUN_TAG
from bench.crash.lives import Ack
from tests.e2e import every
from tests.e2e.waiting import is_alive

RUNS = 100


@dataclass(frozen=True)
class Loss:
    """An attempt that was under way at a kill."""

    seq: int
    resolution: str
    twice: bool
    """Its model call was possibly billed twice."""
    at_most: int
    """Micro-dollars that it may have cost."""


@dataclass
class Verdict:
    problems: list[str] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    unacknowledged: list[int] = field(default_factory=list)
    """Seqs that were acknowledged and are not there, or are another event."""
    after_completion: int = 0
    steps: int = 0
    """Recorded successes."""


def judge(database: Path, directory: Path, acks: Iterable[Ack], asked: list[str]) -> Verdict:
    """Everything about one database whose runs are all over."""
    verdict = Verdict()
    problems = verdict.problems
    problems += [f"{p.check}: {p.problem}" for p in check(database).problems]
    runs, histories, others, days = asyncio.run(_read(database))
    memo = others[agent_stream("memo")]
    recorded = {item.seq: item for history in (*histories.values(), *others.values()) for item in history}
    for ack in acks:
        found = recorded.get(ack.seq)
        if found is None or found.type != ack.type or found.stream != ack.stream:
            verdict.unacknowledged.append(ack.seq)
    if sorted(runs) != sorted(workload.OUTPUTS):
        problems.append(f"the runs are {sorted(runs)}")
    for name, run in runs.items():
        _run(name, run, verdict)
        _effects(name, run, histories[name], directory / name, verdict)
        _doubts(name, histories[name], verdict)
    counted = sum(item.type == "AttemptSucceeded" for item in histories["flow"]) - 1  # `sum` counts nothing
    if len(memo) != counted or counted != workload.STATE_STEPS:
        problems.append(f"{len(memo)} changes of state, {counted} steps that made one")
    money = [(run.tally.cost or 0, run.tally.at_most) for run in runs.values()]
    wanted = (sum(cost for cost, _ in money), sum(at_most for _, at_most in money), 0)
    there = tuple(sum(getattr(day, name) for day in days) for name in ("spent", "at_most", "reserved"))
    if there != wanted:
        problems.append(f"the days' ledger has {there}, the runs {wanted} (spent, at most, reserved)")
    sent = sum(
        call.cached_from is None
        for run in runs.values()
        for node in run.nodes.values()
        for attempt in node.attempts
        for call in attempt.calls
    )
    if len(asked) > sent:
        problems.append(f"{len(asked)} requests arrived, {sent} were recorded")
    return verdict


Histories = dict[str, list[e.Recorded]]


async def _read(database: Path) -> tuple[dict[str, Run], Histories, Histories, list[LedgerRow]]:
    """Each run folded event by event, the invariants checked after each; its history; the other streams; the
    money of the days."""
    store = await open_store(database, read_only=True)
    try:
        runs, histories = {}, {}
        for row in (await store.runs(RunFilter(), limit=RUNS)).items:
            history = await store.read_stream(run_stream(row.id))
            run = Run(row.id)
            for item in history:
                run.fold(item)
                invariants.check(run)
            name = run.created.tags[RUN_TAG]
            runs[name], histories[name] = run, history
        others = {stream: await store.read_stream(stream) for stream in (agent_stream("memo"), SYSTEM)}
        first = min(day_of(run.created_at) for run in runs.values())
        return runs, histories, others, [await store.ledger("day", day) for day in (first, first + 1)]
    finally:
        await store.close()


def _run(name: str, run: Run, verdict: Verdict) -> None:
    wanted = workload.OUTPUTS[name]
    if run.finished != ("cancelled" if wanted is None else "succeeded") or run.outputs != wanted:
        verdict.problems.append(f"{name} is {run.finished}: {run.outputs}")
    for path, node in run.nodes.items():
        ends = [attempt.status for attempt in node.attempts]
        verdict.steps += ends.count("succeeded")
        if ends.count("succeeded") > 1:
            verdict.problems.append(f"{name} {path} was done again: {ends}")
    if run.tally.reserved:
        verdict.problems.append(f"{name} still reserves {run.tally.reserved}")


def _effects(name: str, run: Run, history: list[e.Recorded], place: Path, verdict: Verdict) -> None:
    """Each effect belongs to a recorded attempt, and none came after the step was recorded as done."""
    starts = Counter(item.event.step for item in history if isinstance(item.event, e.AttemptStarted))
    done = {item.event.step: item.at for item in history if isinstance(item.event, e.AttemptSucceeded)}
    for item in history:  # tools are effects of their own
        if isinstance(item.event, e.ToolStarted):
            starts[item.event.tool] += 1
        elif isinstance(item.event, e.ToolFinished):
            done["lookup"] = item.at
    seen: dict[tuple[str, ...], list[every.Effect]] = {}
    for effect in every.effects(place):
        if effect.name != "strayed":
            seen.setdefault(tuple(every.path_of(effect.name, run.nodes)), []).append(effect)
    for paths, those in seen.items():
        if len(those) > sum(starts[path] for path in paths):
            verdict.problems.append(f"{name} {paths}: {len(those)} effects, not all with a recorded intent")
        if all(path in done for path in paths) and those[-1].at_ms > max(done[p] for p in paths) + 1:
            verdict.after_completion += 1
            verdict.problems.append(f"{name} {paths}: an effect after its recorded completion")


def _doubts(name: str, history: list[e.Recorded], verdict: Verdict) -> None:
    """What was lost, and that nobody went on with what somebody had to decide."""
    open_calls: dict[str, dict[int, int]] = {}
    undecided: set[str] = set()
    for item in history:
        match item.event:
            case e.CallStarted(step=step, call=call, reserved_micro_usd=reserved):
                open_calls.setdefault(step, {})[call] = reserved or 0
            case e.CallFinished(step=step, call=call) | e.CallFailed(step=step, call=call):
                open_calls.get(step, {}).pop(call, None)
            case e.AttemptLost(step=step, resolution=resolution, possibly_billed_twice=twice):
                at_most = sum(open_calls.pop(step, {}).values())
                verdict.losses.append(Loss(item.seq, resolution, twice, at_most))
                if twice != bool(at_most):
                    verdict.problems.append(f"{name} {step}: billed twice {twice}, at most {at_most}")
                if resolution == "ask":
                    undecided.add(step)
            case e.AskAnswered(step=step):
                undecided.discard(step)
            case e.AttemptStarted(step=step) if step in undecided:
                verdict.problems.append(f"{name} {step} was in doubt and went on undecided")
            case _:
                pass


class Family:
    """The children of all lives, by the ledgers they write."""

    def __init__(self, directory: Path) -> None:
        self._ledgers = {directory / name / "ledger": 0 for name in workload.OUTPUTS}
        self._pids: set[int] = set()

    def alive(self) -> set[int]:
        """Who is still there. To be asked after a kill, when all should be going."""
        for ledger, known in self._ledgers.items():
            try:
                text = ledger.read_bytes()[known:]
            except FileNotFoundError:
                continue
            whole = text[: text.rfind(b"\n") + 1]
            self._ledgers[ledger] = known + len(whole)
            self._pids |= {int(line.split()[2]) for line in whole.splitlines()}
        self._pids = {pid for pid in self._pids if is_alive(pid) and _is_ours(pid)}
        return self._pids


def _is_ours(pid: int) -> bool:
    """Not somebody who was given the number since."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return any(word in command for word in (b"act.py", b"act:", b"mend.py"))
