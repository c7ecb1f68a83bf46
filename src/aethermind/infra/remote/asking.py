"""Requests that survive a broken line: they are sent again, and what acts acts once.

Every request that acts carries an `Idempotency-Key` of its own: if only the answer was lost, the engine gives
the same answer again and does nothing.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from aethermind import wire
from aethermind.domain.errors import AethermindError, BusyError, DeniedError, EndedError
from aethermind.domain.who import through
from aethermind.infra.remote.http import Answer, Http
from aethermind.infra.remote.lines import BrokenLine, Line, NoAnswer
from aethermind.infra.remote.problems import problem
from aethermind.infra.remote.reading import Strange

Json = Any
ANSWER_S = 30.0
FIRST_S = 0.05
LONGEST_S = 5.0
_PROBLEM = "application/problem+json"


class Patience:
    """How long, and how far apart, what failed is tried again: twice as far each time, with jitter, so that
    many terminals do not come back at once.
    """

    def __init__(
        self,
        seconds: float,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.seconds = seconds
        """A request is given up after so long. A feed never is."""
        self._sleep = sleep
        self._now = now
        self._jitter = jitter

    def begin(self) -> Rounds:
        return Rounds(self._now() + self.seconds, self._sleep, self._now, self._jitter)


class Rounds:
    """The tries of one request or of one connection."""

    def __init__(
        self,
        until: float,
        sleep: Callable[[float], Awaitable[None]],
        now: Callable[[], float],
        jitter: Callable[[], float],
    ) -> None:
        self._until = until
        self._sleep = sleep
        self._now = now
        self._jitter = jitter
        self._pause = FIRST_S

    @property
    def over(self) -> bool:
        return self._now() >= self._until

    async def pause(self) -> None:
        pause, self._pause = self._pause, min(self._pause * 2, LONGEST_S)
        await self._sleep(pause * (0.5 + self._jitter() / 2))


class Asking:
    """The HTTP half of a remote client."""

    def __init__(
        self,
        line: Line,
        *,
        host: str,
        patience: Patience,
        token: str | None = None,
        by: str = "",
        via: str = "",
    ) -> None:
        self.line = line
        self.host = host
        self.patience = patience
        self.owner = ""
        """The engine, in words, where it is this machine's: it can be seen that it ended."""
        self._http = Http(line, host=host)
        self._token = token
        self._by = by
        self._via = via

    def headers(self, by: str = "") -> list[tuple[str, str]]:
        """Who asks, and with what right."""
        who = by or self._by
        told = through(who, self._via) if self._via else who
        found = [("X-Aethermind-By", quote(told, safe=" @:/."))] if told else []
        if self._token is not None:
            found.append(("Authorization", f"Bearer {self._token}"))
        return found

    async def get(
        self,
        path: str,
        query: Mapping[str, Json] | None = None,
        *,
        timeout_s: float = ANSWER_S,
        unending: bool = False,
    ) -> bytes:
        """`unending`: it is asked until it is answered, however long the line is down."""
        target = path + _query(query or {})
        return (await self._ask("GET", target, None, self.headers(), timeout_s, unending=unending)).body

    async def act(
        self,
        path: str,
        body: Json,
        *,
        by: str = "",
        method: str = "POST",
        timeout_s: float = ANSWER_S,
        key: str = "",
    ) -> Json:
        """Do it once, however often it has to be sent. Gives the decoded answer, None if it has no body.
        `key`: of the act, where it is sent again by the caller, too."""
        headers = [*self.headers(by), ("Idempotency-Key", key or uuid.uuid4().hex)]
        answer = await self._ask(method, path, wire.encode_json(body), headers, timeout_s)
        return decoded(answer.body) if answer.body else None

    async def _ask(
        self,
        method: str,
        target: str,
        body: bytes | None,
        headers: list[tuple[str, str]],
        timeout_s: float,
        *,
        unending: bool = False,
    ) -> Answer:
        rounds = self.patience.begin()
        while True:
            try:
                answer = await self._http.ask(method, target, headers, body, timeout_s=timeout_s)
                self._check_whole(answer)
            except BrokenLine as error:
                if rounds.over and not unending:
                    raise self.lost(error) from error
            else:
                if answer.status >= 400:
                    raise self.refused(answer)
                return answer
            await rounds.pause()

    def _check_whole(self, answer: Answer) -> None:
        """An engine of this machine says what is wrong; one that is just ending may break off before that."""
        kind = answer.headers.get("content-type", "")
        if self.owner and answer.status >= 500 and not kind.startswith(_PROBLEM):
            raise BrokenLine(f"it answers {answer.status}")

    def refused(self, answer: Answer) -> AethermindError:
        """The error that this answer stands for."""
        if answer.status == 401 and self._token is None:
            return DeniedError(
                f"the engine of {self.line.name} asks for a token",
                hint=f"in AETHERMIND_TOKEN, or: aethermind auth http://{self.host}",
            )
        return problem(answer, name=self.line.name)

    def lost(self, error: BrokenLine) -> BusyError:
        if self.owner and not isinstance(error, NoAnswer):
            return EndedError(f"{self.owner} has ended", hint="again: there is another one, or none any more")
        return BusyError(f"the line to the engine of {self.line.name} is lost: {error}")

    def close(self) -> None:
        self._http.close()


def decoded(body: bytes) -> Json:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Strange(f"no JSON: {error}") from error


def part(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="")


def _query(values: Mapping[str, Json]) -> str:
    found = {
        name: ("true" if value else "false") if isinstance(value, bool) else value
        for name, value in values.items()
        if value is not None
    }
    return "?" + urlencode(found) if found else ""
