"""`aethermind auth`."""

from __future__ import annotations

import sys

import click

from aethermind.cli import streams
from aethermind.cli.options import Given, verb
from aethermind.cli.session import compose
from aethermind.definitions.hints import did_you_mean
from aethermind.domain.errors import InvalidError, NotFoundError

LONGEST = 4_096


@verb("auth")
@click.argument("provider")
@click.option("--remove", is_flag=True, help="Take the key out of the keyring.")
@click.pass_obj
def command(given: Given, provider: str, remove: bool) -> int:
    """Put PROVIDER's key (openai, anthropic, or one of your config's) into the system's keyring.

    The key is asked for without being shown, or read from stdin: pass show openai | aethermind auth openai
    """
    composition = compose(given)
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


def _read(provider: str) -> str:
    if sys.stdin.isatty():
        key: str = click.prompt(f"key of {provider}", hide_input=True, err=True)
    else:
        key = sys.stdin.readline(LONGEST)
    return key.strip()
