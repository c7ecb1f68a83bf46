"""`aethermind samples`."""

from __future__ import annotations

import click

from aethermind.cli import streams, text
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.rows import print_page
from aethermind.cli.session import compose
from aethermind.definitions.templates import samples


@verb("samples")
@as_json
@click.pass_obj
def command(given: Given, as_json: bool) -> int:
    """List the sample workflows. All of them run offline with --sim, and unchanged on real models."""
    found = samples(compose(given).samples_dir)
    if as_json:
        print_page({"name": s.name, "description": s.description, "path": str(s.path)} for s in found)
        return 0
    text.show_table(["SAMPLE", "WHAT IT DOES"], [[s.name, s.description] for s in found])
    streams.note("run one: aethermind run NAME --sim · make it yours: aethermind new NAME --from SAMPLE")
    return 0
