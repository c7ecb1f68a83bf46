"""Runs that came out of a bundle: nobody goes on with one before somebody has said so."""

from __future__ import annotations

from aethermind.cli import streams
from aethermind.cli.asking import confirm
from aethermind.cli.session import user
from aethermind.domain.errors import DeniedError
from aethermind.domain.run import Run
from aethermind.engine import provenance
from aethermind.engine.hosting import EngineThread
from aethermind.infra.sanitize import clean_line


def may_go_on(engine: EngineThread, run: Run, *, yes: bool) -> bool:
    """Whether this run may be driven here: it is of this database, or its bundle is trusted, now with `yes`
    or asked for on a terminal. A finished one is not asked about. Raises `DeniedError`."""
    bundle = provenance.trust_of(run.created.tags)
    if bundle is None:
        return True
    path, digest = bundle
    if engine.call(lambda client: client.trusted(path, digest)).result():
        return True
    if not yes:
        if run.finished is not None:
            return False
        where = clean_line(run.created.submitter.cwd)
        told = f"run {run.id} was imported: to go on starts its programs in {where} and calls its models"
        if not streams.can_ask():
            raise DeniedError(told, hint=f"aethermind resume {run.id} --yes")
        streams.note(f"{told}.")
        if not confirm("Go on with it here?"):
            raise DeniedError(f"run {run.id} stays as it was imported")
    engine.call(lambda client: client.trust(path, digest, by=user())).result()
    return True
