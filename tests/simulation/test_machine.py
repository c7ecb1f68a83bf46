"""The same world under Hypothesis: it chooses what happens, and shrinks what fails to its shortest story."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.simulation.acts import PLACES, Acts
from tests.simulation.faults import CALM, Rates
from tests.simulation.play import finale
from tests.simulation.world import World

CHOICES = st.integers(0, 2**16)
"""What an act draws its own choices from."""


class AnyWorld(RuleBasedStateMachine):
    world: World

    @initialize(
        seed=st.integers(0, 2**16),
        rates=st.sampled_from((CALM, Rates(), Rates(append=0.0))),
        slots=st.sampled_from((1, 2, 4)),
        day=st.sampled_from((None, 2_000)),
        choice=CHOICES,
    )
    def begin(self, seed: int, rates: Rates, slots: int, day: int | None, choice: int) -> None:
        self.world = World(seed, rates=rates, max_concurrent=slots, day_budget=day)
        self._acts(choice).start()

    def _acts(self, choice: int) -> Acts:
        return Acts(self.world, random.Random(choice))

    # --- time ----------------------------------------------------------------------------------

    @rule(count=st.integers(1, 40))
    def some_callbacks(self, count: int) -> None:
        self.world.steps_on(count)

    @rule(seconds=st.sampled_from((0.001, 0.05, 1.0, 30.0)))
    def time_passes(self, seconds: float) -> None:
        self.world.advance(seconds)

    # --- people --------------------------------------------------------------------------------

    @rule(choice=CHOICES)
    def start(self, choice: int) -> None:
        self._acts(choice).start()

    @rule(choice=CHOICES)
    def cancel(self, choice: int) -> None:
        self._acts(choice).cancel()

    @rule(choice=CHOICES)
    def cancel_step(self, choice: int) -> None:
        self._acts(choice).cancel_step()

    @rule(choice=CHOICES)
    def pause(self, choice: int) -> None:
        self._acts(choice).pause()

    @rule()
    def resume(self) -> None:
        self._acts(0).resume_all()

    @rule(choice=CHOICES)
    def answer(self, choice: int) -> None:
        self._acts(choice).answer()

    @rule(choice=CHOICES)
    def budget(self, choice: int) -> None:
        self._acts(choice).raise_budget()

    @rule(choice=CHOICES)
    def budget_of_the_day(self, choice: int) -> None:
        self._acts(choice).raise_day()

    @rule(choice=CHOICES)
    def retry(self, choice: int) -> None:
        self._acts(choice).retry()

    @rule(choice=CHOICES)
    def edit(self, choice: int) -> None:
        self._acts(choice).edit()

    @rule(choice=CHOICES)
    def fork(self, choice: int) -> None:
        self._acts(choice).fork()

    # --- accidents -----------------------------------------------------------------------------

    @rule()
    def crash(self) -> None:
        self.world.crash()

    @rule(choice=CHOICES, count=st.integers(0, 30))
    def crash_after_a_cancel(self, choice: int, count: int) -> None:
        self._acts(choice).cancel()
        self.world.steps_on(count)
        self.world.crash()
        self._acts(choice).resume_all()

    @precondition(lambda self: self.world.planned is None)
    @rule(place=st.sampled_from(PLACES), passes=st.integers(0, 2))
    def crash_at(self, place: str, passes: int) -> None:
        self.world.planned = (place, passes)

    @rule(choice=CHOICES)
    def drain(self, choice: int) -> None:
        self._acts(choice).drain()

    # --- what holds ----------------------------------------------------------------------------

    @invariant()
    def memory_is_what_a_replay_gives(self) -> None:
        self.world.promises.compare()

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            finale(self.world, self._acts(0))
        finally:
            self.world.close()


def test_any_world_keeps_its_promises() -> None:
    run_state_machine_as_test(
        AnyWorld,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
