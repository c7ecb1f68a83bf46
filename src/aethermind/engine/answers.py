"""Answers by content: what was asked before, in just the same way, need not be asked again.

Rules
- The key is a digest of all that can change the answer: provider and model, settings, instructions, messages,
  tools, the output's schema, and whose account it is (for simulated models: the script they answer from). A
  key of a provider goes into that digest as a fingerprint and is recorded nowhere.
- An answer is filed when its call is recorded (`CallFinished.content_key`), and only one that is whole: it
  came to its own end, says something, and fits the schema that was asked for.
- There is no second copy to keep in step: what is found is a recorded event, and it goes when its run goes.
- How old an answer may be is asked when it is looked up; nothing expires by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from aethermind import wire
from aethermind.domain.errors import OutputError
from aethermind.domain.events import CallFinished, CallStarted, LogWritten, Origin, Recorded
from aethermind.domain.ids import run_id_of
from aethermind.domain.run import Run
from aethermind.domain.state import Node
from aethermind.domain.usage import NO_USAGE, Cost, format_usd
from aethermind.domain.workflow import CachePolicy
from aethermind.engine.ports import ChatRequest, Clock, EventStore, Finished, Provider, Schemas

FORMAT = 1
"""Raised when the same request means something else to a provider: then no older answer fits."""


def content_key(provider: str, request: ChatRequest, account: str) -> str:
    """SHA-256 (64 hex digits) of what is sent, and to whom. Which step sends it does not matter."""
    asked = [
        FORMAT,
        f"{provider}:{request.model}",
        account,
        request.settings,
        request.instructions,
        request.messages,
        request.tools,
        request.output_schema,
    ]
    return hashlib.sha256(wire.canonical(asked)).hexdigest()


def account_of(provider: Provider, script: Mapping[str, Any]) -> str:
    """What an answer depends on besides the request: the script of simulated models; else the provider's
    `account` (a digest of its address, ways and key), or, of one's own that has none, its class."""
    if provider.simulated:
        return f"sim {hashlib.sha256(wire.canonical(script)).hexdigest()}"
    account = getattr(provider, "account", None)
    if isinstance(account, str):
        return account
    return f"{type(provider).__module__}.{type(provider).__qualname__}"


def policy_of(run: Run, node: Node) -> CachePolicy:
    """What holds for the calls of this node: its step's word, else that of its agent."""
    if node.step.cache is not None:
        return node.step.cache
    agent = run.definition_for(node).agents.get(node.agent or "")
    return None if agent is None else agent.cache


def is_whole(finished: Finished, text: str, request: ChatRequest, schemas: Schemas) -> bool:
    """Whether this answer may be used again."""
    if finished.reason != "stop" or not text.strip():
        return False
    if request.output_schema is None:
        return True
    try:
        schemas.parse(text, request.output_schema)
    except OutputError:
        return False
    return True


class Answers:
    """What was answered before, as the store has it."""

    def __init__(self, store: EventStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def find(self, key: str, policy: CachePolicy) -> Recorded | None:
        """The newest answer to this, if it is not too old."""
        found = await self._store.answer(key)
        if found is None or policy is True:
            return found
        age = self._clock.now() - found.at
        return found if age <= (policy or 0) else None


def reused(found: Recorded, step: str, attempt: int, call: int) -> CallFinished:
    """That answer as the end of another call: no tokens, no cost, and what this saved."""
    event = found.event
    assert isinstance(event, CallFinished)
    saved = Cost(micro_usd=0, source="cache", saved_micro_usd=event.cost.micro_usd or 0)
    return msgspec.structs.replace(
        event,
        step=step,
        attempt=attempt,
        call=call,
        usage=NO_USAGE,
        cost=saved,
        first_token_ms=None,
        cached_from=Origin(run=run_id_of(found.stream) or "", seq=found.seq),
    )


def answer_of(found: Recorded) -> tuple[str, str, Any]:
    """Its text, how it ended, and what its provider wants back."""
    event = found.event
    assert isinstance(event, CallFinished)
    return event.text, event.finish, event.carry


def told(started: CallStarted, finished: CallFinished) -> LogWritten:
    """The log line of a call that was not sent: `sim:smart #1: cached, saved $0.0012`."""
    saved = finished.cost.saved_micro_usd
    worth = f", saved {format_usd(saved)}" if saved else ""
    return LogWritten(
        level="info",
        message=f"{started.provider}:{started.model} #{started.call}: cached{worth}",
        step=started.step,
        attempt=started.attempt,
        agent=started.agent,
        metadata={"call": started.call},
    )
