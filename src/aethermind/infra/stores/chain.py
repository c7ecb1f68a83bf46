"""The chain of the audit log: each row's hash covers the row and the hash before it.

Pure; both stores use it.

    hash = SHA-256(hash of the row before, newline, JSON of the row)
    row  = [n, at, seq, act, who, origin, target, detail, digest]

in hex, the JSON without spaces and in UTF-8; before the first row stand 64 zeros. Who can write to the file
can make a whole new chain: a hash that was noted elsewhere shows it.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from aethermind.domain import acts
from aethermind.domain.acts import Act
from aethermind.domain.events import Recorded, RunCreated
from aethermind.engine.access import AuditRow, AuditVerdict
from aethermind.infra.stores.state import Row
from aethermind.wire import encode_json

BEGIN = "0" * 64


class Head(NamedTuple):
    """The last row's number and hash."""

    n: int = 0
    hash: str = BEGIN


def digest(data: str) -> str:
    """Of an event's data as it is recorded."""
    return hashlib.sha256(data.encode()).hexdigest()


def link(before: str, content: Row) -> str:
    """The hash of a row: `content` is all of it but the hash."""
    return hashlib.sha256(before.encode() + b"\n" + encode_json(content)).hexdigest()


def row(head: Head, at: int, seq: int, act: Act, data: str) -> Row:
    """The next row."""
    content = (head.n + 1, at, seq, *act, digest(data))
    return (*content, link(head.hash, content))


def audit_row(columns: Row) -> AuditRow:
    return AuditRow(**dict(zip(AuditRow.__struct_fields__, columns, strict=True)))


Missing = tuple[int, str]
"""An act without a row: the event's seq, and what it is, in words."""
Seqs = Sequence[int]
"""Of the events that have rows, rising."""


class Truth(NamedTuple):
    """What the rows are compared with."""

    began: int
    """Acts up to this seq have no rows."""
    digests: Callable[[list[int]], dict[int, str]]
    """Digests of those of these events (seqs) that are still there."""
    missing: Callable[[Seqs], Iterable[Missing]]
    """Acts among the events, from the oldest on, that have no row."""


def verify(pages: Iterable[list[Row]], truth: Truth, head: str | None) -> AuditVerdict:
    """`pages`: all rows in their order. Stops at the first that is not what it was."""
    last, seen, found = Head(), truth.began, head is None
    seqs = array("q")
    for rows in pages:
        digests = truth.digests([r[2] for r in rows])
        for r in rows:
            if problem := _problem(r, last, seen, digests):
                return _bad(last, last.n + 1, problem)
            last, seen = Head(r[0], r[9]), r[2]
            seqs.append(seen)
            found = found or r[9] == head
    for seq, what in truth.missing(seqs):
        return _bad(last, bisect_left(seqs, seq) + 1, f"{what} (event {seq}) has no row")
    if not found:
        problem = "the hash that was noted is not in it: rows were taken away, or all were written anew"
        return _bad(last, last.n + 1, problem)
    return AuditVerdict(ok=True, checked=last.n, head=last.hash if last.n else "")


def _bad(last: Head, n: int, problem: str) -> AuditVerdict:
    head = last.hash if last.n else ""
    return AuditVerdict(ok=False, checked=last.n, first_bad=n, problem=problem, head=head)


def without_row(seqs: Seqs, seq: int) -> bool:
    """Whether the event has none."""
    place = bisect_left(seqs, seq)
    return place == len(seqs) or seqs[place] != seq


def unheard(recorded: Recorded, first: Callable[[Recorded], Recorded | None]) -> str:
    """What act this event is, in words; '' if it is none, or one of another place that was taken in with its
    run. `first`: the first event of the same stream."""
    act = acts.of(recorded.stream, recorded.event)
    if act is None:
        return ""
    if recorded.version > 1 and recorded.stream.startswith("run/"):
        begin = first(recorded)
        created = None if begin is None else begin.event
        if isinstance(created, RunCreated) and recorded.version <= acts.imported(created):
            return ""
    return f"{act.act} {act.target}".strip()


def _problem(row: Row, last: Head, seen: int, digests: dict[int, str]) -> str:
    if row[0] != last.n + 1:
        return f"row {last.n + 1} is missing" if row[0] > last.n else f"row {row[0]} is there twice"
    if row[9] != link(last.hash, row[:9]):
        return f"row {row[0]} was changed, or one before it: its hash does not fit"
    if row[2] <= seen:
        return f"row {row[0]} is about event {row[2]}, which is not after the one before it"
    there = digests.get(row[2])
    if there is not None and there != row[8]:
        return f"row {row[0]} is about event {row[2]}, which was changed since"
    return ""
