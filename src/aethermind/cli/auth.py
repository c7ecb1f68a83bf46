"""`aethermind auth`."""

from __future__ import annotations

import sys
from typing import Any

import click

from aethermind import bootstrap
from aethermind.cli import streams, text
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.rows import print_page
from aethermind.cli.session import compose
from aethermind.definitions.hints import did_you_mean
from aethermind.domain.errors import InvalidError, NotFoundError

LONGEST = 4_096


@verb("auth")
@click.argument("provider", required=False)
@click.option("--remove", is_flag=True, help="Take the key out of the keyring.")
@as_json
@click.pass_obj
def command(given: Given, provider: str | None, remove: bool, as_json: bool) -> int:
    """Put PROVIDER's key (openai, anthropic, or one of your config's) into the system's keyring.

    The key is asked for without being shown, or read from stdin: pass show openai | aethermind auth openai
    For http(s)://HOST:PORT it keeps the token of that engine, as `attach` and --connect need it.
    Without PROVIDER it lists where each key comes from; a key itself is never shown.
    """
    composition = compose(given)
    if provider is None:
        if remove:
            raise InvalidError(
                "which provider's key is to be removed?", hint="aethermind auth openai --remove"
            )
        _list(composition, as_json=as_json)
        return 0
    if "://" in provider:
        provider = bootstrap.token_name(provider)
        return _keep(composition, provider, remove=remove, what=f"the token of {provider}")
    models = composition.models
    keyed = [name for name, endpoint in models.endpoints.items() if endpoint.kind != "sim"]
    if provider not in keyed:
        raise NotFoundError(f"there is no provider {provider!r}", hint=did_you_mean(provider, keyed))
    return _keep(composition, provider, remove=remove, what=f"the key of {provider}")


def _keep(composition: bootstrap.Composition, name: str, *, remove: bool, what: str) -> int:
    secrets = composition.secrets
    if remove:
        secrets.delete(name)
        streams.say(f"{what} is out of the keyring")
        return 0
    key = _read(what)
    if not key:
        raise InvalidError(f"no {'token' if '://' in name else 'key'} was given")
    secrets.store(name, key)
    streams.say(f"{what} is in the keyring")
    for variable in secrets.variables(name):
        if secrets.from_environment(name) is not None:
            streams.note(f"{variable} is set, too, and goes first")
            break
    return 0


def _list(composition: bootstrap.Composition, *, as_json: bool) -> None:
    secrets = composition.secrets
    rows: list[dict[str, Any]] = []
    for name, endpoint in composition.models.endpoints.items():
        if not endpoint.needs_key and secrets.from_environment(name) is None:
            continue
        key = secrets.find(name)
        rows.append(
            {
                "provider": name,
                "key": key.masked if key is not None else None,
                "from": key.origin if key is not None else None,
                "variables": secrets.variables(name),
            }
        )
    if as_json:
        print_page(rows)
        return
    text.show_table(
        ["PROVIDER", "KEY", "FROM"],
        [
            [row["provider"], row["key"] or "none", row["from"] or f"aethermind auth {row['provider']}"]
            for row in rows
        ],
    )
    if secrets.keyring == "absent":
        streams.note("no keyring answers on this machine: keys come from the environment (--env-file F)")


def _read(what: str) -> str:
    if sys.stdin.isatty():
        key: str = click.prompt(what.removeprefix("the "), hide_input=True, err=True)
    else:
        key = sys.stdin.readline(LONGEST)
    return key.strip()
