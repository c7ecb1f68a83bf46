"""Runs that were recorded elsewhere and came in as a bundle: their events are somebody else's word.

Such a run may name any command, and folding it is harmless, but driving it would start programs and spend
money here. So nobody drives it, forks it or retries it before the bundle is trusted: by its digest, as a
file is, and recorded as any trust is.
"""

from __future__ import annotations

from collections.abc import Mapping

from aethermind.domain import acts
from aethermind.domain.errors import DeniedError
from aethermind.engine.ports import EventStore

IMPORTED = acts.IMPORTED
"""The tag of a run that came out of a bundle: the digest of its events."""
IMPORTED_FROM = "imported_from"
"""The tag that holds the id it had where it ran."""
_OF_THE_IMPORT = frozenset({acts.IMPORTED_BY, acts.IMPORTED_EVENTS})


def trust_of(tags: Mapping[str, str]) -> tuple[str, str] | None:
    """Path and hash under which this run's bundle is trusted; None for a run of this database."""
    digest = tags.get(IMPORTED)
    return None if digest is None else (f"bundle:{tags.get(IMPORTED_FROM, '')}", digest)


def here(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags of a run that begins here, be it a fork of one that came in: its roots stay known, but all
    that is recorded of it is this place's."""
    return {name: value for name, value in tags.items() if name not in _OF_THE_IMPORT}


async def check(store: EventStore, run_id: str, tags: Mapping[str, str]) -> None:
    """Raise `DeniedError` if this run came from elsewhere and nobody has said that it may go on here."""
    wanted = trust_of(tags)
    if wanted is not None and not await store.trusted(*wanted):
        raise DeniedError(
            f"run {run_id} was imported: to go on with it starts its programs and calls its models here",
            hint=f"aethermind resume {run_id} --yes",
        )
