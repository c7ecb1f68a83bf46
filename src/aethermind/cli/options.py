"""What every command shares: the options that stand before or after the verb, and the ways to be refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from aethermind.cli import streams

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Given:
    """The global options as typed, wherever they stood."""

    home: Path | None = None
    env_file: Path | None = None
    ascii: bool = False
    """Of the terminal UI; False leaves it to the config."""
    theme: str | None = None
    low_bandwidth: bool = False
    plain: bool = False
    """No screen: lines and a prompt."""
    connect: str | None = None
    """Another engine than that of the data directory."""
    read_only: bool = False
    """Nothing is changed there."""


def keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """A callback that remembers the option in `Given`, wherever it stood."""
    if value is None or value is False or ctx.resilient_parsing:
        return
    assert param.name is not None
    if param.name == "store":
        raise click.UsageError(f"--{param.name} is not in this version yet", ctx)
    if param.name == "plain":
        streams.be_plain()
    setattr(ctx.find_root().ensure_object(Given), param.name, value)


def global_options() -> list[click.Option]:
    """New option objects for one command."""
    path = click.Path(path_type=Path)

    def option(name: str, help: str, **more: Any) -> click.Option:
        return click.Option([name], help=help, expose_value=False, callback=keep, **more)

    return [
        option("--home", "Data directory (else AETHERMIND_HOME).", type=path, metavar="DIR"),
        option("--env-file", "Read environment variables from this file.", type=path, metavar="FILE"),
        option("--store", "Another store.", metavar="URL", hidden=True),
        option(
            "--connect", "Another engine: unix:PATH, ssh://[user@]HOST, http(s)://HOST.", metavar="TARGET"
        ),
    ]


def looks() -> list[click.Option]:
    """`--ascii`, `--low-bandwidth` and `--theme`, for whatever opens the terminal UI."""
    return [
        click.Option(
            ["--low-bandwidth"],
            is_flag=True,
            expose_value=False,
            callback=keep,
            help="Terminal UI: one frame a second, for a slow line.",
        ),
        click.Option(
            ["--ascii"],
            is_flag=True,
            expose_value=False,
            callback=keep,
            help="Terminal UI: words and ASCII signs only.",
        ),
        click.Option(
            ["--theme"],
            metavar="NAME",
            expose_value=False,
            callback=keep,
            help="Terminal UI: its colours, such as aether-light.",
        ),
    ]


def looking(command: F) -> F:
    """These on a command that has `--tui`."""
    assert isinstance(command, click.Command)
    command.params.extend(looks())
    return command


def dollars(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """`0.50` or `$0.50` → micro-USD."""
    if value is None:
        return None
    from aethermind.definitions.units import micro_usd

    try:
        return micro_usd(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


class Verb(click.Command):
    """A command that also takes the global options, and shows them apart in its help."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.shared = global_options()
        self.params.extend(self.shared)
        self.context_settings.setdefault("help_option_names", ["-h", "--help"])

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own: list[tuple[str, str]] = []
        shared: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                (shared if param in self.shared else own).append(record)
        with formatter.section("Options"):
            formatter.write_dl(own)
        with formatter.section("Everywhere"):
            formatter.write_dl(shared)


def verb(name: str, **attributes: Any) -> Callable[[Callable[..., Any]], Verb]:
    """`@click.command` of class `Verb`."""
    return click.command(name, cls=Verb, **attributes)


def _be_plain(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
    if value and not ctx.resilient_parsing:
        streams.be_plain()
    return value


def viewing(command: F) -> F:
    """`--plain`, `-q` and `--json`, for whatever drives a run."""
    text = "A line of JSON for each new event, then the summary."
    command = click.option("--json", "as_json", is_flag=True, help=text)(command)
    command = click.option("-q", "--quiet", is_flag=True, help="Outputs only.")(command)
    return click.option(
        "--plain", is_flag=True, callback=_be_plain, help="The trace as plain lines, without colours."
    )(command)


def settings(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    """`agents.writer.model=M` → path and value."""
    found: dict[str, str] = {}
    for pair in value:
        path, equals, new = pair.partition("=")
        if not equals or not path:
            raise click.BadParameter(f"{pair!r}: write a.path.in.the.file=value")
        found[path] = new
    return found


def setting(command: F) -> F:
    """`--set PATH=V`, for whatever reads a workflow file."""
    return click.option(
        "--set",
        "overrides",
        multiple=True,
        callback=settings,
        metavar="PATH=V",
        help="Change a value of the file.",
    )(command)


def as_json(command: F) -> F:
    """The option `--json` of listings and acting commands."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)
