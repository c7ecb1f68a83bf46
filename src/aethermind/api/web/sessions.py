"""Who is logged in, by a random id in a cookie that scripts can't read."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import msgspec

LASTS_S = 12 * 3600
MOST = 100
COOKIE = "aethermind"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    token: str
    """As it was given: it is looked at again for each terminal, so that a revoked one opens none."""
    name: str
    until: float
    """Monotonic seconds."""


class Sessions:
    """In memory: whoever restarts the engine has everybody log in again."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._by_id: dict[str, Session] = {}

    def open(self, token: str, name: str) -> str:
        """The new session's id."""
        now = self._clock()
        for gone in [key for key, session in self._by_id.items() if session.until <= now]:
            del self._by_id[gone]
        while len(self._by_id) >= MOST:
            del self._by_id[next(iter(self._by_id))]
        key = secrets.token_urlsafe(32)
        self._by_id[key] = Session(token=token, name=name, until=now + LASTS_S)
        return key

    def find(self, cookies: str) -> Session | None:
        """By the `Cookie` header."""
        key = next((value for name, value in _pairs(cookies) if name == COOKIE), None)
        found = self._by_id.get(key) if key is not None else None
        return found if found is not None and found.until > self._clock() else None

    def close(self, cookies: str) -> None:
        for name, value in _pairs(cookies):
            if name == COOKIE:
                self._by_id.pop(value, None)


def _pairs(cookies: str) -> list[tuple[str, str]]:
    found = [part.strip().partition("=") for part in cookies.split(";")]
    return [(name, value) for name, equals, value in found if equals]


def cookie(key: str, *, secure: bool, lasts_s: int = LASTS_S) -> str:
    """The `Set-Cookie` header: no script reads it, no other site sends it along."""
    flags = "; Secure" if secure else ""
    return f"{COOKIE}={key}; Path=/; HttpOnly; SameSite=Strict; Max-Age={lasts_s}{flags}"
