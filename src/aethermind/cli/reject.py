"""`aethermind reject`."""

from __future__ import annotations

import click

from aethermind.cli.approve import decide
from aethermind.cli.options import Given, verb, viewing


@verb("reject")
@click.argument("run")
@click.argument("step")
@viewing
@click.pass_obj
def command(given: Given, run: str, step: str, plain: bool, quiet: bool, as_json: bool) -> int:
    """Say no to the approval that STEP of RUN asks for: the step fails, and the run goes on from there."""
    return decide(given, run, step, approved=False, plain=plain, quiet=quiet, as_json=as_json)
