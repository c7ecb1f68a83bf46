"""One run as a file: JSON lines, a header, then every envelope of the run, its log records too.

    {"bundle": 1, "aethermind": "0.1.0", "run": "r_…", "events": 41, "logs": 12, "sha256": "…", …}
    {"seq": 7, "stream": "run/r_…", "version": 1, "at": "…", "type": "RunCreated", "v": 1, "data": {…}}
    …

Rules
- A bundle holds all that its run is: it replays anywhere, without the workflow's file or this database.
- Secrets do not leave (`redaction`); what that changed is counted in the header, and never changes what is
  replayed: both ways are folded and compared before a byte is written.
- What is read is believed by nobody: every line goes through the codec, the order is checked, and the run is
  folded with its invariants looked at. The first line that does not fit is named.
- Taken in, the run has the times it had, but seqs of this database, and another id if its own is taken. Its
  `RunCreated`, recorded here anew, is tagged with where it came from, and nobody drives it before that bundle
  is trusted (`engine.provenance`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from aethermind import failpoints, wire
from aethermind.domain import invariants
from aethermind.domain.acts import IMPORTED_BY, IMPORTED_EVENTS
from aethermind.domain.errors import AethermindError, InvalidError, NotFoundError, StateError
from aethermind.domain.events import AnyEvent, CallFinished, Draft, LogWritten, Recorded, RunCreated
from aethermind.domain.ids import run_stream
from aethermind.domain.run import Run
from aethermind.domain.state import FINISHED_RUN
from aethermind.engine.ports import EventStore
from aethermind.engine.provenance import IMPORTED, IMPORTED_FROM
from aethermind.infra.redaction import Redact, Redaction

FORMAT = 1
"""The version of the file's form. Events have versions of their own (`wire.UPCASTS`)."""
NOTED = frozenset({IMPORTED, IMPORTED_FROM, IMPORTED_BY, IMPORTED_EVENTS})
"""Tags that an import puts on a run."""
RUN_ID = re.compile(r"r_[A-Za-z0-9_]{1,64}\Z")
ID_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
WAITING = frozenset({"paused", "parked", "waiting_answer", "waiting_budget"})
"""Statuses that stay true when nobody drives the run."""
PAGE = 1_000
LONGEST_LINE = 256 << 20
CHECKS = 20
"""Of a run with N steps the invariants are looked at after every N / CHECKS events, and at the end."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    bundle: int
    aethermind: str
    """Version of the product that wrote it."""
    exported_at: str
    run: str
    workflow: str
    status: str
    events: int
    logs: int
    redacted: int = 0
    """Texts in which a secret was replaced by `[redacted]`."""
    sha256: str
    """Of the lines below, each with its newline."""


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle that was read and found good."""

    header: Header
    history: list[Recorded]
    run: Run
    """Folded from it."""
    digest: str
    """Of the run's events, whatever their seqs and the run's id: the same run has the same digest."""


# --- writing -----------------------------------------------------------------------------------


def write(
    history: Sequence[Recorded], *, version: str, exported_at: int, redact: Redact
) -> tuple[Header, list[bytes]]:
    """The header and all lines (with it), each with its newline. `history`: events and logs of one run in the
    order of their seqs."""
    run = _fold(history)
    redaction = Redaction(redact)
    shown = [redaction.recorded(item) for item in history]
    if redaction.count and not _replays(shown, run):
        raise AethermindError(f"run {run.id} can't be exported: without its secrets it would not replay")
    lines = [wire.encode_envelope(item) + b"\n" for item in shown]
    logs = sum(isinstance(item.event, LogWritten) for item in history)
    header = Header(
        bundle=FORMAT,
        aethermind=version,
        exported_at=wire.iso(exported_at),
        run=run.id,
        workflow=run.created.workflow,
        status=run.status,
        events=len(history) - logs,
        logs=logs,
        redacted=redaction.count,
        sha256=_hash(lines),
    )
    return header, [wire.encode_json(header) + b"\n", *lines]


def _fold(history: Sequence[Recorded]) -> Run:
    run = Run(history[0].stream.removeprefix("run/"))
    for item in history:
        run.fold(item)
    return run


def _replays(history: Sequence[Recorded], run: Run) -> bool:
    try:
        return shape(_fold(history)) == shape(run)
    except StateError:
        return False


def shape(run: Run) -> dict[str, Any]:
    """What a replay gives, without any text of it: must be the same with and without secrets."""
    return {
        "run": (run.status, run.version, run.generation, run.finished_at, run.tally.cost, run.tally.usage),
        "counts": {status: count for status, count in run.counts.items() if count},
        "ready": sorted(path for lane in run.ready.values() for path in lane),
        "nodes": {
            path: (node.mode, node.status, node.digest, [_tried(attempt) for attempt in node.attempts])
            for path, node in run.nodes.items()
        },
    }


