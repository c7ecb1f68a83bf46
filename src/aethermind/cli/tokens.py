"""`aethermind tokens create | list | revoke`."""

from __future__ import annotations

import time

import click

from aethermind.cli import streams, text
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.rows import print_page, row_object
from aethermind.cli.session import ask, compose, engine_of, user
from aethermind.cli.verbs import Verbs
from aethermind.definitions.units import duration_ms
from aethermind.engine.access import SCOPES, Scope, TokenRow
from aethermind.infra.sanitize import clean_line


@click.command("tokens", cls=Verbs, epilog="Each takes --json.")
def command() -> None:
    """Tokens of the API: make one, list them, revoke one.

    A viewer may look, an operator also act on runs and start what is registered, an admin may do everything.
    """


def _age(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    try:
        return None if value is None else duration_ms(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@verb("create", short_help="Make a token; it is shown once.")
@click.argument("name")
@click.option(
    "--scope", type=click.Choice(SCOPES), default="viewer", show_default=True, help="What it may be used for."
)
@click.option("--expires", callback=_age, metavar="AGE", help="So long it is good: 30d, 12h. Else for ever.")
@as_json
@click.pass_obj
def create(given: Given, name: str, scope: Scope, expires: int | None, as_json: bool) -> int:
    """Make a token called NAME. Its text goes to stdout, once: it is kept nowhere."""
    expires_at = None if expires is None else int(time.time() * 1000) + expires
    with engine_of(compose(given)) as engine:
        made = engine.call(
            lambda client: client.create_token(name, scope=scope, expires_at=expires_at, by=user())
        ).result()
    if as_json:
        streams.say(text.json_line(row_object(made)))
        return 0
    streams.say(made.token)
    ends = "does not expire" if expires_at is None else f"good until {text.moment(expires_at)}"
    streams.note(f"token {made.id} ({clean_line(name)}, {scope}), {ends}: shown only now, kept nowhere")
    return 0


@verb("list", short_help="List all tokens, without their text.")
@as_json
@click.pass_obj
def list_(given: Given, as_json: bool) -> int:
    """List all tokens, newest first: those that are good, have expired, or were revoked."""
    rows = ask(given, lambda client: client.tokens())
    if as_json:
        print_page(map(row_object, rows))
        return 0
    if not rows:
        streams.note("no tokens yet: aethermind tokens create NAME")
        return 0
    now = int(time.time() * 1000)
    text.show_table(
        ["ID", "NAME", "SCOPE", "CREATED", "BY", "STATE"],
        [
            [
                row.id,
                clean_line(row.name),
                row.scope,
                text.moment(row.created_at),
                clean_line(row.created_by),
                _state(row, now),
            ]
            for row in rows
        ],
    )
    return 0


def _state(row: TokenRow, now: int) -> str:
    if row.revoked_at is not None:
        return f"revoked {text.moment(row.revoked_at)}"
    if row.expires_at is None:
        return "good"
    return f"{'good until' if row.expires_at > now else 'expired'} {text.moment(row.expires_at)}"


@verb("revoke", short_help="Make a token good for nothing.")
@click.argument("token_id", metavar="ID")
@as_json
@click.pass_obj
def revoke(given: Given, token_id: str, as_json: bool) -> int:
    """Make the token with this ID good for nothing, at once."""
    with engine_of(compose(given)) as engine:
        engine.call(lambda client: client.revoke_token(token_id, by=user())).result()
    streams.say(text.json_line({"id": token_id, "revoked": True}) if as_json else f"revoked {token_id}")
    return 0


for _each in (create, list_, revoke):
    command.add_command(_each)
