"""What a call may cost at most, and whether its run's budget has that much left.

A reservation bounds what is billed: UTF-8 bytes (and an overhead for each message) count as input tokens,
because no tokenizer makes more than one token of a byte; `max_tokens` counts as output, and reasoning is part
of it on every wire that is spoken here; the input counts at the dearest of its rates, since writing it into a
vendor's cache may cost more than reading it. A vendor may still bill more than it was asked for: then the
overrun is shown.
"""

from __future__ import annotations

from collections.abc import Iterable

from aethermind import wire
from aethermind.domain.errors import AethermindError, ErrorInfo, ProviderError
from aethermind.domain.events import CallStarted
from aethermind.domain.holding import GUARD
from aethermind.domain.ids import static_path
from aethermind.domain.journal import PROGRAMS
from aethermind.domain.run import Run
from aethermind.domain.usage import Usage
from aethermind.engine.ports import ChatRequest, Prices
from aethermind.engine.requests import DEFAULT_MAX_TOKENS

MESSAGE_OVERHEAD = 16
"""Bytes added per message."""


class HeldByBudget(AethermindError):
    """The call could overshoot the budget `scope` (or the guard holds it back): its attempt ends, the step
    waits. Micro-USD."""

    def __init__(self, scope: str, needed: int = 0, available: int = 0) -> None:
        budget = f"the budget of the {scope} could be exceeded"
        super().__init__("the run repeats itself" if scope == GUARD else budget)
        self.scope, self.needed, self.available = scope, needed, available


def worst_case(prices: Prices, provider: str, request: ChatRequest, *, at: int) -> int | None:
    """Micro-USD; None if the model has no known price, or if it is an agent itself, which asks its own models
    nobody knows how often. `at`: epoch ms."""
    if provider == PROGRAMS:
        return None
    size = sum(len(m.content.encode()) + MESSAGE_OVERHEAD for m in request.messages)
    carried = [m.carry for m in request.messages if m.carry is not None]
    for part in (*(call for m in request.messages for call in m.tool_calls), *request.tools, *carried):
        size += len(wire.encode_json(part)) + MESSAGE_OVERHEAD
    size += len(request.instructions.encode()) + MESSAGE_OVERHEAD
    if request.output_schema is not None:
        size += len(wire.encode_json(request.output_schema)) + MESSAGE_OVERHEAD
    wanted = request.settings.get("max_tokens", DEFAULT_MAX_TOKENS)
    ceiling = wanted if isinstance(wanted, int) else DEFAULT_MAX_TOKENS
    rates = (
        Usage(input_tokens=size, output_tokens=ceiling),
        Usage(input_tokens=size, cache_write_tokens=size, output_tokens=ceiling),
    )
    costs = [prices.cost(provider, request.model, usage, at=at).micro_usd for usage in rates]
    return max((cost for cost in costs if cost is not None), default=None)


def check_price(run: Run, worst: int | None, full: str) -> None:
    """Where there is a budget, a model whose price nobody knows is refused, unless the workflow allows it.
    Raises `ProviderError`."""
    terms = run.definition.budget
    if worst is None and not (terms is not None and terms.unpriced == "allow"):
        program = full.startswith(f"{PROGRAMS}:")
        what = "says only in the end what it cost" if program else "has no known price"
        hint = "" if program else "set its price in config.toml, or "
        raise ProviderError(
            ErrorInfo(
                kind="bad_request",
                message=f"{full} {what}, so the budget can't be kept",
                hint=f"{hint}budget: {{unpriced: allow}}",
            )
        )


def check_run(
    run: Run, worst: int | None, call: CallStarted, full: str, pending: Iterable[CallStarted]
) -> None:
    """Whether the run's own budget has room for `worst` micro-USD, which `call` may cost. `pending`: calls
    that were decided and are not applied yet. Raises `ProviderError`, `HeldByBudget`."""
    budget = run.budget_micro_usd
    if budget is None:
        return
    check_price(run, worst, full)
    if not worst:
        return
    # What a call whose end nobody saw may have cost counts as spent.
    available = budget - (run.tally.cost or 0) - run.tally.at_most - run.tally.reserved
    available -= sum(other.reserved_micro_usd or 0 for other in pending)
    if worst <= available:
        return
    terms = run.definition.budget
    if terms is not None and terms.on_exceed == "fail":
        raise ProviderError(
            ErrorInfo(
                kind="bad_request",
                message=f"the budget of ${budget / 1e6:.4f} could be exceeded: this call may cost "
                f"${worst / 1e6:.4f}, ${max(available, 0) / 1e6:.4f} is left",
                hint=f"aethermind fork {run.id} --at {static_path(call.step).split('/')[0]} --budget USD",
            )
        )
    raise HeldByBudget("run", worst, available)
