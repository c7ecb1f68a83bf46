"""`aethermind models`."""

from __future__ import annotations

import click

from aethermind.cli import text
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.rows import print_page, row_object
from aethermind.cli.session import compose
from aethermind.domain.usage import format_usd


@verb("models")
@as_json
@click.pass_obj
def command(given: Given, as_json: bool) -> int:
    """List models, and what `fast` and `smart` mean. Prices are for a million tokens."""
    rows = compose(given).models.list()
    if as_json:
        print_page(map(row_object, rows))
        return 0
    text.show_table(
        ["MODEL", "ALIASES", "USABLE", "INPUT/M", "OUTPUT/M", "CONTEXT", ""],
        [
            [
                row.id,
                ", ".join(row.aliases),
                "yes" if row.configured else "no",
                format_usd(row.input_price, places=2),
                format_usd(row.output_price, places=2),
                text.tokens(row.context_window) if row.context_window else "",
                row.reason,
            ]
            for row in rows
        ],
        right=(3, 4, 5),
    )
    return 0
