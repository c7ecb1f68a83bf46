"""Gives each draft its seq and version, and gathers the rows of a batch. Pure; both stores use it.

Rules
- Seqs rise by one over events and logs together and are never given twice.
- Versions are checked against memory; `UNIQUE (stream, version)` is the real guard. A stream that is
  expected to be new is believed to be, without looking (`trusting`): the guard would notice.
- An append that conflicts is refused before anything of it is gathered.
- Logs of a run are capped: after the cap one marker is recorded, then nothing.
- What a person did gets a row in the audit log, in the same batch, chained to the row before it (`chain`).
- A draft with a `reserve` that does not fit into its day's ledger is left out; the rest of its append stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from aethermind.domain import acts
from aethermind.domain.errors import ConflictError, InvalidError
from aethermind.domain.events import AnyEvent, Draft, LogLevel, LogWritten, Recorded, RunCreated
from aethermind.domain.ids import run_stream
from aethermind.engine.queries import Partial
from aethermind.infra.stores import chain
from aethermind.infra.stores.handlers import HANDLERS
from aethermind.infra.stores.projector import Changes, Projector
from aethermind.infra.stores.state import LedgerSum, Row, RunState, Stream
from aethermind.wire import EVENT_TYPES, encode_event, encode_json

LOGS_PER_RUN = 200_000
LEVELS: tuple[LogLevel, ...] = ("debug", "info", "warning", "error")
LEVEL_NUMBER = {level: number for number, level in enumerate(LEVELS)}
TRUNCATED = LogWritten(
    level="warning",
    message="too many log records in this run: the rest is not kept",
    metadata={"truncated": True},
)

KEPT_STREAMS = 4096
"""Streams (their version, their unfinished run) kept in memory; beyond that they are looked up again."""


def encode(draft: Draft) -> str:
    """An event's data as text; of a log only its metadata ('' if there is none). Done by the caller of
    `append`, outside the transaction. Raises `InvalidError` for what is no JSON."""
    event = draft.event
    try:
        if type(event) is LogWritten:
            return encode_json(event.metadata).decode() if event.metadata else ""
        return encode_event(event).decode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidError(f"{type(event).__name__} of {draft.stream} can't be recorded: {error}") from error


class Batch:
    """Rows to insert and changes to make, in one transaction."""

    __slots__ = ("audit", "changes", "events", "logs", "streams")

    def __init__(
        self, streams: list[Row], events: list[Row], logs: list[Row], audit: list[Row], changes: Changes
    ) -> None:
        self.audit = audit
        self.streams = streams
        self.events = events
        self.logs = logs
        self.changes = changes


class Source:
    """Where the sequencer looks up what is not in memory."""

    __slots__ = ("head", "ledger", "log_count", "run", "stream")

    def __init__(
        self,
        *,
        stream: Callable[[str], tuple[int, int] | None],
        log_count: Callable[[Stream], int],
        run: Callable[[Stream], RunState | None],
        ledger: Callable[[str, int], LedgerSum | None],
        head: Callable[[], chain.Head],
    ) -> None:
        self.stream = stream
        """Name → id and last version; None for a new one."""
        self.log_count = log_count
        """How many log rows it has."""
        self.run = run
        """The state of its run."""
        self.ledger = ledger
        """A day's row of the ledger."""
        self.head = head
        """The last row of the audit log."""


