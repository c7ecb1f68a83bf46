"""The command `aethermind`: its table of lazily loaded commands, help in groups, one error handler."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

import click

from aethermind import __version__
from aethermind.cli import streams
from aethermind.cli.errors import report
from aethermind.cli.options import Given, Verb, global_options, keep, looks


class Entry(NamedTuple):
    """Where a command is, and what help says of it without loading it."""

    group: str
    module: str
    summary: str


COMMANDS: dict[str, Entry] = {
    "runs": Entry("Look", "runs", "List runs, newest first."),
    "show": Entry("Look", "show", "Show a run: its steps, outputs and cost."),
    "logs": Entry("Look", "logs", "Print the log of a run."),
    "agents": Entry("Look", "agents", "List agents."),
    "workflows": Entry("Look", "workflows", "List workflows that can be run by name."),
    "models": Entry("Look", "models", "List models, and what `fast` and `smart` mean."),
    "costs": Entry("Look", "costs", "Sum up tokens and money."),
    "diff": Entry("Look", "diff", "Compare two runs."),
    "run": Entry("Act", "run", "Run a workflow."),
    "resume": Entry("Act", "resume", "Go on with an interrupted or paused run."),
    "retry": Entry("Act", "retry", "Run the failed steps of a run again."),
    "fork": Entry("Act", "fork", "A new run that takes over what another one has done."),
    "answer": Entry("Act", "answer", "Decide what a step waits for."),
    "approve": Entry("Act", "approve", "Say yes to an approval."),
    "reject": Entry("Act", "reject", "Say no to an approval."),
    "budget": Entry("Act", "budget", "Give a run that waits for money a higher budget."),
    "pause": Entry("Act", "pause", "Let a run start nothing new."),
    "cancel": Entry("Act", "cancel", "Cancel a run, or one step of it."),
    "new": Entry("Make", "new", "Write a new workflow file."),
    "samples": Entry("Make", "samples", "List the sample workflows."),
    "validate": Entry("Make", "validate", "Check workflow files without running them."),
    "schema": Entry("Make", "schema", "Print the JSON Schema of workflow files."),
    "serve": Entry("Operate", "serve", "An engine without a screen, to attach to."),
    "stop": Entry("Operate", "stop", "End the engine of this data, gracefully."),
    "attach": Entry("Operate", "attach", "The terminal UI on another engine, here or elsewhere."),
    "export": Entry("Operate", "export", "Write a run as one file, without secrets."),
    "import": Entry("Operate", "import_", "Take in a run that was exported."),
    "db": Entry("Operate", "db", "Look after the database: check, rebuild, backup, prune."),
    "doctor": Entry("Operate", "doctor", "Tell what is configured, and how to repair what is not."),
    "auth": Entry("Operate", "auth", "Put a provider's key into the system's keyring."),
    "trust": Entry("Operate", "trust", "Trust a workflow file, or a directory of your own."),
    "tokens": Entry("Operate", "tokens", "Tokens of the API: create, list, revoke."),
    "audit": Entry("Operate", "audit", "Who did what, from where; and whether that was changed."),
}
HIDDEN: dict[str, Entry] = {"bridge": Entry("Operate", "bridge", "The host's side of `attach ssh://`.")}
GROUPS = ("Look", "Act", "Make", "Operate")
LATER = frozenset({"alerts", "sync", "worker"})
"""Words of the finished product: they get a plain answer, not "no such command"."""


class Root(click.Group):
    """Loads the module of a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name) or HIDDEN.get(cmd_name)
        if entry is None:
            return None
        command = import_module(f"aethermind.cli.{entry.module}").command
        assert isinstance(command, Verb)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name in LATER:
            raise click.UsageError(f"`{name}` is not in this version yet", ctx)
        if name not in COMMANDS and name not in HIDDEN and not name.startswith("-"):
            raise click.NoSuchCommand(name, possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))
        for group in GROUPS:
            with formatter.section(group):
                formatter.write_dl(
                    [(name.ljust(width), e.summary) for name, e in COMMANDS.items() if e.group == group]
                )


def _start(ctx: click.Context) -> int:
    """Without a command: the screen on a terminal, a prompt on one that can only print lines or with --plain,
    help elsewhere.
    """
    given = ctx.ensure_object(Given)
    if given.plain or (streams.on_terminal() and streams.PLAIN.is_set()):
        from aethermind.cli.plain import open_plain

        return open_plain(given)
    if not streams.on_terminal():
        click.echo(ctx.get_help())
        return 0
    if given.connect is None:  # on the way elsewhere, ssh may ask for a password
        streams.pass_by(f"aethermind {__version__} opens")
    try:
        from aethermind.cli.screen import open_screen

        return open_screen(given)
    finally:
        streams.passed()


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        streams.say(f"aethermind {__version__}")
        ctx.exit()


@click.pass_context
def _without_command(ctx: click.Context) -> int | None:
    return _start(ctx) if ctx.invoked_subcommand is None else None


_PLAIN = click.Option(
    ["--plain"],
    is_flag=True,
    expose_value=False,
    callback=keep,
    help="Lines and a prompt in place of the screen: for screen readers, and by itself where TERM is dumb.",
)
_VERSION = click.Option(
    ["--version"],
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
root = Root(
    "aethermind",
    callback=_without_command,
    invoke_without_command=True,
    params=[*global_options(), *looks(), _PLAIN, _VERSION],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help=(
        "Describe agents and a workflow in one file, run it, watch it, resume it. "
        "Without a command: the terminal UI."
    ),
    epilog="A RUN is any unambiguous beginning of a run's id, or `last`. "
    "Start here: aethermind samples · aethermind run research-brief --sim",
)


def main(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code and never raises what a user could cause."""
    streams.prepare()
    given = Given()
    try:
        code = root.main(list(arguments), prog_name="aethermind", standalone_mode=False, obj=given)
    except BaseException as error:  # noqa: BLE001 - the one handler: whatever happens becomes one line
        code = report(error, given)
    code = streams.close(code if isinstance(code, int) else 0)
    if "aethermind.cli.owning" not in sys.modules:
        return code
    from aethermind.cli.owning import remain

    return remain(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