def _tried(attempt: Any) -> tuple[Any, ...]:
    return attempt.n, attempt.status, attempt.retry_at, [(call.status, call.cost) for call in attempt.calls]


# --- reading -----------------------------------------------------------------------------------


def read(path: Path) -> Bundle:
    """Read and check a bundle. Raises `NotFoundError`, or `InvalidError` with file and line."""
    try:
        with path.open("rb") as file:
            return _Reading(str(path)).bundle(file)
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist") from None
    except OSError as error:
        raise InvalidError(f"{path}: {error.strerror or error}") from error


def parse(file: BinaryIO, name: str) -> Bundle:
    """The same of an open file."""
    return _Reading(name).bundle(file)


class _Reading:
    """One reading: where it is, and what was found so far."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._line = 0
        self._seq = 0
        self._version = 0

    def _wrong(self, what: str, *, hint: str | None = None) -> InvalidError:
        return InvalidError(what, file=self._name, line_no=self._line, hint=hint)

    def bundle(self, file: BinaryIO) -> Bundle:
        lines = self._lines(file)
        header = self._header(next(lines, b""))
        run = Run(header.run)
        history: list[Recorded] = []
        sha256 = hashlib.sha256()
        for line in lines:
            sha256.update(line.rstrip(b"\r\n") + b"\n")
            item = self._envelope(line)
            self._check_order(item, header)
            self._apply(run, item)
            history.append(item)
        if len(history) != header.events + header.logs:
            raise self._wrong(
                f"the bundle was cut: {len(history)} of {header.events + header.logs} records are there"
            )
        if sha256.hexdigest() != header.sha256:
            raise self._wrong("the bundle was changed after it was exported: its hash is another one")
        self._check_invariants(run)
        return Bundle(header=header, history=history, run=run, digest=digest(history))

    def _lines(self, file: BinaryIO) -> Iterator[bytes]:
        while line := file.readline(LONGEST_LINE + 1):
            self._line += 1
            if len(line) > LONGEST_LINE:
                raise self._wrong(f"a line of more than {LONGEST_LINE >> 20} MiB")
            yield line

    def _header(self, line: bytes) -> Header:
        self._line = 1
        hint = "aethermind export RUN -o FILE writes one"
        try:
            first = msgspec.json.decode(line)
        except (ValueError, RecursionError):
            first = None
        if not isinstance(first, dict) or not isinstance(number := first.get("bundle"), int):
            raise self._wrong("this is no bundle of a run", hint=hint)
        if number > FORMAT:
            raise self._wrong(
                f"the bundle was written by a newer aethermind (form {number}; this one reads {FORMAT})",
                hint="install the newer version",
            )
        try:
            header = msgspec.convert(first, Header)
        except msgspec.ValidationError as error:
            raise self._wrong(f"the header of the bundle is broken: {error}") from None
        if not RUN_ID.match(header.run) or header.events < 1 or header.logs < 0:
            raise self._wrong("the header of the bundle is broken: no run with events")
        return header

    def _envelope(self, line: bytes) -> Recorded:
        try:
            return wire.decode_envelope(line)
        except msgspec.DecodeError as error:
            raise self._wrong(f"this is no record of an event: {error}") from None
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
            raise self._wrong(f"this is no record of an event: {what}") from None

    def _check_order(self, item: Recorded, header: Header) -> None:
        if item.stream != run_stream(header.run):
            raise self._wrong(f"this record belongs to {item.stream!r}, not to run {header.run}")
        # The codec takes these as they come.
        numbers: tuple[Any, ...] = (item.seq, item.version)
        if not all(type(number) is int for number in numbers) or item.at < 0:
            raise self._wrong("seq, version and time of a record are whole numbers")
        if item.seq <= self._seq:
            raise self._wrong(f"seq {item.seq} is out of order")
        log = isinstance(item.event, LogWritten)
        wanted = 0 if log else self._version + 1
        if item.version != wanted:
            raise self._wrong(f"version {item.version} is out of order: {wanted} should be here")
        if isinstance(item.event, RunCreated) != (wanted == 1):
            raise self._wrong("a run begins with RunCreated, once")
        self._seq = item.seq
        self._version = self._version if log else wanted

    def _apply(self, run: Run, item: Recorded) -> None:
        try:
            run.fold(item)
        except StateError as error:
            raise self._wrong(f"{item.type} does not fit: {error.message}") from None
        except Exception as error:  # noqa: BLE001 - whatever a forged event breaks is the file's fault
            raise self._wrong(f"{item.type} does not fit: {type(error).__name__}: {error}") from None
        if run.version % max(1, len(run.nodes) // CHECKS) == 0:
            self._check_invariants(run)

    def _check_invariants(self, run: Run) -> None:
        try:
            invariants.check(run)
        except AssertionError as error:
            raise self._wrong(f"these events can't have happened: {error}") from None
        except Exception as error:  # noqa: BLE001 - as above
            raise self._wrong(f"these events can't have happened: {type(error).__name__}: {error}") from None


def digest(history: Sequence[Recorded]) -> str:
    """Of the events alone, in order: their seqs, the run's id and what an import noted are left out."""
    found = hashlib.sha256()
    for item in history:
        if isinstance(item.event, LogWritten):
            continue
        event = item.event
        if isinstance(event, RunCreated) and IMPORTED in event.tags:
            kept = {k: v for k, v in event.tags.items() if k not in NOTED}
            event = msgspec.structs.replace(event, tags=kept)
        found.update(wire.canonical([item.version, item.at, type(event).__name__, event.v, event]) + b"\n")
    return found.hexdigest()


