from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aethermind.infra.remote.mux import (
    CHUNK,
    LARGEST,
    MOST_CHANNELS,
    WINDOW,
    Credit,
    Data,
    Ended,
    Event,
    Mux,
    MuxError,
    Opened,
    Reset,
)


def pair() -> tuple[Mux, Mux]:
    return Mux(opens=True), Mux(opens=False)


def cut(data: bytes, rng: random.Random) -> list[bytes]:
    places = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(6)))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(0, 3 * WINDOW))
def test_what_is_sent_comes_whole_and_in_order_however_it_is_cut(seed: int, channels: int, size: int) -> None:
    rng = random.Random(seed)
    near, far = pair()
    wire = b""
    numbers = []
    for _ in range(channels):
        number, data = near.open()
        numbers.append(number)
        wire += data
    sent = {number: rng.randbytes(size) for number in numbers}
    left, came = dict(sent), dict.fromkeys(numbers, b"")
    ended: set[int] = set()
    while len(ended) < channels:
        number = rng.choice(numbers)
        part = left[number][: min(near.room(number), rng.randrange(1, 4 * CHUNK))]
        if part:
            left[number] = left[number][len(part) :]
            wire += near.send(number, part)
        elif not left[number]:
            wire += near.end(number)
        back = b""
        for piece in cut(wire, rng):
            for event in far.receive(piece):
                if isinstance(event, Data):
                    came[event.channel] += event.data
                    back += far.read(event.channel, len(event.data))
                elif isinstance(event, Ended):
                    ended.add(event.channel)
        wire = b""
        for piece in cut(back, rng):
            assert all(isinstance(event, Credit) for event in near.receive(piece))
    assert came == sent


def test_a_channel_that_is_not_read_stops_alone() -> None:
    near, far = pair()
    (slow, opened), (fast, opened_too) = near.open(), near.open()
    far.receive(opened + opened_too)
    far.receive(near.send(slow, b"x" * WINDOW))
    assert near.room(slow) == 0
    with pytest.raises(MuxError):
        near.send(slow, b"x")
    for _ in range(20):
        (event, *more) = far.receive(near.send(fast, b"y" * CHUNK))
        assert event == Data(fast, b"y" * CHUNK)
        assert not more
        near.receive(far.read(fast, CHUNK))
    assert near.room(slow) == 0
    near.receive(far.read(slow, WINDOW))
    assert near.room(slow) == WINDOW


def test_both_sides_end_or_one_resets() -> None:
    near, far = pair()
    number, data = near.open()
    assert far.receive(data) == [Opened(number)]
    assert far.receive(near.end(number)) == [Ended(number)]
    assert near.receive(far.send(number, b"still") + far.end(number)) == [
        Data(number, b"still"),
        Ended(number),
    ]
    assert not near.is_open(number)
    assert not far.is_open(number)
    other, data = near.open()
    far.receive(data)
    under_way = far.send(other, b"late")
    assert far.receive(near.reset(other, "why")) == [Reset(other, "why")]
    assert near.receive(under_way) == []  # what was under way is dropped
    assert (near.reset(other), far.end(other), far.reset(other)) == (b"", b"", b"")


HEADER = 9


@pytest.mark.parametrize(
    "frame",
    [
        b"\x00" * HEADER,
        b"\xff" * HEADER,
        b"\x02" + (1).to_bytes(4, "big") + (LARGEST + 1).to_bytes(4, "big"),
        b"\x02" + (7).to_bytes(4, "big") + (0).to_bytes(4, "big"),  # data on what was never opened
        b"\x01" + (1).to_bytes(4, "big") + (0).to_bytes(4, "big"),  # opened again
        b"\x03" + (1).to_bytes(4, "big") + (1).to_bytes(4, "big") + b"x",  # half a credit
        b"\x03" + (1).to_bytes(4, "big") + (4).to_bytes(4, "big") + (1).to_bytes(4, "big"),  # too much of it
    ],
)
def test_what_breaks_the_rules_ends_it(frame: bytes) -> None:
    near, far = pair()
    far.receive(near.open()[1])
    with pytest.raises(MuxError):
        far.receive(frame)


def test_more_than_the_window_and_more_channels_than_there_may_be() -> None:
    near, far = pair()
    number, data = near.open()
    far.receive(data)
    full = near.send(number, b"x" * WINDOW)
    far.receive(full)
    with pytest.raises(MuxError):
        far.receive(full)
    near, far = pair()
    for _ in range(MOST_CHANNELS):
        far.receive(near.open()[1])
    with pytest.raises(MuxError):
        far.receive(near.open()[1])
    with pytest.raises(MuxError):
        near.receive(near.open()[1])  # the side that opens is not opened to


@given(st.binary(max_size=200))
def test_noise_gives_events_or_a_mux_error(noise: bytes) -> None:
    _, far = pair()
    found: list[Event] = []
    try:
        found = far.receive(noise)
    except MuxError:
        return
    assert all(isinstance(event, Opened | Data | Credit | Ended | Reset) for event in found)
