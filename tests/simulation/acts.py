"""What people and accidents do to the world, at moments and with choices drawn by who calls."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from aethermind import failpoints
from aethermind.domain.events import Submitter
from aethermind.domain.run import Run
from aethermind.domain.state import Node
from aethermind.domain.workflow import Ask, WorkflowDef
from aethermind.engine.client import RunRequest
from tests.simulation.workflows import Author
from tests.simulation.world import World

ME = Submitter(user="somebody", cwd="/somewhere", interpreter="python")
PLACES = (
    *failpoints.NAMES,
    "request.sent",
    "reply.whole",
    "child.started",
    "child.done",
    "tool.called",
)
"""Named places at which a life may end."""
MOST_RUNS = 6


class Acts:
    """Each method does one thing, or nothing if there is nothing to do it to."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self.world = world
        self.rng = rng
        self.author = Author(rng)
        self.followed: list[tuple[int, str, list[int]]] = []
        """Life, run and the seqs that a reader saw who wanted all of its feed."""

    # --- what there is -------------------------------------------------------------------------

    @property
    def client(self) -> Any:
        return self.world.life.client

    def runs(self) -> list[Run]:
        return list(self.world.promises.runs.values())

    def _run(self, which: Callable[[Run], bool] = lambda _run: True) -> Run | None:
        found = [run for run in self.runs() if which(run)]
        return self.rng.choice(found) if found else None

    def _live(self, run: Run) -> bool:
        return run.id in self.world.life.engine.scheduler.live

    def _ack(self, what: str, run_id: str, holds: Callable[[Run], bool]) -> Callable[[Any], None]:
        return lambda _answer: self.world.promises.acknowledged(what, run_id, holds)

    # --- runs ----------------------------------------------------------------------------------

    def start(self, definition: WorkflowDef | None = None) -> None:
        if len(self.runs()) >= MOST_RUNS:
            return
        rng = self.rng
        request = RunRequest(
            definition=definition or self.author.workflow(),
            inputs={},
            submitter=ME,
            priority=rng.choice((None, 0, 5)),
            budget_micro_usd=rng.choice((None, None, None, 1_500)),
        )

        def started(run_id: str) -> None:
            self.world.promises.acknowledged("start", run_id, lambda run: run.version > 0)

        self.world.ask("start", self.client.start_run(request), started)

    def cancel(self) -> None:
        run = self._run(lambda run: run.finished is None)
        if run is None:
            return

        def cancelled(_answer: Any) -> None:
            self.world.promises.acknowledged(
                "cancel", run.id, lambda run: run.cancelling or run.finished is not None
            )
            if run.cancelling:
                self.world.promises.facts[run.id].cancelled = True

        self.world.ask(f"cancel {run.id}", self.client.cancel(run.id, by="ann"), cancelled)

    def cancel_step(self) -> None:
        run = self._run(lambda run: run.finished is None)
        if run is not None:
            step = self.rng.choice(list(run.nodes))
            self.world.ask(f"cancel {run.id} {step}", self.client.cancel(run.id, step=step, by="ann"))

    def pause(self) -> None:
        run = self._run(lambda run: run.finished is None)
        if run is not None:
            self.world.ask(f"pause {run.id}", self.client.pause(run.id, by="ann"))

    def resume(self) -> None:
        run = self._run(lambda run: run.finished is None)
        if run is not None:
            self.resume_one(run)

    def resume_one(self, run: Run) -> None:
        self.world.ask(f"resume {run.id}", self.client.resume(run.id, by="ann"))

    def resume_all(self) -> None:
        for run in self.runs():
            if run.finished is None:
                self.resume_one(run)

    def retry(self) -> None:
        run = self._run(lambda run: run.finished is not None)
        if run is None:
            return
        steps = () if self.rng.random() < 0.6 else (self.rng.choice(list(run.nodes)),)
        self.world.ask(f"retry {run.id} {steps}", self.client.retry(run.id, steps=steps, by="ann"))

    def fork(self) -> None:
        run = self._run()
        if run is None or len(self.runs()) >= MOST_RUNS:
            return
        step = self.rng.choice(run.definition.steps).id
        outputs = {step: {"given": 1}} if self.rng.random() < 0.3 else {}
        self.world.ask(f"fork {run.id} at {step}", self.client.fork(run.id, step, outputs=outputs))

    def edit(self) -> None:
        run = self._run(lambda run: not self._live(run)) or self._run()
        if run is not None:
            definition = self.author.edited(run.definition)
            self.world.ask(f"edit {run.id}", self.client.resume_edited(run.id, definition, by="ann"))

    def raise_budget(self) -> None:
        run = self._run(lambda run: run.budget_micro_usd is not None)
        if run is not None:
            amount = self.rng.choice((100, 1_000, 5_000, 100_000))
            self.world.ask(
                f"budget {run.id} {amount}",
                self.client.raise_budget(run.id, amount, by="ann"),
                self._ack("budget", run.id, lambda run: run.budget_micro_usd is not None),
            )

    def raise_day(self) -> None:
        amount = self.rng.choice((500, 5_000, 50_000))
        self.world.ask(f"budget of the day {amount}", self.client.raise_day_budget(amount, by="ann"))

    # --- questions -----------------------------------------------------------------------------

    def answer(self) -> None:
        """One person answers, or two at once and not the same."""
        asked = [
            (run, node)
            for run in self.runs()
            for node in run.nodes.values()
            if node.question is not None and (self.rng.random() < 0.1 or _open(node))
        ]
        if not asked:
            return
        run, node = self.rng.choice(asked)
        for by in self.rng.choice((("ann",), ("bob",), ("ann", "bob"))):
            self.answer_one(run, node, by)

    def answer_one(self, run: Run, node: Node, by: str) -> None:
        values = self._values(node)
        path = node.path

        def decided(_answer: Any) -> None:
            def holds(run: Run) -> bool:
                node = run.nodes.get(path)
                if node is None or node.question is None:
                    return True  # it was taken up again since
                return node.question.values is None or self._fits(node, values)

            self.world.promises.acknowledged(f"answer {path} {values}", run.id, holds)

        self.world.ask(
            f"answer {run.id} {path} {values} by {by}",
            self.client.answer(run.id, path, values, by=by),
            decided,
        )

    @staticmethod
    def _fits(node: Node, values: dict[str, Any]) -> bool:
        given = node.question.values if node.question is not None else None
        return given is not None and all(given.get(name) == value for name, value in values.items())

    def _values(self, node: Node) -> dict[str, Any]:
        rng = self.rng
        assert node.question is not None
        if node.question.about == "in_doubt" or node.status == "in_doubt":
            return {"choice": rng.choice(("retry", "retry", "fail", "skip"))}
        if node.question.about == "tool":
            return {"approved": rng.random() < 0.7}
        action = node.step.action
        if isinstance(action, Ask) and not action.fields:
            return {"approved": rng.random() < 0.7} if action.approval else {"answer": rng.choice("xyz")}
        return {"choice": rng.choice(("yes", "no"))}

    # --- accidents -----------------------------------------------------------------------------

    def crash(self) -> None:
        """Now, between two callbacks."""
        self.world.crash()
        self._after_a_death()

    def plan_crash(self) -> None:
        """At a named place, when it is reached."""
        self.world.planned = (self.rng.choice(PLACES), self.rng.choice((0, 0, 1, 3)))
        self.world.tell(f"it will die at {self.world.planned}")

    def _after_a_death(self) -> None:
        if self.rng.random() < 0.6:
            self.resume_all()

    def drain(self) -> None:
        """A graceful stop, and another start."""
        world, life = self.world, self.world.life
        seconds = self.rng.choice((0.0, 0.5, 10.0))
        world.ask(f"drain {seconds}", self.client.drain(seconds))
        task = world.pending[-1][1]
        while not task.done() and world.life is life and world.step():
            if self.rng.random() < 0.02:
                self.rng.choice((self.cancel, self.answer, self.pause))()
        if world.life is life:
            world.steps_on(5)
            if world.life is life:
                world.crash()
        self._after_a_death()

    # --- looking -------------------------------------------------------------------------------

    def follow(self) -> None:
        """A reader of one run's feed, slow now and then. It ends with the life."""
        run = self._run()
        if run is not None:
            seen: list[int] = []
            after = self.rng.choice((None, 0))
            feed = self.client.feed(after=after, run_id=run.id)
            if after == 0:
                self.followed.append((self.world.lives, run.id, seen))
            self.world.ask(f"follow {run.id}", _follow(feed, seen, self.world))

    def compare(self) -> None:
        self.world.promises.compare()

    def readers(self) -> None:
        """Nothing is under way: who reads a feed of this life has seen all of it."""
        for life, run_id, seen in self.followed:
            if life == self.world.lives:
                self.world.promises.told(run_id, seen)


async def _follow(feed: Any, seen: list[int], world: World) -> None:
    async for item in feed:
        if not hasattr(item, "seq"):
            continue
        if seen and item.seq <= seen[-1]:
            world.broken("a feed is in order", f"{item.seq} after {seen[-1]}")
        seen.append(item.seq)


def _open(node: Node) -> bool:
    return node.question is not None and node.question.values is None and not node.over


WEIGHTS: tuple[tuple[str, int], ...] = (
    ("start", 10),
    ("cancel", 3),
    ("cancel_step", 4),
    ("pause", 3),
    ("resume", 6),
    ("retry", 5),
    ("fork", 2),
    ("edit", 4),
    ("raise_budget", 5),
    ("raise_day", 1),
    ("answer", 14),
    ("crash", 4),
    ("plan_crash", 6),
    ("drain", 1),
    ("follow", 2),
    ("compare", 6),
)
