"""Batches, groups and watchers by themselves: shared bytes, bounded queues, no gap and no double."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aethermind import wire
from aethermind.api.batch import Batch, events_text
from aethermind.api.stream import MOST_BATCHES, MOST_BYTES, Group, Watcher
from aethermind.domain.events import CallFinished, LogWritten, Recorded
from aethermind.domain.usage import NO_USAGE, Cost
from aethermind.engine.client import Notice, TokenDelta

Json = Any
UNKNOWN = Cost(micro_usd=None, source="")


class Counted:
    batches = 0


def log(seq: int, message: str = "m") -> Recorded:
    return Recorded(seq, "run/r_1", 0, seq, LogWritten(level="info", message=message))


def group(seq: int = 0, batch_ms: int = 60_000) -> Group:
    return Group(Counted(), seq, batch_ms)  # type: ignore[arg-type]  # all that a group uses of its hub


def offer(to: Group, *seqs: int) -> None:
    for seq in seqs:
        to.event(log(seq), wire.encode_envelope(log(seq)))
    to.flush()


def watching(to: Group, after: int) -> Watcher:
    watcher = Watcher(after)
    watcher.behind = False
    to.watchers.add(watcher)
    return watcher


def taken(watcher: Watcher) -> list[int]:
    found: list[int] = []
    while watcher.batches:
        if (text := watcher.take()) is not None:
            message = json.loads(text)
            found += [event["seq"] for event in message.get("events", [])]
    return found


def test_a_batch_is_written_once_for_all() -> None:
    shared = group()
    one, other = watching(shared, 0), watching(shared, 0)
    offer(shared, 1, 2, 3)
    assert one.take() is other.take()


def test_who_is_further_gets_the_rest_of_a_batch() -> None:
    shared = group()
    behind, within, ahead = watching(shared, 0), watching(shared, 2), watching(shared, 9)
    offer(shared, 1, 2, 3)
    offer(shared, 4)
    assert taken(behind) == [1, 2, 3, 4]
    assert taken(within) == [3, 4]
    assert taken(ahead) == []
    assert ahead.position == 9
    assert shared.sent == 4


def test_a_watcher_that_takes_nothing_holds_little_and_is_told_to_read() -> None:
    shared = group()
    slow = watching(shared, 0)
    for seq in range(1, MOST_BATCHES + 2):
        offer(shared, seq)
    assert slow.behind
    assert not slow.batches
    offer(shared, MOST_BATCHES + 2)
    assert not slow.batches
    assert slow.position == 0


def test_a_watcher_holds_so_many_bytes() -> None:
    shared = group()
    slow = watching(shared, 0)
    large = wire.encode_envelope(log(1, "x" * (MOST_BYTES // 3)))
    for seq in range(1, 5):
        shared.event(log(seq), large)
        shared.flush()
    assert slow.behind
    assert slow.bytes == 0


def test_notices_reach_who_is_behind() -> None:
    slow = Watcher(0)
    slow.tell(Notice(kind="held", message="full"))
    assert slow.notices
    assert slow.ready.is_set()


def delta(offset: int, text: str, *, call: int = 1) -> TokenDelta:
    return TokenDelta(run_id="r_1", step="a", attempt=1, call=call, offset=offset, text=text)


def signals(watcher: Watcher) -> list[Json]:
    return [
        signal for item in watcher.batches if isinstance(item, str) for signal in json.loads(item)["signals"]
    ]


def test_deltas_of_a_call_are_joined() -> None:
    shared = group()
    watcher = watching(shared, 0)
    for piece in (delta(0, "Hel"), delta(3, "lo"), delta(0, "other", call=2)):
        shared.delta(piece)
    shared.flush()
    assert [(s["call"], s["offset"], s["text"]) for s in signals(watcher)] == [
        (1, 0, "Hello"),
        (2, 0, "other"),
    ]


def test_after_a_gap_the_newer_text_is_kept() -> None:
    shared = group()
    watcher = watching(shared, 0)
    shared.delta(delta(0, "Hel"))
    shared.delta(delta(9, "later"))
    shared.flush()
    assert [(s["offset"], s["text"]) for s in signals(watcher)] == [(9, "later")]


def test_deltas_of_a_call_that_ended_are_not_sent_after_its_end() -> None:
    shared = group()
    watcher = watching(shared, 0)
    shared.delta(delta(0, "Hello"))
    shared.delta(delta(0, "other", call=2))
    ended = CallFinished(
        step="a", attempt=1, call=1, text="Hello", usage=NO_USAGE, cost=UNKNOWN, finish="stop"
    )
    shared.event(Recorded(5, "run/r_1", 2, 5, ended), b"{}")
    shared.flush()
    assert [s["call"] for s in signals(watcher)] == [2]


async def test_what_waits_is_sent_when_its_time_has_come() -> None:
    shared = group(batch_ms=1)
    watcher = watching(shared, 0)
    shared.event(log(1), b"{}")
    shared.schedule()
    shared.event(log(2), b"{}")
    shared.schedule()
    async with asyncio.timeout(10):
        await watcher.ready.wait()
    assert [item.seqs for item in watcher.batches if isinstance(item, Batch)] == [[1, 2]]


def test_the_message_is_json() -> None:
    assert json.loads(events_text([b'{"seq":1}', b'{"seq":2}'])) == {
        "type": "events",
        "events": [{"seq": 1}, {"seq": 2}],
    }
