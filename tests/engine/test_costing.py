from __future__ import annotations

from typing import Any

import pytest

from aethermind.cli.consent import range_text
from aethermind.domain.usage import Cost, Usage
from aethermind.domain.workflow import Group, Prompt, Repeat, StepDef, Value, WorkflowDef
from aethermind.engine.costing import ASSUMED_ITEMS, CostRange, estimate
from aethermind.engine.ports import Estimate


class BytePrices:
    """A micro-dollar a byte of input and a token of output; the model `secret` has no price."""

    def cost(self, provider: str, model: str, usage: Usage, *, at: int) -> Cost:
        raise AssertionError("nothing is settled before a run")

    def estimate(self, provider: str, model: str, *, input_bytes: int, max_output_tokens: int) -> Estimate:
        if model == "secret":
            return Estimate(low_micro_usd=None, high_micro_usd=None)
        return Estimate(low_micro_usd=input_bytes, high_micro_usd=input_bytes + max_output_tokens)


def prompt(id: str, *, model: str = "m", **fields: Any) -> StepDef:
    action = Prompt(template="x" * 100, models=(model,), settings={"max_tokens": 50})
    return StepDef(id=id, action=action, **fields)


def found(*steps: StepDef, inputs: dict[str, Any] | None = None, limit: int | None = None) -> CostRange:
    models = {"m": ("p:m",), "secret": ("p:secret",)}
    definition = WorkflowDef(name="w", steps=steps)
    return estimate(definition, models, BytePrices(), inputs or {}, limit=limit)


NOTHING_GIVEN = len(b"{}")


def test_one_prompt_costs_its_text_and_at_most_a_full_answer() -> None:
    assert found(prompt("a")) == CostRange(low=100, high=100 + NOTHING_GIVEN + 50, prompts=1)


def test_answers_that_are_passed_on_count_where_they_go() -> None:
    alone, chained = found(prompt("a"), prompt("b")), found(prompt("a"), prompt("b", references=("a",)))
    assert chained.low == alone.low
    assert chained.high == alone.high + 50 * 4  # a full answer, four bytes a token


@pytest.mark.parametrize(
    "fields, least, most, assumed",
    [
        ({"for_each": [1, 2, 3]}, 3, 3, False),
        ({"for_each": "{{ x }}"}, 0, ASSUMED_ITEMS, True),
        ({"repeat": Repeat(max=4)}, 1, 4, False),
        ({"when": "x"}, 0, 1, False),
    ],
)
def test_how_often_a_prompt_may_run(fields: dict[str, Any], least: int, most: int, assumed: bool) -> None:
    one, many = found(prompt("a")), found(prompt("a", **fields))
    assert (many.low, many.high, many.assumed) == (one.low * least, one.high * most, assumed)
    group = found(StepDef(id="g", action=Group(steps=(prompt("a"),)), **fields))
    assert (group.low, group.high, group.assumed) == (many.low, many.high, assumed)


def test_a_limit_bounds_fan_outs_and_leaves_nothing_to_assume() -> None:
    one, many = found(prompt("a")), found(prompt("a", for_each="{{ x }}"), limit=3)
    assert (many.high, many.assumed) == (one.high * 3, False)


def test_an_unknown_price_is_counted_and_never_free() -> None:
    costs = found(prompt("a"), prompt("b", model="secret"))
    assert costs.unpriced == 1
    assert "1 of 2 prompts on models whose price is unknown" in range_text(costs)
    assert "$" not in range_text(found(prompt("b", model="secret")))


def test_without_prompts_there_is_no_cost() -> None:
    costs = found(StepDef(id="a", action=Value(value=1)))
    assert costs == CostRange()
    assert range_text(costs) == "no model calls"


def test_the_range_in_words() -> None:
    costs = CostRange(low=4_000, high=30_000, prompts=2, assumed=True)
    assert range_text(costs) == "estimated $0.0040–0.0300, fan-outs counted as up to 10 items"


# --- with what was used before -------------------------------------------------------------------


class TokenPrices(BytePrices):
    """A micro-dollar a token; a cached one a tenth."""

    def cost(self, provider: str, model: str, usage: Usage, *, at: int) -> Cost:
        full = usage.input_tokens - usage.cached_input_tokens + usage.output_tokens
        return Cost(micro_usd=full + usage.cached_input_tokens // 10)


def with_history(seen: tuple[Usage, ...], *steps: StepDef, path: str = "a") -> CostRange:
    definition = WorkflowDef(name="w", steps=steps)
    return estimate(definition, {"m": ("p:m",)}, TokenPrices(), {}, history={(path, "p:m"): seen}, now=1)


def used(input: int, output: int, cached: int = 0) -> Usage:
    return Usage(input_tokens=input, output_tokens=output, cached_input_tokens=cached)


def test_what_was_used_before_narrows_the_range() -> None:
    wide = found(prompt("a"))
    once = with_history((used(120, 10),), prompt("a"))
    often = with_history((used(120, 10),) * 9, prompt("a"))
    assert (wide.low, wide.high) == (100, 152)
    assert (once.low, once.high, once.seen) == (100, 152, 1), "one run may have been an odd one"
    assert (often.low, often.high) == (104, 152)
    assert with_history((used(90, 5),) * 9, prompt("a")).high == 119
    assert with_history((used(90, 5),) * 9, prompt("b")) == found(prompt("b"))


def test_what_lies_beyond_the_possible_is_believed() -> None:
    costs = with_history((used(5_000, 1_000),) * 9, prompt("a"))
    assert (costs.low, costs.high) == (4_800, 7_500)


def test_a_cache_may_be_cold_the_next_time() -> None:
    costs = with_history((used(100, 20, cached=100),) * 9, prompt("a"))
    assert (costs.low, costs.high) == (100, 150)


def test_a_step_inside_is_found_by_its_path() -> None:
    group = StepDef(id="g", action=Group(steps=(prompt("a"),)))
    assert with_history((used(90, 5),) * 9, group, path="g/a").high == 119
    assert with_history((used(90, 5),) * 9, group, path="a").seen == 0
