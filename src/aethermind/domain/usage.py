"""Tokens and money.

Rules
- Token counts are *inclusive*: `input_tokens` contains the cached and cache-write tokens,
  `output_tokens` contains the reasoning tokens. Adapters normalise; nobody else may.
- Money is an integer number of micro-USD (10⁻⁶ $). A call is rounded half-even once; sums are of
  rounded calls. An unknown price is `None`, never 0.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one call, or a sum of calls. All counts are ≥ 0 and inclusive."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            cached_input_tokens=self.cached_input_tokens + other.cached_input_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
        )

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens


NO_USAGE = Usage()


class Cost(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The settled price of one call. `micro_usd` is None when no price is known."""

    micro_usd: int | None = None
    source: str = "unpriced"
    """Where the price came from: `genai-prices 0.2.3`, `config`, `sim`, `local`, `reported`, `unpriced`; or
    `reserved`: nobody knows the amount, but it is not above what was reserved for the call."""
    saved_micro_usd: int = 0
    """By a vendor's prompt cache against the full input rate, or by an answer that was used again: what it
    had cost (0 when unknown)."""

    @property
    def bounded(self) -> bool:
        """Unknown, but at most the call's reservation."""
        return self.micro_usd is None and self.source == RESERVED


RESERVED = "reserved"
"""See `Cost.source`."""
AT_MOST_RESERVED = Cost(source=RESERVED)


def micro_usd(dollars: Decimal) -> int:
    """Dollars → integer micro-USD, rounded half-even."""
    return int((dollars * 1_000_000).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def format_usd(micro: int | None, *, places: int = 4) -> str:
    """`$0.4127`; `—` for an unknown price."""
    return "—" if micro is None else f"${micro / 1_000_000:,.{places}f}"
