"""One seed from its first run to the end of its last, and what is checked on the way."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.simulation.acts import WEIGHTS, Acts
from tests.simulation.facts import Broken
from tests.simulation.faults import CALM, Rates
from tests.simulation.world import World

PATIENCE = 40
"""Rounds of answering everything at the end; each lets something go on."""


@dataclass(frozen=True, slots=True)
class Played:
    """How a seed went. Times are virtual seconds."""

    seed: int
    journal: str
    """The hash of everything recorded."""
    events: int
    lives: int
    runs: int
    requests: int
    seconds: float
    story: list[str]


def play(seed: int, *, trace: bool = False, acts: int | None = None) -> Played:
    """Raises `Broken` with the seed, and how to see its story."""
    rng = random.Random(f"{seed}/actor")
    world = World(
        seed,
        rates=_rates(rng),
        max_concurrent=rng.choice((1, 2, 4, 10)),
        day_budget=rng.choice((None, None, 2_000, 20_000)),
        trace=trace,
    )
    try:
        _live_through(world, rng, rng.randint(5, 60) if acts is None else acts)
        return Played(
            seed=seed,
            journal=world.journal_hash(),
            events=world.promises.seq,
            lives=world.lives,
            runs=len(world.promises.runs),
            requests=sum(effect.kind == "request" for effect in world.ledger.effects),
            seconds=world.loop.time(),
            story=world.story,
        )
    except Broken as broken:
        broken.add_note(f"seed {seed}: python -m tests.simulation {seed} --trace")
        broken.story = world.story
        raise
    finally:
        world.close()


def _rates(rng: random.Random) -> Rates:
    return rng.choice((CALM, Rates(), Rates(), Rates(append=0.0), Rates(reply=0.6, child=0.5)))


def _live_through(world: World, rng: random.Random, count: int) -> None:
    actor = Acts(world, rng)
    names, weights = zip(*WEIGHTS, strict=True)
    careful = rng.random() < 0.2  # nobody dies, so that long stories come to their ends
    actor.start()
    for _ in range(count):
        _wait(world, rng)
        name = rng.choices(names, weights)[0]
        if careful and name in {"crash", "plan_crash", "drain"}:
            continue
        getattr(actor, name)()
    finale(world, actor)


def _wait(world: World, rng: random.Random) -> None:
    """Some callbacks or some time: acts fall between any two of them."""
    if rng.random() < 0.5:
        world.steps_on(rng.randint(0, 60))
    else:
        world.advance(rng.choice((0.0, 0.001, 0.05, 1.0, 30.0)))


def finale(world: World, actor: Acts) -> None:
    """Nothing fails any more, everything is resumed, allowed and answered: every run must end."""
    world.calm()
    world.quiet()
    actor.compare()
    for _ in range(PATIENCE):
        actor.resume_all()
        world.quiet()
        actor.compare()
        actor.readers()
        world.promises.rested()
        if all(run.finished is not None for run in actor.runs()):
            break
        for run in actor.runs():
            if run.finished is None and run.held:
                world.ask("budget of the day", actor.client.raise_day_budget(10_000_000, by="ann"))
                world.ask(f"budget {run.id}", actor.client.raise_budget(run.id, 10_000_000, by="ann"))
            for node in list(run.nodes.values()):
                if run.finished is None and node.status in {"waiting_answer", "in_doubt"}:
                    actor.answer_one(run, node, "ann")
        world.quiet()
    world.promises.ended()
