"""W1–W4: all contenders in turn, round by round, so that they share the machine's noise."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack

from bench.engine import contender
from bench.engine.contender import Answer, Contender
from bench.engine.goals import Line, median
from bench.engine.limit import STEPS
from bench.engine.plan import Plan
from bench.peers import places

WORKLOADS = ("W1", "W2", "W3", "W4")
IDEAL_S = 0.2
"""Of W4: four levels of 50 ms, all that is ready at work at once."""
NARROW = "200 places"
NARROW_IDEAL_S = 0.25
"""W4 with 200 attempts at once: the second level of two steps in each of 200 runs takes two rounds."""
LIMIT, OURS = "limit", "aethermind"
NO_POWER = frozenset({"agent_framework"})
"""Their files are never synced."""
LINEAR = frozenset({"burr"})
"""Can't do W2."""

Found = dict[tuple[str, str, bool], list[Answer]]
"""Contender, workload, power-safe → one answer for each round."""


def contenders(stack: ExitStack, plan: Plan) -> list[Contender]:
    made = [contender.limit(), contender.ours()]
    for name in places.PEERS if plan.peers else ():
        found = contender.peer(name)
        if found is None:
            print(f"{name}: not installed (python -m bench.peers install): left out", file=sys.stderr)
        else:
            made.append(found)
    for one in made:
        stack.enter_context(one)
    return made


def measure(plan: Plan, workloads: Sequence[str]) -> Found:
    found: Found = defaultdict(list)
    with ExitStack() as stack:
        these = contenders(stack, plan)
        narrow = stack.enter_context(contender.ours(places_=200)) if "W4" in workloads else None
        for one in these:
            one.order("first", full=False)  # imports and caches, not counted
        for n in range(plan.rounds):
            print(f"round {n + 1} of {plan.rounds}", file=sys.stderr)
            for workload in workloads:
                for full in (False, True):
                    for one in these:
                        if _takes_part(one.name, workload, full=full, plan=plan):
                            found[one.name, workload, full].append(one.order(workload, full=full))
            if narrow is not None:
                found[NARROW, "W4", False].append(narrow.order("W4", full=False))
    return found


def _takes_part(name: str, workload: str, *, full: bool, plan: Plan) -> bool:
    if name in {LIMIT, OURS}:
        return True
    if full and (name in NO_POWER or not plan.peer_power):
        return False
    return not (name in LINEAR and workload == "W2")


def rate(found: Found, name: str, workload: str, *, full: bool) -> float | None:
    """Steps per second, median of the rounds; None if it was not measured."""
    answers = found.get((name, workload, full))
    return STEPS[workload] / median([a.seconds for a in answers]) if answers else None


def lines(plan: Plan, workloads: Sequence[str]) -> list[Line]:
    found = measure(plan, workloads)
    names = list(dict.fromkeys(name for name, _, _ in found if name != NARROW))
    made: list[Line] = []
    for workload in workloads:
        for full in (False, True):
            durability = "power" if full else "process"
            for name in names:
                made += _shown(found, name, workload, full=full, what=f"{name}, {durability}")
    for workload in workloads:
        made += _against_limit(found, workload)
        made += _against_own(found, workload)
    if "W3" in workloads:
        made += _against_peers(found)
        made += _cpu(found, names)
    if "W4" in workloads:
        made += _ideal(found)
    return made


def _shown(found: Found, name: str, workload: str, *, full: bool, what: str) -> list[Line]:
    speed = rate(found, name, workload, full=full)
    if speed is None:
        return []
    if workload == "W4":
        return [Line(part="W4", what=what, measured=STEPS["W4"] / speed, unit="s")]
    times = [a.seconds for a in found[name, workload, full]]
    note = f"{STEPS[workload] / max(times):,.0f} to {STEPS[workload] / min(times):,.0f}"
    return [Line(part=workload, what=what, measured=speed, unit="/s", note=note)]


SHARES = {("W1", False): 0.60, ("W2", False): 0.40, ("W3", False): 0.40, ("W1", True): 0.70}
"""Workload, power-safe → share of the limit to be reached."""


def _against_limit(found: Found, workload: str) -> list[Line]:
    made = []
    for full in (False, True):
        bare, own = (rate(found, n, workload, full=full) for n in (LIMIT, OURS))
        if workload != "W4" and bare and own:
            durability = "power" if full else "process"
            what = f"share of the limit, {durability}"
            goal = SHARES.get((workload, full))
            made.append(
                Line(part=workload, what=what, measured=own / bare, unit="%", goal=goal, at_least=True)
            )
    return made


def _against_own(found: Found, workload: str) -> list[Line]:
    fast, safe = (rate(found, OURS, workload, full=full) for full in (False, True))
    if workload not in {"W2", "W3"} or not fast or not safe:
        return []
    what = "power against process, own"
    return [Line(part=workload, what=what, measured=safe / fast, unit="%", goal=0.85, at_least=True)]


TIMES = {"langgraph": 30.0, "agent_framework": 30.0, "burr": 6.0}


def _against_peers(found: Found) -> list[Line]:
    made = []
    for name, goal in TIMES.items():
        own, theirs = (rate(found, n, "W3", full=False) for n in (OURS, name))
        if own and theirs:
            what = f"times as fast as {name}"
            made.append(Line(part="W3", what=what, measured=own / theirs, unit="×", goal=goal, at_least=True))
    return made


def _cpu(found: Found, names: Sequence[str]) -> list[Line]:
    made = []
    for name in names:
        answers = found.get((name, "W3", False))
        if answers:
            each = median([a.cpu_s for a in answers]) / STEPS["W3"] * 1e6
            goal = 80.0 if name == OURS else None
            made.append(Line(part="W3", what=f"CPU per step, {name}", measured=each, unit="µs", goal=goal))
    return made


def _ideal(found: Found) -> list[Line]:
    made = []
    for name, ideal, what in (
        (OURS, IDEAL_S, "times the ideal, room for all"),
        (NARROW, NARROW_IDEAL_S, "times the ideal, 200 places"),
    ):
        seconds = median([a.seconds for a in found[name, "W4", False]])
        made.append(
            Line(part="W4", what=what, measured=seconds / ideal, unit="×", goal=1.35, note=f"{seconds:.3f} s")
        )
    return made
