"""Access: tokens, the audit log, trust in files."""

from __future__ import annotations

from typing import Annotated

import msgspec

from aethermind.api import bodies
from aethermind.api.room import Room
from aethermind.api.route import DONE, Answer, Asked, Routes, json, page
from aethermind.api.shapes import Nothing, Trusted, page_of, shown
from aethermind.engine.access import AuditRow, AuditVerdict, NewToken, TokenRow
from aethermind.engine.rows import row_object

TokenPage = page_of(shown(TokenRow, "Token"), "TokenPage")
TokenShown = shown(NewToken, "NewTokenShown")
AuditPage = page_of(shown(AuditRow, "Act"), "AuditPage")
VerdictShown = shown(AuditVerdict, "AuditVerdict")
Limit = Annotated[int, msgspec.Meta(ge=1, le=1_000)]


def routes(room: Room) -> Routes:
    on = Routes("access")

    @on.get("/api/tokens", TokenPage, "Tokens, newest first.", needs="admin")
    async def tokens() -> Answer:
        """Tokens of this API, also those that are revoked or too old. What could be used is not shown."""
        return page(map(row_object, await room.ask(lambda client: client.tokens())))

    @on.post("/api/tokens", TokenShown, "The token, this once.", status=201)
    async def create_token(asked: Asked, data: bodies.NewToken) -> Answer:
        """A new token. Its text is in this answer and nowhere else."""
        until = None if data.expires_at is None else int(data.expires_at.timestamp() * 1000)
        made = await room.ask(
            lambda client: client.create_token(data.name, scope=data.scope, expires_at=until, by=asked.by)
        )
        return json(row_object(made), 201)

    @on.delete("/api/tokens/{token_id}", Nothing, "It is good for nothing any more.")
    async def revoke_token(asked: Asked, token_id: str) -> Answer:
        """Revoke a token. At once, and for good."""
        await room.ask(lambda client: client.revoke_token(token_id, by=asked.by))
        return json(DONE)

    @on.get("/api/audit", AuditPage, "Acts, newest first.", needs="admin")
    async def audit(limit: Limit = 50, cursor: str | None = None) -> Answer:
        """Who did what, and from where."""
        found = await room.ask(lambda client: client.audit(limit=limit, cursor=cursor))
        return page(map(row_object, found.items), found.next)

    @on.get("/api/audit/verify", VerdictShown, "What was found.", needs="admin")
    async def verify_audit(head: str | None = None) -> Answer:
        """Whether the audit log is what was written. `head`: a hash noted before that must be in it."""
        return json(row_object(await room.ask(lambda client: client.verify_audit(head))))

    @on.get("/api/trust", Trusted, "Whether it is trusted.")
    async def trusted(path: str, sha256: str | None = None) -> Answer:
        """Whether a file may start programs on the engine's machine."""
        return json({"trusted": await room.ask(lambda client: client.trusted(path, sha256))})

    @on.post("/api/trust", Nothing, "It is recorded.")
    async def trust(asked: Asked, data: bodies.Trust) -> Answer:
        """Trust this content of a file, or (without a hash) all that is below a directory."""
        await room.ask(lambda client: client.trust(data.path, data.sha256, by=asked.by))
        return json(DONE)

    return on
