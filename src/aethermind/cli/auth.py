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
    models = composition.models
    keyed = [name for name, endpoint in models.endpoints.items() if endpoint.kind != "sim"]
    if provider not in keyed:
        raise NotFoundError(f"there is no provider {provider!r}", hint=did_you_mean(provider, keyed))
    secrets = composition.secrets
    if remove:
        secrets.delete(provider)
        streams.say(f"the key of {provider} is out of the keyring")
        return 0
    key = _read(provider)
    if not key:
        raise InvalidError("no key was given")
    secrets.store(provider, key)
    streams.say(f"the key of {provider} is in the keyring")
    for name in secrets.variables(provider):
        if secrets.from_environment(provider) is not None:
            streams.note(f"{name} is set, too, and goes first")
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


def _read(provider: str) -> str:
    if sys.stdin.isatty():
        key: str = click.prompt(f"key of {provider}", hide_input=True, err=True)
    else:
        key = sys.stdin.readline(LONGEST)
    return key.strip()
