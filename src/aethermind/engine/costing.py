"""What a workflow may cost, before anything is asked of a model: a range, or that nobody knows.

Low: each prompt once, with the text that is known, and an empty answer. High: prompts filled with answers
of full length, loops to their last round, fan-outs with `ASSUMED_ITEMS` items where their number is not
known. Retries are not counted. A step that ran before on the same model narrows its part (`engine.history`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from aethermind.domain.ids import child
from aethermind.domain.workflow import Group, Prompt, StepDef, SubWorkflow, WorkflowDef, prompt_config
from aethermind.engine.history import NO_HISTORY, History, narrowed
from aethermind.engine.ports import ChatRequest, Prices
from aethermind.engine.requests import DEFAULT_MAX_TOKENS

Json = Any
ASSUMED_ITEMS = 10
BYTES_A_TOKEN = 4
USUAL_ANSWER = 1_000
"""Tokens, where `max_tokens` does not say."""


class CostRange(msgspec.Struct, frozen=True, kw_only=True):
    """Micro-USD over all priced prompts. `unpriced`: prompts on models whose price nobody knows."""

    low: int = 0
    high: int = 0
    prompts: int = 0
    unpriced: int = 0
    seen: int = 0
    """Prompts whose range was narrowed by what they used before."""
    assumed: bool = False
    """Whether the number of a fan-out's items had to be assumed."""


def estimate(
    definition: WorkflowDef,
    models: Mapping[str, tuple[str, ...]],
    prices: Prices,
    inputs: Mapping[str, Json],
    *,
    limit: int | None = None,
    history: History = NO_HISTORY,
    now: int = 0,
) -> CostRange:
    """`models`: every model name of the definition → what it means here. `history`: what its steps used
    before, priced as of `now` (epoch milliseconds)."""
    given = len(msgspec.json.encode(dict(inputs)))
    low = high = prompts = unpriced = seen = 0
    assumed = False
    for owner, path, step, (least, most), guessed in _prompts(
        definition, "", definition.steps, (1, 1), limit
    ):
        if not isinstance(step.action, Prompt):
            continue
        config = prompt_config(owner, step)
        name = next((found for alias in config.models for found in models.get(alias, ())), None)
        if name is None:
            continue
        prompts += 1
        assumed = assumed or guessed
        provider, _, model = name.partition(":")
        answer = int(config.settings.get("max_tokens") or DEFAULT_MAX_TOKENS)
        known = len(step.action.template.encode()) + len(config.instructions.encode())
        filled = known + given + len(step.references) * answer * BYTES_A_TOKEN
        few = prices.estimate(provider, model, input_bytes=known, max_output_tokens=0)
        much = prices.estimate(provider, model, input_bytes=filled, max_output_tokens=answer)
        if few.low_micro_usd is None or much.high_micro_usd is None:
            unpriced += 1
            continue
        from_, to = few.low_micro_usd, much.high_micro_usd
        if used := history.get((path, name)):
            seen += 1
            from_, to = narrowed(prices, name, used, from_, to, at=now)
        low += from_ * least
        high += to * most
    return CostRange(low=low, high=high, prompts=prompts, unpriced=unpriced, seen=seen, assumed=assumed)


def expected_tokens(request: ChatRequest) -> int:
    """About how many tokens a call will use, in and out: for limits per minute, until its usage is known."""
    said = msgspec.json.encode((request.instructions, request.messages, request.tools, request.output_schema))
    wanted = request.settings.get("max_tokens")
    return len(said) // BYTES_A_TOKEN + (wanted if isinstance(wanted, int) else USUAL_ANSWER)


def _prompts(
    owner: WorkflowDef, above: str, steps: tuple[StepDef, ...], times: tuple[int, int], limit: int | None
) -> Iterator[tuple[WorkflowDef, str, StepDef, tuple[int, int], bool]]:
    """Each step that is no container, with the workflow it belongs to, its path, how often it runs at least
    and at most, and whether that was guessed."""
    for step in steps:
        path = child(above, step.id)
        least, most = times
        guessed = False
        if isinstance(step.for_each, list):
            count = min(len(step.for_each), limit or len(step.for_each))
            least, most = least * count, most * count
        elif step.for_each is not None:
            least, most = 0, most * min(limit or ASSUMED_ITEMS, step.max_items)
            guessed = limit is None
        if step.repeat is not None:
            most *= step.repeat.max
        if step.when is not None:
            least = 0
        match step.action:
            case Group(steps=inside):
                within = _prompts(owner, path, inside, (least, most), limit)
            case SubWorkflow(workflow=inner):
                within = _prompts(inner, path, inner.steps, (least, most), limit)
            case _:
                yield owner, path, step, (least, most), guessed
                continue
        for its_owner, its_path, one, its_times, its_guessed in within:
            yield its_owner, its_path, one, its_times, guessed or its_guessed
