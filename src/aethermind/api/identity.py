"""Who asks, from where, and what for."""

from __future__ import annotations

from urllib.parse import unquote

import msgspec

from aethermind.domain.system_events import Scope
from aethermind.domain.who import only_said, token, words
from aethermind.infra.sanitize import clean_line

LONGEST = 200


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """`by` is what acts are recorded with: `ana via ssh`, `token ci via 10.0.0.7`."""

    by: str
    scope: Scope
    token_id: str | None = None
    """None: a peer on the unix socket."""

    @property
    def key(self) -> str:
        """Whose requests these are, for rates and idempotency keys."""
        return self.token_id or "local"


def local(user: str, said: str) -> Identity:
    """A peer on the unix socket: the same user, who may say as whom and through what (`X-Aethermind-By`)."""
    told = clean_line(unquote(said))[:LONGEST].strip()
    return Identity(by=only_said(told) or words(user, "api"), scope="admin")


def bearer(name: str, scope: Scope, token_id: str, address: str) -> Identity:
    """The holder of a token, at this address."""
    return Identity(by=token(clean_line(name), address), scope=scope, token_id=token_id)
