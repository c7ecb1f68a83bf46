"""`aethermind audit`, `aethermind audit verify`."""

from __future__ import annotations

import click
import msgspec

from aethermind.cli import streams, text
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.rows import print_page, row_object
from aethermind.cli.session import ask
from aethermind.cli.verbs import Verbs
from aethermind.engine.access import AuditRow
from aethermind.infra.sanitize import clean_line


@click.group("audit", cls=Verbs, invoke_without_command=True)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Acts a page.")
@click.option("--cursor", metavar="CURSOR", help="Where the last page ended.")
@as_json
@click.pass_context
def command(ctx: click.Context, limit: int, cursor: str | None, as_json: bool) -> int:
    """List what people did, newest first: who, from where, what, and to what."""
    if ctx.invoked_subcommand is not None:
        return 0
    page = ask(ctx.find_object(Given) or Given(), lambda client: client.audit(limit=limit, cursor=cursor))
    if as_json:
        print_page(map(row_object, page.items), page.next)
        return 0
    if not page.items:
        streams.note("nobody has done anything yet")
        return 0
    heads = ["N", "WHEN", "WHO", "FROM", "ACT", "WHAT", ""]
    text.show_table(heads, [_cells(row) for row in page.items], right=(0,))
    if page.next:
        streams.note(f"more: aethermind audit --cursor {page.next}")
    return 0


def _cells(row: AuditRow) -> list[str]:
    shown = (row.who, row.origin, row.act, row.target, row.detail)
    return [str(row.n), text.moment(row.at), *map(clean_line, shown)]


@verb("verify", short_help="Is it what was written?")
@click.option("--head", metavar="HASH", help="A hash that was noted before: it must be in the log.")
@as_json
@click.pass_obj
def verify(given: Given, head: str | None, as_json: bool) -> int:
    """Compute the chain of the audit log anew and compare it with the events that are still there. Exit 1 if
    something was changed, taken away or put in between.

    Who can write to the database could make a whole new chain: note the hash that is printed somewhere else,
    and give it to --head the next time.
    """
    found = ask(given, lambda client: client.verify_audit(head))
    if as_json:
        streams.say(text.json_line(msgspec.to_builtins(found)))
        return 0 if found.ok else 1
    if found.ok:
        streams.say(text.marked("succeeded", f"{text.many(found.checked, 'act')}, unchanged", streams.OUT))
        if found.head:
            streams.say(found.head)
        return 0
    told = f"row {found.first_bad}: {clean_line(found.problem)}"
    streams.say(text.marked("failed", told, streams.OUT))
    return 1


command.add_command(verify)
