"""`aethermind runs`."""

from __future__ import annotations

import click

from aethermind.cli import streams, text
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.rows import print_page, run_row
from aethermind.cli.session import ask
from aethermind.domain.state import RunStatus
from aethermind.engine.queries import RunFilter, RunRow

STATUSES = RunStatus.__args__  # type: ignore[attr-defined]  # the names of a Literal


@verb("runs")
@click.option("--status", type=click.Choice(STATUSES), help="Only runs with this status.")
@click.option("--workflow", metavar="NAME", help="Only runs of this workflow.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Runs a page.")
@click.option("--cursor", metavar="CURSOR", help="Where the last page ended.")
@as_json
@click.pass_obj
def command(
    given: Given, status: str | None, workflow: str | None, limit: int, cursor: str | None, as_json: bool
) -> int:
    """List runs, newest first."""
    where = RunFilter(status=status, workflow=workflow)
    page = ask(given, lambda client: client.runs(where, limit=limit, cursor=cursor))
    if as_json:
        print_page(map(run_row, page.items), page.next)
        return 0
    if not page.items:
        streams.note(
            "no runs yet: aethermind run research-brief --sim" if not status else f"no {status} runs"
        )
        return 0
    text.show_table(
        ["RUN", "WORKFLOW", "STATUS", "CREATED", "TIME", "TOKENS", "COST", ""],
        [_cells(row) for row in page.items],
        right=(4, 5, 6),
    )
    if page.next:
        streams.note(f"more: aethermind runs --cursor {page.next}")
    return 0


def _cells(row: RunRow) -> list[str]:
    spent = row.finished_at - row.created_at if row.finished_at is not None else None
    return [
        row.id,
        row.workflow,
        f"{text.glyph(row.status, unicode=streams.unicode_fits(streams.OUT))} {row.status}".strip(),
        text.moment(row.created_at),
        text.took(spent),
        text.tokens(row.usage.total_tokens) if row.usage.total_tokens else "",
        text.money(row.cost_micro_usd, unpriced=row.unpriced_calls),
        " ".join([*(["sim"] if row.simulated else []), *([row.error] if row.error else [])]),
    ]
