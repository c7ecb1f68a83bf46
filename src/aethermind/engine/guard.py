"""Notices a run that goes round in circles: it warns, then pauses the run and says why.

Three signs, each with a number at which the run is paused (0: never); the warning comes at half of it:
- `repeated_calls`: the same call (model and request) in the same place. Rounds of a `repeat` are one place,
  items of a fan-out are not: the same call in many places is only warned of. Answers in a row that ask for
  the same use of the same tools, and are told the same, count like it.
- `attempt_calls`: so many settled calls in one attempt.
- `same_rounds`: rounds of a `repeat` in a row, each with a model call, that gave the same to the byte.

What is no circle: calls that failed, calls of attempts that failed (a retry says how often itself), and
loops with `every`, which wait for something outside. A person who resumes the run has seen it: the counts
begin anew, and each of the guard's pauses doubles what this run may do before the next.

All of it is a function of what was asked and answered: nothing here reads a clock or polls.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from aethermind import wire
from aethermind.domain import journal
from aethermind.domain.call_states import CallState
from aethermind.domain.events import AnyEvent, LogWritten, RunPaused
from aethermind.domain.holding import GUARD
from aethermind.domain.state import Node

if TYPE_CHECKING:
    from aethermind.domain.run import Run

_ROUND = re.compile(r"#\d+")
MOST_DOUBLINGS = 20


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """At which number a run is paused; 0: never."""

    repeated_calls: int = 8
    attempt_calls: int = 50
    same_rounds: int = 8


class Verdict(msgspec.Struct, frozen=True):
    """What is to be recorded, and whether the call (or round) is held back."""

    events: tuple[AnyEvent, ...] = ()
    holds: bool = False

    def and_then(self, other: Verdict) -> Verdict:
        return Verdict((*self.events, *other.events), self.holds or other.holds)


CLEAR = Verdict()


class Repeats:
    """How often what was asked, in one run that is driven here."""

    __slots__ = ("_anywhere", "_here", "_warned")

    def __init__(self) -> None:
        self._here: dict[tuple[str, str], int] = {}
        """(digest, place) → calls."""
        self._anywhere: dict[str, int] = {}
        self._warned: set[str] = set()

    def asked(self, run: Run, node: Node, digest: str, limits: Limits) -> Verdict:
        """A call that is about to start."""
        if not limits.repeated_calls:
            return CLEAR
        key = (digest, _place(node))
        count = self._here[key] = self._here.get(key, 0) + 1
        everywhere = self._anywhere[digest] = self._anywhere.get(digest, 0) + 1
        limit, warn = _limit(run, limits.repeated_calls)
        if count >= limit:
            del self._here[key]
            return _pause(run, node, f"{node.path} made the same model call {count} times")
        if count == warn:
            return _warning(node, f"the same model call for the {_nth(count)} time")
        if everywhere == warn and count < everywhere and digest not in self._warned:
            self._warned.add(digest)
            return _warning(node, f"{everywhere} steps made the same model call")
        return CLEAR

    def take_back(self, node: Node, digest: str) -> None:
        """That call failed, or its attempt did: it is made again for a reason."""
        key = (digest, _place(node))
        if (count := self._here.get(key, 0)) > 0:
            self._here[key] = count - 1
        if (everywhere := self._anywhere.get(digest, 0)) > 0:
            self._anywhere[digest] = everywhere - 1


def many_calls(run: Run, node: Node, attempt: int, limits: Limits) -> Verdict:
    """The attempt wants one call more."""
    calls = node.attempts[attempt - 1].calls
    if not limits.attempt_calls or len(calls) < limits.attempt_calls // 2:
        return CLEAR
    settled = sum(call.status == "succeeded" for call in calls)
    limit, warn = _limit(run, limits.attempt_calls)
    if settled >= limit:
        return _pause(run, node, f"{node.path} made {settled} model calls in one attempt")
    if settled == warn:
        return _warning(node, f"{settled} model calls in this attempt, and it goes on")
    return CLEAR


def same_tools(run: Run, node: Node, limits: Limits) -> Verdict:
    """A conversation wants another answer: whether the last ones asked for the same tools, with the same
    arguments, and were told the same."""
    limit, warn = _limit(run, limits.repeated_calls)
    if not limits.repeated_calls:
        return CLEAR
    calls = [call for _, call in journal.answered(node)]
    if len(calls) < max(warn, 2) or not calls[-1].tools:
        return CLEAR
    last, same = _used(calls[-1]), 0
    for call in reversed(calls):
        if same >= limit or not call.tools or _used(call) != last:
            break
        same += 1
    names = ", ".join(dict.fromkeys(tool.tool for tool in calls[-1].tools))
    if same >= max(limit, 2):
        return _pause(run, node, f"{node.path} used {names} {same} times in a row in the same way")
    if same == max(warn, 2):
        return _warning(node, f"{names} used in the same way for the {_nth(same)} time in a row")
    return CLEAR


def _used(call: CallState) -> list[object]:
    return [[tool.tool, tool.arguments, tool.result, tool.error] for tool in call.tools]


def same_rounds(run: Run, loop: Node, limits: Limits) -> Verdict:
    """The loop wants another round."""
    repeat = loop.step.repeat
    limit, warn = _limit(run, limits.same_rounds)
    rounds = loop.children
    if not limits.same_rounds or repeat is None or repeat.every_ms or len(rounds) < max(warn, 2):
        return CLEAR
    last = wire.canonical(rounds[-1].output)
    same = 0
    for node in reversed(rounds):
        spent = node.tally is not None and node.tally.calls
        if same >= limit or not spent or wire.canonical(node.output) != last:
            break
        same += 1
    if same >= max(limit, 2):
        return _pause(run, loop, f"{same} rounds of {loop.path} in a row gave the same")
    if same == max(warn, 2):
        return _warning(loop, f"{same} rounds in a row gave the same")
    return CLEAR


def _limit(run: Run, configured: int) -> tuple[int, int]:
    """When this run is paused, and when it is warned of."""
    limit = configured << min(run.guarded, MOST_DOUBLINGS)
    return limit, max(limit // 2, 1)


def _pause(run: Run, node: Node, reason: str) -> Verdict:
    if run.paused:
        return Verdict(holds=True)
    log = LogWritten(
        level="error",
        message=f"paused by the guard: {reason}; aethermind resume {run.id} goes on",
        step=node.path,
        agent=node.agent,
        metadata={"guard": True},
    )
    return Verdict((log, RunPaused(by=GUARD, reason=reason)), holds=True)


def _warning(node: Node, text: str) -> Verdict:
    log = LogWritten(
        level="warning", message=text, step=node.path, agent=node.agent, metadata={"guard": True}
    )
    return Verdict((log,))


def _place(node: Node) -> str:
    """The node's path, without the numbers of rounds (unless a loop around it waits between them)."""
    path = node.path
    if "#" not in path:
        return path
    up: Node | None = node
    while up is not None:
        if up.iteration is not None and up.step.repeat is not None and up.step.repeat.every_ms:
            return path
        up = up.parent
    return _ROUND.sub("", path)


def _nth(count: int) -> str:
    if 10 < count % 100 < 20:
        return f"{count}th"
    return f"{count}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(count % 10, 'th') }"