def _hash(lines: Sequence[bytes]) -> str:
    found = hashlib.sha256()
    for line in lines:
        found.update(line)
    return found.hexdigest()


# --- the store ---------------------------------------------------------------------------------


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a bundle. `known`: it was here before, nothing was recorded."""

    run: str
    known: bool
    renamed_from: str | None
    events: int
    logs: int
    status: str


async def history(store: EventStore, run_id: str) -> list[Recorded]:
    """The events and logs of a run. Raises `NotFoundError`."""
    found: list[Recorded] = []
    while page := await store.read_all(found[-1].seq if found else 0, limit=PAGE, stream=run_stream(run_id)):
        found += page
    if not found:
        raise NotFoundError(f"there is no run {run_id!r}", hint="aethermind runs")
    return found


async def add(store: EventStore, bundle: Bundle, *, redact: Redact = str, by: str = "") -> Imported:
    """Record the run of a bundle, in one append: all of it or nothing. The same bundle, or a run that is here
    already (with its secrets, without them in the bundle), is recognised by its digest."""
    own = bundle.header.run
    for run_id in (own, f"r_{_letters(bundle.digest)}"):
        there = await store.read_stream(run_stream(run_id))
        if there and _is_same(there, bundle.digest, redact):
            return _imported(bundle, run_id, known=True)
        if not there:
            drafts = [
                Draft(run_stream(run_id), item.at, _marked(item.event, bundle, by)) for item in bundle.history
            ]
            if failpoints.armed:
                failpoints.reached("import")
            await store.append(drafts, {run_stream(run_id): 0})
            return _imported(bundle, run_id, known=False)
    raise InvalidError(f"run {own} is here already, and so is {run_id}, with other events")


def _is_same(there: Sequence[Recorded], wanted: str, redact: Redact) -> bool:
    """It ran here, or it was imported (and may have gone on since)."""
    first = there[0].event
    if isinstance(first, RunCreated) and first.tags.get(IMPORTED) == wanted:
        return True
    redaction = Redaction(redact)
    return wanted in {digest(there), digest([redaction.recorded(item) for item in there])}


def _marked(event: AnyEvent, bundle: Bundle, by: str) -> AnyEvent:
    if isinstance(event, CallFinished) and event.content_key is not None:
        return msgspec.structs.replace(event, content_key=None)  # nobody's word makes an answer of ours
    if not isinstance(event, RunCreated):
        return event
    tags = {name: value for name, value in event.tags.items() if name not in NOTED}
    tags |= {IMPORTED: bundle.digest, IMPORTED_FROM: bundle.header.run}
    tags |= {IMPORTED_EVENTS: str(bundle.header.events)} | ({IMPORTED_BY: by} if by else {})
    return msgspec.structs.replace(event, tags=tags)


def _imported(bundle: Bundle, run_id: str, *, known: bool) -> Imported:
    own = bundle.header.run
    status = bundle.run.status
    if status not in FINISHED_RUN | WAITING:
        status = "interrupted"
    return Imported(
        run=run_id,
        known=known,
        renamed_from=own if run_id != own else None,
        events=bundle.header.events,
        logs=bundle.header.logs,
        status=status,
    )


def _letters(hexadecimal: str) -> str:
    """Ten letters for an id, always the same for a digest."""
    number = int(hexadecimal, 16)
    return "".join(ID_LETTERS[number >> (5 * place) & 31] for place in range(10))