class Sequencer:
    def __init__(self, source: Source, *, last_seq: int, logs_per_run: int = LOGS_PER_RUN) -> None:
        self._source = source
        self._cap = logs_per_run
        self.projector = Projector(source.run, source.ledger)
        self.last_seq = last_seq
        self.trusting = True
        self._young: dict[str, Stream] = {}
        self._old: dict[str, Stream] = {}
        self._head: chain.Head | None = None
        """Of the audit log; None: not looked up yet."""
        self._begin()

    def _begin(self) -> None:
        self._streams: list[Row] = []
        self._events: list[Row] = []
        self._logs: list[Row] = []
        self._audit: list[Row] = []

    def add(
        self, drafts: Sequence[Draft], data: Sequence[str], expected: Mapping[str, int]
    ) -> list[Recorded]:
        """Number one append. Raises `ConflictError` with nothing changed. Logs beyond the cap, and what no
        budget had room for, are left out of what is returned, as they are left out of the store."""
        streams = self._young
        for name, wanted in expected.items():
            stream = streams.get(name)
            if stream is None:
                stream = self._find(name, new=not wanted and any(d.stream == name for d in drafts))
            if stream.version != wanted:
                raise ConflictError(
                    f"{name} is at version {stream.version}, not {wanted}: somebody else wrote to it"
                )
        recorded: list[Recorded] = []
        rows, projector = self._events, self.projector
        seq, taken_in = self.last_seq, 0
        for draft, text in zip(drafts, data, strict=True):
            event, name, at = draft.event, draft.stream, draft.at
            if draft.reserve is not None and not projector.fits(draft.reserve, at):
                continue
            stream = streams.get(name)
            if stream is None:
                stream = self._find(name)
            head = _HEADS.get(type(event))
            if head is None:
                seq = self._add_log(seq, stream, draft, text, recorded)
                continue
            type_name, v, handler, is_act = head
            seq += 1
            if not stream.id:
                self._store(stream, seq)
            stream.version = version = stream.version + 1
            rows.append((seq, stream.id, version, at, type_name, v, text))
            if is_act and version > taken_in:
                taken_in = self._note(name, seq, at, event, text)
            if handler is not None:
                handler(projector, stream, seq, at, event)
            recorded.append(Recorded(seq, name, version, at, event))
        self.last_seq = seq
        return recorded

    def save_partial(self, partial: Partial) -> None:
        """Keep a display text, unless its call is known to be over."""
        self.projector.save_partial(self._find(run_stream(partial.run_id)), partial)

    def take(self) -> Batch:
        """The batch gathered since the last `take`."""
        batch = Batch(self._streams, self._events, self._logs, self._audit, self.projector.take())
        self._begin()
        if len(self._young) > KEPT_STREAMS:
            self._old, self._young = self._young, {}
        return batch

    def forget(self, last_seq: int) -> None:
        """Start again from what is stored: a batch was rolled back, or somebody else wrote."""
        self.last_seq = last_seq
        self._begin()
        self._young = {}
        self._old = {}
        self._head = None
        self.projector.forget()

    def _find(self, name: str, *, new: bool = False) -> Stream:
        stream = self._young.get(name) or self._old.pop(name, None)
        if stream is None:
            found = None if new and self.trusting else self._source.stream(name)
            stream = Stream(name) if found is None else Stream(name, *found)
        self._young[name] = stream
        return stream

    def _store(self, stream: Stream, seq: int) -> None:
        stream.id = seq
        self._streams.append((seq, stream.name))

    def _note(self, stream: str, seq: int, at: int, event: AnyEvent, data: str) -> int:
        """A row for what a person did. So many of the stream's next events are no acts of this place."""
        act = acts.of(stream, event)
        if act is not None:
            row = chain.row(self._head or self._source.head(), at, seq, act, data)
            self._head = chain.Head(row[0], row[-1])
            self._audit.append(row)
        return acts.imported(event) if isinstance(event, RunCreated) else 0

    def _add_log(
        self, seq: int, stream: Stream, draft: Draft, metadata: str, recorded: list[Recorded]
    ) -> int:
        event = draft.event
        assert isinstance(event, LogWritten)
        if stream.name.startswith("run/"):
            count = stream.logs
            if count is None:
                count = self._source.log_count(stream) if stream.id else 0
            stream.logs = min(count, self._cap) + 1
            if count > self._cap:
                return seq
            if count == self._cap:
                event, metadata = TRUNCATED, encode_json(TRUNCATED.metadata).decode()
        seq += 1
        if not stream.id:
            self._store(stream, seq)
        level = LEVEL_NUMBER[event.level]
        self._logs.append(
            (
                seq,
                stream.id,
                draft.at,
                level,
                event.message,
                event.step,
                event.attempt,
                event.agent,
                metadata or None,
            )
        )
        recorded.append(Recorded(seq, stream.name, 0, draft.at, event))
        return seq


_HEADS = {
    kind: (name, kind.v, HANDLERS.get(kind), kind in acts.READERS)
    for name, kind in EVENT_TYPES.items()
    if kind is not LogWritten
}
"""Class → its name and version on disk, what it does to the projections, and whether it can be an act. Logs
are not in it."""
