"""Log lines in memory: a million of them in some 20 MB. Pure.

The newest lines are kept as they are; older ones in blocks, packed and compressed (some 15 bytes a line), of
which a few are unpacked at a time. Levels and steps of all lines are kept beside them, so that filtering by
these unpacks nothing.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise
from typing import NamedTuple

import msgspec

from aethermind.domain.events import LogLevel

CAP = 1_000_000
BLOCK = 1_024
UNPACKED = 6
"""Blocks that stay unpacked: more than a screen shows, and where one was before."""
LEVELS: tuple[LogLevel, ...] = ("debug", "info", "warning", "error")
_NARROW = 0xFFFF
"""So many names fit into two bytes."""
_NUMBER = {level: number for number, level in enumerate(LEVELS)}


class LogLine(NamedTuple):
    at: int
    level: LogLevel
    agent: str | None
    step: str | None
    message: str


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    """A block without what is kept beside it."""

    times: list[int]
    """Of the first line, then what each is later than the one before (small numbers pack well)."""
    agents: list[int]
    messages: list[str]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Packed).decode


class LogRing:
    """Lines by number; numbers go on when old lines are dropped (`first` is the oldest that is held)."""

    def __init__(self, cap: int = CAP) -> None:
        self.cap = cap
        self.first = 0
        self._block = min(BLOCK, max(cap // 8, 1))
        self._packed: list[bytes] = []
        self._tail: list[LogLine] = []
        self._levels = bytearray()
        self._steps: array[int] = array("H")
        self._names: list[str | None] = [None]
        self._ids: dict[str | None, int] = {None: 0}
        self._unpacked: dict[int, list[LogLine]] = {}
        """By the number of a block's first line."""

    @property
    def end(self) -> int:
        """The number that the next line gets; how many there have been."""
        return self.first + len(self._levels)

    def __len__(self) -> int:
        return len(self._levels)

    def __getitem__(self, number: int) -> LogLine:
        at = number - self.first
        block, place = divmod(at, self._block)
        if block >= len(self._packed):
            return self._tail[at - len(self._packed) * self._block]
        return self._unpack(block)[place]

    def level(self, number: int) -> LogLevel:
        return LEVELS[self._levels[number - self.first]]

    def append(self, line: LogLine) -> None:
        at, level, agent, step, message = line
        number, ids, names = self._ids.get(step), self._ids, self._names
        if number is None:
            number = self._id(step)
        if number > _NARROW and self._steps.typecode == "H":
            self._steps = array("I", self._steps)
        self._levels.append(_NUMBER[level])
        self._steps.append(number)
        other = ids.get(agent)
        if other is None:
            other = self._id(agent)
        # One object for each name.
        self._tail.append(LogLine(at, level, names[other], names[number], message))
        if len(self._tail) >= 2 * self._block:
            self._pack()
            if len(self._levels) >= self.cap + self._block:
                self._drop()

    def _id(self, name: str | None) -> int:
        found = self._ids.get(name)
        if found is None:
            found = self._ids[name] = len(self._names)
            self._names.append(name)
        return found

    def _pack(self) -> None:
        lines, self._tail = self._tail[: self._block], self._tail[self._block :]
        block = _Packed(
            times=[lines[0].at, *(after.at - before.at for before, after in pairwise(lines))],
            agents=[self._ids[line.agent] for line in lines],
            messages=[line.message for line in lines],
        )
        self._packed.append(zlib.compress(_encode(block), 4))

    def _unpack(self, block: int) -> list[LogLine]:
        start = self.first + block * self._block
        lines = self._unpacked.pop(start, None)
        if lines is None:
            found, names = _decode(zlib.decompress(self._packed[block])), self._names
            begin = block * self._block
            levels = self._levels[begin : begin + self._block]
            steps = self._steps[begin : begin + self._block]
            columns = zip(accumulate(found.times), levels, found.agents, steps, found.messages, strict=True)
            lines = [
                LogLine(at, LEVELS[level], names[agent], names[step], message)
                for at, level, agent, step, message in columns
            ]
            while len(self._unpacked) >= UNPACKED:
                del self._unpacked[next(iter(self._unpacked))]
        self._unpacked[start] = lines  # the newest is the last to go
        return lines

    def _drop(self) -> None:
        self._unpacked.pop(self.first, None)
        del self._packed[0], self._levels[: self._block], self._steps[: self._block]
        self.first += self._block

    def since(self, number: int) -> Iterator[LogLine]:
        return map(self.__getitem__, range(max(number, self.first), self.end))

    def select(
        self, begin: int, *, level: LogLevel, step: Callable[[str | None], bool] | None, text: str
    ) -> list[int]:
        """The numbers from `begin` on of lines of at least this level, of steps that fit, and with `text`
        (in lower case) in their message, step or agent; "" is in all.
        """
        begin = max(begin, self.first)
        at, least = begin - self.first, _NUMBER[level]
        levels = self._levels[at:] if at else self._levels
        if step is None:
            found = [n for n, one in enumerate(levels, begin) if one >= least]
        else:
            fits = {number for number, name in enumerate(self._names) if step(name)}
            pairs = zip(levels, self._steps[at:], strict=True)
            found = [n for n, (one, name) in enumerate(pairs, begin) if one >= least and name in fits]
        if not text:
            return found
        return [n for n in found if _contains(self[n], text)]


def _contains(line: LogLine, text: str) -> bool:
    return text in line.message.lower() or text in f"{line.step} {line.agent}".lower()
