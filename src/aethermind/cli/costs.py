"""`aethermind costs`."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import click

from aethermind.cli import streams, text
from aethermind.cli.budget import day_line
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.rows import print_page, row_object
from aethermind.cli.session import ask
from aethermind.definitions.units import duration_ms
from aethermind.domain.usage import NO_USAGE
from aethermind.engine.client import Client
from aethermind.engine.queries import CostFilter, CostGroup, CostRow, LedgerRow

GROUPS: tuple[CostGroup, ...] = ("model", "agent", "workflow", "day", "run")


def since_ms(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """`7d`, `24h`, `2026-11-01` or a full ISO time (local unless it says) → epoch milliseconds."""
    if value is None:
        return None
    try:
        return int(time.time() * 1000) - duration_ms(value)
    except ValueError:
        pass
    try:
        return int(datetime.fromisoformat(value).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(f"{value!r} is neither an age (7d, 24h) nor a date (2026-11-01)") from None


@verb("costs")
@click.option(
    "--by", type=click.Choice(GROUPS), default="model", show_default=True, help="One line for each."
)
@click.option("--since", callback=since_ms, metavar="AGE|DATE", help="Only calls since then: 7d, 2026-11-01.")
@click.option("--sim", is_flag=True, help="The notional cost of simulated runs instead of real money.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
@as_json
@click.pass_obj
def command(given: Given, by: CostGroup, since: int | None, sim: bool, as_csv: bool, as_json: bool) -> int:
    """Sum up tokens and money, real and simulated never mixed."""
    where = CostFilter(by=by, since=since, simulated=sim)

    async def look(client: Client) -> tuple[list[CostRow], LedgerRow]:
        return await client.costs(where), await client.day_budget(simulated=sim)

    rows, today = ask(given, look)
    if as_json:
        print_page(map(row_object, rows))
    elif as_csv:
        _print_csv(by, rows, sim=sim)
    elif rows:
        _print_table(by, rows, sim=sim)
    else:
        streams.note("no simulated calls" if sim else "nothing was spent (simulated: aethermind costs --sim)")
    if today.cap is not None and not as_json and not as_csv:
        streams.note(day_line(today))
    return 0


def _print_table(by: CostGroup, rows: list[CostRow], *, sim: bool) -> None:
    priced = [row.cost_micro_usd for row in rows if row.cost_micro_usd is not None]
    total = CostRow(
        key="total (sim: notional)" if sim else "total",
        calls=sum(row.calls for row in rows),
        usage=sum((row.usage for row in rows), NO_USAGE),
        cost_micro_usd=sum(priced) if priced else None,
        unpriced_calls=sum(row.unpriced_calls for row in rows),
        in_flight_calls=sum(row.in_flight_calls for row in rows),
        reserved_micro_usd=sum(row.reserved_micro_usd for row in rows),
        at_most_micro_usd=sum(row.at_most_micro_usd for row in rows),
        saved_micro_usd=sum(row.saved_micro_usd for row in rows),
    )
    saved = bool(total.saved_micro_usd)
    text.show_table(
        [by.upper(), "CALLS", "INPUT", "CACHED", "OUTPUT", "COST", *(["SAVED"] if saved else []), ""],
        [_cells(row, saved=saved) for row in [*rows, total]],
        right=(1, 2, 3, 4, 5, 6) if saved else (1, 2, 3, 4, 5),
    )


def _cells(row: CostRow, *, saved: bool) -> list[str]:
    """`saved`: with the column of what caching saved."""
    more = [f"at most {text.money(row.at_most_micro_usd)} more"] if row.at_most_micro_usd else []
    more += [f"~{text.money(row.reserved_micro_usd)} in flight"] if row.in_flight_calls else []
    return [
        row.key,
        str(row.calls),
        text.tokens(row.usage.input_tokens),
        text.tokens(row.usage.cached_input_tokens),
        text.tokens(row.usage.output_tokens),
        text.money(row.cost_micro_usd, unpriced=row.unpriced_calls),
        *([text.money(row.saved_micro_usd) if row.saved_micro_usd else ""] if saved else []),
        ", ".join(more),
    ]


def _print_csv(by: CostGroup, rows: list[CostRow], *, sim: bool) -> None:
    import csv
    import io

    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    usage = list(NO_USAGE.__struct_fields__)
    money = [
        "cost_micro_usd",
        "unpriced_calls",
        "in_flight_calls",
        "reserved_micro_usd",
        "at_most_micro_usd",
        "saved_micro_usd",
    ]
    writer.writerow([by, "calls", *usage, *money, "simulated"])
    for row in rows:
        counts: list[Any] = [getattr(row.usage, name) for name in usage]
        writer.writerow([row.key, row.calls, *counts, *(getattr(row, name) for name in money), int(sim)])
    streams.say(file.getvalue().rstrip("\n"))
