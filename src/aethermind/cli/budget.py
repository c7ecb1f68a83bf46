"""`aethermind budget`."""

from __future__ import annotations

import click

from aethermind.cli import streams, text
from aethermind.cli.options import Given, dollars, verb, viewing
from aethermind.cli.resume import engine_for, go_on
from aethermind.cli.session import ask, compose, engine_of, user
from aethermind.domain.days import iso_day
from aethermind.domain.errors import InvalidError
from aethermind.domain.run import Run
from aethermind.engine.client import Client
from aethermind.engine.queries import LedgerRow, RunFilter

TODAY = "today"


@verb("budget")
@click.argument("run", metavar="RUN|today")
@click.argument("usd", callback=dollars, required=False)
@click.option("--only", is_flag=True, help="Record it, and leave the run as it is.")
@click.option("--sim", is_flag=True, help="With `today`: the budget of simulated runs.")
@viewing
@click.pass_obj
def command(
    given: Given, run: str, usd: int | None, only: bool, sim: bool, plain: bool, quiet: bool, as_json: bool
) -> int:
    """Let RUN spend up to USD in all, and go on with it.

    `budget today USD` lets all runs together spend up to USD on this UTC day, whatever is configured;
    `budget today` shows what that budget is and what is left of it.
    """
    if run == TODAY:
        return _today(given, usd, sim=sim, as_json=as_json)
    if usd is None:
        raise click.UsageError(f"how much? aethermind budget {run} USD")
    if sim:
        raise click.UsageError("--sim goes with `today`: a run has one budget")
    composition = compose(given)
    with engine_for(composition, run) as (engine, found):
        if found.finished is not None:
            raise InvalidError(f"run {found.id} is over: {found.finished}")
        _check_helps(found, usd)

        async def allow(client: Client) -> None:
            await client.raise_budget(found.id, usd, by=user())

        if only:
            engine.call(allow).result()
            streams.say(f"recorded; to go on: aethermind resume {found.id}")
            return 0
        return go_on(engine, composition, found, plain=plain, as_json=as_json, quiet=quiet, first=allow)


def _check_helps(run: Run, usd: int) -> None:
    """A budget that is used up already lets nothing go on. Raises `InvalidError` naming the least that does:
    for calls that it holds, what the cheapest of them needs besides.
    """
    tally = run.tally
    parts = {
        "spent": tally.cost or 0,
        "possibly billed for calls whose end nobody saw": tally.at_most,
        "reserved for calls in flight": tally.reserved,
    }
    used = sum(parts.values())
    if usd > used:
        return
    needed = [holding.needed for holding in run.held.values() if holding.scope == "run"]
    told = ", ".join(f"{text.money(micro)} {what}" for what, micro in parts.items() if micro)
    raise InvalidError(
        f"{text.money(usd)} lets run {run.id} do nothing more: {told or 'nothing is spent yet'}",
        hint=f"the least that helps: aethermind budget {run.id} {typed(used + min(needed, default=1))}",
    )


def typed(micro: int) -> str:
    """An amount of micro-USD as it is typed, exact: `0.0124`, `0.000003`, `2`."""
    return f"{micro // 1_000_000}.{micro % 1_000_000:06d}".rstrip("0").rstrip(".")


def _today(given: Given, usd: int | None, *, sim: bool, as_json: bool) -> int:
    """Show the day's money, after setting its cap if that was asked for."""
    if usd is None:
        row = ask(given, lambda client: client.day_budget(simulated=sim))
        waiting: list[str] = []
    else:
        with engine_of(compose(given)) as engine:
            engine.call(lambda client: client.raise_day_budget(usd, simulated=sim, by=user())).result()
            row = engine.call(lambda client: client.day_budget(simulated=sim)).result()
            held = RunFilter(status="waiting_budget")
            runs = engine.call(lambda client: client.runs(held, limit=5)).result()
            waiting = [item.id for item in runs.items if item.simulated == sim]
    if as_json:
        streams.say(text.json_line({"today": day_object(row)}))
        return 0
    streams.say(day_line(row))
    if row.cap is None:
        streams.note("no end is set: [budget] day = 5.00 in config.toml, or aethermind budget today USD")
    for run_id in waiting:
        streams.note(f"waits for a budget; to go on: aethermind resume {run_id}")
    return 0


def day_object(row: LedgerRow) -> dict[str, str | int | bool | None]:
    """A day's money as JSON: integer micro-USD, null where there is no cap."""
    return {
        "day": iso_day(row.day),
        "simulated": row.scope == "day:sim",
        "cap_micro_usd": row.cap,
        "spent_micro_usd": row.spent,
        "at_most_micro_usd": row.at_most,
        "reserved_micro_usd": row.reserved,
        "left_micro_usd": row.left,
    }


def day_line(row: LedgerRow) -> str:
    """`2026-11-22 (UTC): $0.4127 spent of $5.0000, at most $0.0100 more, $0.0200 reserved, $4.5573 left`."""
    parts = [f"{text.money(row.spent)} spent" + (f" of {text.money(row.cap)}" if row.cap is not None else "")]
    if row.at_most:
        parts.append(f"at most {text.money(row.at_most)} more")
    if row.reserved:
        parts.append(f"{text.money(row.reserved)} reserved")
    if row.left is not None:
        parts.append(f"{text.money(max(row.left, 0))} left")
    sim = " of simulated runs" if row.scope == "day:sim" else ""
    return f"{iso_day(row.day)} (UTC){sim}: {', '.join(parts)}"
