"""What goes wrong outside of the engine, and how long everything takes: all of it drawn from one seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

Reply = Literal[
    "whole",
    "rate_limit",
    "server",
    "overloaded",
    "connection",
    "timeout",
    "bad_request",
    "malformed",
    "unfit",
    "cut",
    "dropped",
    "no_usage",
]
"""`cut` ends without its end marker, `dropped` loses its connection in the middle, `unfit` does not fit its
schema, `no_usage` does not say what it used."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How likely what is. All zero: nothing fails outside of the engine."""

    reply: float = 0.25
    """A model's answer that is not a whole one."""
    child: float = 0.2
    """A command, Python step or function that fails."""
    append: float = 0.01
    """An append that the disk refuses."""
    slow: float = 0.1
    """Something that takes a hundred times as long."""


CALM = Rates(reply=0.0, child=0.0, append=0.0, slow=0.0)


class Faults:
    def __init__(self, seed: object, rates: Rates) -> None:
        self._random = random.Random(f"{seed}/faults")
        self.rates = rates
        self._tools = 0

    def _s(self, least: float, most: float) -> float:
        s = self._random.uniform(least, most)
        return s * 100 if self._random.random() < self.rates.slow else s

    # --- the disk ------------------------------------------------------------------------------

    def commit_s(self) -> float:
        return self._random.choice((0.0, 0.0004, 0.001, 0.02))

    def answer_s(self) -> float:
        return self._random.choice((0.0, 0.0, 0.0002))

    def read_s(self) -> float:
        return self._random.choice((0.0, 0.0003, 0.004))

    def append_fails(self) -> bool:
        return self._random.random() < self.rates.append

    def batch_fails(self) -> bool:
        return self._random.random() < self.rates.append / 4

    # --- models --------------------------------------------------------------------------------

    def reply(self) -> Reply:
        if self._random.random() >= self.rates.reply:
            return "whole"
        return self._random.choice(
            (
                "rate_limit",
                "rate_limit",
                "server",
                "overloaded",
                "connection",
                "timeout",
                "bad_request",
                "malformed",
                "unfit",
                "unfit",
                "cut",
                "dropped",
                "no_usage",
            )
        )

    def first_token_s(self) -> float:
        return self._s(0.01, 1.5)

    def between_s(self) -> float:
        return self._s(0.0, 0.2)

    def pieces(self) -> int:
        return self._random.randint(1, 4)

    def output_tokens(self, most: int) -> int:
        return self._random.randint(1, most)

    def tools(self, messages: int) -> tuple[str, ...]:
        """What the model wants done; the longer it talks, the less."""
        if self._random.random() < messages / 8:
            return ()
        count = self._random.choice((1, 1, 2, 3))
        return tuple(self._random.choices(("look", "look", "act", "change"), k=count))

    def tool_id(self) -> str:
        self._tools += 1
        return f"t{self._tools}"

    def retry_after_ms(self) -> int | None:
        return self._random.choice((None, None, 200, 3_000, 20_000))

    # --- children ------------------------------------------------------------------------------

    def child_fails(self) -> bool:
        return self._random.random() < self.rates.child

    def child_s(self) -> float:
        return self._s(0.0, 3.0)

    def stop_s(self) -> float:
        return self._random.choice((0.0, 0.003, 0.5, 5.0))

    def chosen(self, most: int) -> int:
        return self._random.randint(0, most)


class SeededChance:
    """The engine's own randomness."""

    def __init__(self, seed: object) -> None:
        self._random = random.Random(f"{seed}/chance")
        self._runs = 0

    def run_id(self) -> str:
        self._runs += 1
        return f"r_sim{self._runs:04d}"

    def jitter(self) -> float:
        return self._random.random()
