"""`aethermind agents`."""

from __future__ import annotations

import click

from aethermind.cli import streams, text
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.rows import print_page, row_object
from aethermind.cli.session import ask


@verb("agents")
@as_json
@click.pass_obj
def command(given: Given, as_json: bool) -> int:
    """List agents: those that are registered, and those that runs have used."""
    rows = ask(given, lambda client: client.agents())
    if as_json:
        print_page(map(row_object, rows))
        return 0
    if not rows:
        streams.note("no agents yet: they appear with the first run that uses them")
        return 0
    text.show_table(
        ["AGENT", "MODEL", "ATTEMPTS", "FAILED", "COST", "LAST SEEN"],
        [
            [
                row.name,
                row.model or "",
                str(row.attempts),
                str(row.failed),
                text.money(row.cost_micro_usd),
                text.moment(row.last_seen_at),
            ]
            for row in rows
        ],
        right=(2, 3, 4),
    )
    return 0
