"""Who may do what, and what was done: tokens of the API and the audit log, as they are asked for.

A token is `aeth_ID_SECRET`: it is looked up by its id, and only the SHA-256 of the whole is kept. Times are
epoch milliseconds, pages keyset pages, newest first.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from typing import Protocol, get_args

import msgspec

from aethermind.domain import system_events
from aethermind.domain.errors import DeniedError, InvalidError
from aethermind.domain.events import Recorded
from aethermind.engine.queries import AgentRow, Page, WorkflowRow

Scope = system_events.Scope
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""From the least to the most."""
LONGEST_NAME = 100
SECRET_BYTES = 32
ID_BYTES = 6
_TOKEN = re.compile(r"aeth_([0-9a-f]{12})_[A-Za-z0-9_-]{43}\Z", re.ASCII)


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    pass


class TokenRow(_Row, frozen=True, kw_only=True):
    """A token, without what could be used."""

    id: str
    name: str
    scope: Scope
    created_at: int
    expires_at: int | None = None
    """None: never."""
    revoked_at: int | None = None
    created_by: str = ""


class KeptToken(_Row, frozen=True, kw_only=True):
    """What the store has of a token."""

    row: TokenRow
    sha256: str


class NewToken(_Row, frozen=True, kw_only=True):
    """A token that was just made: the only time that it is shown."""

    id: str
    name: str
    token: str
    scope: Scope
    expires_at: int | None = None


class AuditRow(_Row, frozen=True, kw_only=True):
    """One act. `n` counts from 1 without a gap."""

    n: int
    at: int
    seq: int
    """Of the event that it is about."""
    act: str
    """As the command is called: `run`, `cancel`, `approve`, `tokens create`, … (`domain.acts`)"""
    who: str
    """'' where nobody was named."""
    origin: str
    """From where: `cli`, `tui`, `ssh`, an address, …; `local`: the program that had the engine in itself."""
    target: str
    """What it was done to: a run, RUN/STEP, a token's id, …"""
    detail: str
    digest: str
    """SHA-256 of that event's data as it was recorded, in hex."""
    hash: str
    """SHA-256 over the hash before it and all of the above, in hex (`docs/adr/0027`)."""


class AuditVerdict(_Row, frozen=True, kw_only=True):
    """What `audit verify` found. `head`: the last row's hash, to be noted elsewhere ('' without a row)."""

    ok: bool
    checked: int
    """Rows that were looked at."""
    first_bad: int | None = None
    """The first row (`n`) that is not what it was, or after which one is missing."""
    problem: str = ""
    head: str = ""


class AccessStore(Protocol):
    """The part of the port `EventStore` that is about access, acts and what is registered."""

    async def agents(self) -> list[AgentRow]: ...

    async def workflows(self) -> list[WorkflowRow]: ...

    async def trusted(self, path: str, sha256: str | None) -> bool:
        """Whether exactly this was granted and not revoked."""
        ...

    async def tokens(self) -> list[TokenRow]:
        """All that ever were, newest first."""
        ...

    async def token(self, token_id: str) -> KeptToken | None: ...

    async def audit(self, *, limit: int = 50, cursor: str | None = None) -> Page[AuditRow]:
        """Newest first."""
        ...

    async def verify_audit(self, head: str | None = None) -> AuditVerdict:
        """Compute the chain anew and compare it with the events that are still there. `head`: a hash that was
        noted before and must be in it."""
        ...

    async def registered_workflow(self, name: str) -> Recorded | None:
        """The `WorkflowRegistered` that holds, if one does."""
        ...

    async def registered_agent(self, name: str) -> Recorded | None:
        """The `AgentRegistered` that holds, if one does."""
        ...


Draw = Callable[[], tuple[str, str]]
"""A new token's id and secret."""


def draw() -> tuple[str, str]:
    """12 hex digits, and 256 bits."""
    return secrets.token_hex(ID_BYTES), secrets.token_urlsafe(SECRET_BYTES)


def written(token_id: str, secret: str) -> str:
    return f"aeth_{token_id}_{secret}"


def sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def token_id(token: str) -> str:
    """The id in a token. Raises `DeniedError` for what is none."""
    found = _TOKEN.match(token)
    if found is None:
        raise _refused()
    return found[1]


def admit(token: str, kept: KeptToken | None, now: int) -> TokenRow:
    """The token's row, if it is the one that is kept and holds now. Raises `DeniedError`, which says why only
    to who has the whole token."""
    fits = hmac.compare_digest(sha256(token), "0" * 64 if kept is None else kept.sha256)
    if kept is None or not fits:
        raise _refused()
    row = kept.row
    if row.revoked_at is not None:
        raise DeniedError(f"token {row.id} was revoked", hint="aethermind tokens create NAME")
    if row.expires_at is not None and row.expires_at <= now:
        raise DeniedError(f"token {row.id} has expired", hint="aethermind tokens create NAME")
    return row


def _refused() -> DeniedError:
    return DeniedError("the token is not valid", hint="aethermind tokens list")


def allows(scope: Scope, needed: Scope) -> bool:
    """Whether a token of this scope may do what needs that one."""
    return SCOPES.index(scope) >= SCOPES.index(needed)


def check_new(name: str, scope: str, expires_at: int | None, now: int) -> None:
    """Raises `InvalidError` for a token that makes no sense."""
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidError(
            "a token needs a name that can be shown", hint=f"at most {LONGEST_NAME} characters"
        )
    if scope not in SCOPES:
        raise InvalidError(f"there is no scope {scope!r}", hint=", ".join(SCOPES))
    if expires_at is not None and expires_at <= now:
        raise InvalidError("the token would have expired already")
