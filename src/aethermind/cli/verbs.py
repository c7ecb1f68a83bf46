"""Commands that have commands of their own: `db check`, `tokens create`."""

from __future__ import annotations

import click

from aethermind.cli.options import Verb


class Verbs(Verb, click.Group):
    """A command with commands of its own."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)
