"""`Idempotency-Key`: the same key and request give the same answer, and act once; for a day, and across the
death of the engine.

A receipt is kept before the request is carried out, and completed with its answer. If there is none (the
engine died, or answered 500 or more), a repetition asks the log what became of it: a run that was started
carries the key's mark, a fork names the run it was made of. Other acts are carried out again: the engine
itself refuses, or takes as done, what was decided.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

from aethermind import wire
from aethermind.api.problems import Refused
from aethermind.domain.events import RunCreated
from aethermind.domain.ids import run_id_of
from aethermind.engine.receipts import Receipt

if TYPE_CHECKING:
    from aethermind.api.door import App, Message, Receive, Scope, Send
    from aethermind.api.room import Room

TAG = "api.request"
"""Of a run: the mark of the request that started it."""
PAGE = 1_000
PATIENCE_S = 30.0
"""So long a repetition waits for the first one's answer."""
SWEEP = 200
"""Old receipts are dropped with each so many new ones."""


class Idempotency:
    """One per listener; receipts are shared by the room."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._going: dict[str, asyncio.Event] = {}
        self._kept = 0

    async def answer(
        self, app: App, key: str, body: bytes, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Raises `Refused`."""
        if not key.isprintable() or not 1 <= len(key) <= 255:
            raise Refused(400, "an Idempotency-Key has 1 to 255 printable characters")
        mark = _hash(scope["state"]["identity"].key, key)
        digest = _hash(scope["method"], scope["path"], scope["query_string"].decode("latin-1"), body)
        while (first := self._going.get(mark)) is not None:
            try:
                await asyncio.wait_for(first.wait(), PATIENCE_S)
            except TimeoutError:
                raise Refused(409, "the first request with this Idempotency-Key is still under way") from None
        done = self._going[mark] = asyncio.Event()
        try:
            await self._once(app, mark, digest, scope, receive, send)
        finally:
            del self._going[mark]
            done.set()

    async def _once(
        self, app: App, mark: str, digest: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        receipts = self._room.receipts
        known = await asyncio.to_thread(receipts.find, mark)
        now = self._room.now()
        if known is not None and known.at < now - self._room.settings.keep_receipts_s * 1000:
            known = None
        if known is not None and known.digest != digest:
            raise Refused(422, "this Idempotency-Key was used for another request", hint="take a new key")
        if known is not None and known.status is None:
            known = await self._look_up(known, scope)
        if known is not None and known.status is not None:
            await _replay(send, known)
            return
        seq = await self._room.ask(lambda client: client.last_seq())
        begun = Receipt(mark=mark, digest=digest, at=now, seq=seq)
        await asyncio.to_thread(receipts.keep, begun)
        self._kept += 1
        if self._kept % SWEEP == 1:
            await asyncio.to_thread(receipts.forget, now - self._room.settings.keep_receipts_s * 1000)
        scope["state"]["mark"] = mark
        status, kind, pieces = 500, "", list[bytes]()

        async def note(message: Message) -> None:
            nonlocal status, kind
            if message["type"] == "http.response.start":
                status = message["status"]
                kind = next((v.decode() for n, v in message["headers"] if n.lower() == b"content-type"), "")
            elif message["type"] == "http.response.body":
                pieces.append(message.get("body", b""))
                if not message.get("more_body", False):
                    await self._settle(begun, status, kind, b"".join(pieces))
            await send(message)

        await app(scope, receive, note)

    async def _settle(self, begun: Receipt, status: int, kind: str, body: bytes) -> None:
        """Before the answer leaves: who has not got it asks again, and gets it then."""
        if status >= 500:  # nothing was done, or nobody knows: a repetition asks the log
            return
        answered = Receipt(
            mark=begun.mark,
            digest=begun.digest,
            at=begun.at,
            seq=begun.seq,
            status=status,
            media_type=kind,
            body=body,
        )
        await asyncio.to_thread(self._room.receipts.keep, answered)

    async def _look_up(self, known: Receipt, scope: Scope) -> Receipt | None:
        """What became of a request whose engine died: its answer, None if it must be carried out (again)."""
        path = scope["path"]
        forked = path.split("/")[3] if path.startswith("/api/runs/") and path.endswith("/fork") else None
        found: list[str] = []
        after = known.seq
        while page := await self._events(after):
            after = page[-1].seq
            for recorded in page:
                event = recorded.event
                run_id = run_id_of(recorded.stream)
                if isinstance(event, RunCreated) and run_id is not None:
                    mine = event.tags.get(TAG) == known.mark
                    if mine or (forked is not None and event.forked_from == forked):
                        found.append(run_id)
        if not found:
            return None
        if len(found) > 1:
            raise Refused(409, f"the engine ended before it answered; these may be it: {', '.join(found)}")
        body = wire.encode_json({"id": found[0]})
        return Receipt(
            mark=known.mark,
            digest=known.digest,
            at=known.at,
            seq=known.seq,
            status=201,
            media_type="application/json",
            body=body,
        )

    async def _events(self, after: int) -> Any:
        return await self._room.ask(lambda client: client.events(after=after, limit=PAGE))


async def _replay(send: Send, known: Receipt) -> None:
    headers = [
        (b"content-type", known.media_type.encode()),
        (b"content-length", str(len(known.body)).encode()),
        (b"idempotent-replayed", b"true"),
    ]
    await send({"type": "http.response.start", "status": known.status, "headers": headers})
    await send({"type": "http.response.body", "body": known.body})


def _hash(*parts: str | bytes) -> str:
    found = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        found.update(len(data).to_bytes(8, "big") + data)
    return found.hexdigest()
