"""Runs as files: what leaves, what comes in, and what is refused with its line."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aethermind import wire
from aethermind.domain import events as e
from aethermind.domain.errors import AethermindError, InvalidError, NotFoundError
from aethermind.domain.run import fold
from aethermind.domain.workflow import Command, Prompt, StepDef, Value, WorkflowDef
from aethermind.engine.queries import CostFilter, LogFilter, RunFilter
from aethermind.infra import bundle
from aethermind.infra.secrets import redact
from aethermind.infra.stores.memory import InMemoryStore
from tests.engine.harness import Harness, workflow

GOLDEN = Path(__file__).parent.parent / "migrations" / "golden"
AT = 1_767_225_600_000
KEY = "sk-abcdefghijklmnopqrstuvwx"
FLOW = workflow(
    StepDef(id="a", action=Prompt(template="Say hello", models=("smart",))),
    StepDef(id="b", action=Command(argv=("echo", "{{ a }}")), references=("a",)),
    StepDef(id="c", action=Value(value="{{ b }}"), references=("b",), for_each=[1, 2]),
)
Line = dict[str, Any]


async def recorded(definition: WorkflowDef = FLOW, reply: str = "hello") -> list[e.Recorded]:
    """A real run with log records, as it stands in the store."""
    async with Harness() as h:
        run = await h.run(definition, sim={"steps": {"a": reply}})
        history = await bundle.history(h.store, run.id)
    return [msgspec.structs.replace(item, stream="run/r_test0001") for item in history]


@pytest.fixture
async def history() -> list[e.Recorded]:
    return await recorded()


def put(path: Path, history: list[e.Recorded]) -> Path:
    _, lines = bundle.write(history, version="9.9.9", exported_at=AT, redact=redact)
    path.write_bytes(b"".join(lines))
    return path


def changed(path: Path, change: Callable[[list[Line]], object], *, hashed: bool = True) -> Path:
    """The bundle with its lines changed, and its counts and hash put right again."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    change(lines)
    body = [json.dumps(line).encode() + b"\n" for line in lines[1:]]
    if hashed:
        logs = sum(line.get("type") == "LogWritten" for line in lines[1:])
        lines[0] |= {"events": len(body) - logs, "logs": logs, "sha256": sha256(body)}
    path.write_bytes(json.dumps(lines[0]).encode() + b"\n" + b"".join(body))
    return path


def sha256(body: list[bytes]) -> str:
    return hashlib.sha256(b"".join(body)).hexdigest()


def refusal(path: Path) -> str:
    with pytest.raises(InvalidError) as caught:
        bundle.read(path)
    line = caught.value.line()
    assert line.startswith(f"{path}:"), line
    assert "\n" not in line
    return line.removeprefix(f"{path}:")


# --- out and in --------------------------------------------------------------------------------


def test_what_is_read_is_what_was_written(tmp_path: Path, history: list[e.Recorded]) -> None:
    found = bundle.read(put(tmp_path / "b.jsonl", history))
    assert found.history == history
    header = found.header
    logs = sum(item.type == "LogWritten" for item in history)
    assert (header.bundle, header.aethermind, header.exported_at) == (1, "9.9.9", "2026-01-01T00:00:00.000Z")
    assert (header.run, header.workflow, header.status) == ("r_test0001", "test", "succeeded")
    assert (header.events, header.logs, header.redacted) == (len(history) - logs, logs, 0)
    assert logs
    assert found.run.outputs == fold("r_test0001", history).outputs
    lines = (tmp_path / "b.jsonl").read_bytes().splitlines()
    assert lines[1:] == [wire.encode_envelope(item) for item in history]


def test_lines_may_end_as_windows_ends_them(tmp_path: Path, history: list[e.Recorded]) -> None:
    path = put(tmp_path / "b.jsonl", history)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert bundle.read(path).history == history


async def test_secrets_stay_and_the_replay_is_the_same(tmp_path: Path) -> None:
    history = await recorded(reply=f"the key is {KEY}")
    path = put(tmp_path / "b.jsonl", history)
    assert KEY not in path.read_text()
    found = bundle.read(path)
    # The reply, its step's output, the command's output, log, items of c, the run's outputs, the script …
    assert found.header.redacted > 5
    assert bundle.shape(found.run) == bundle.shape(fold("r_test0001", history))
    assert found.run.nodes["a"].output == "the key is [redacted]"


def test_what_would_not_replay_without_its_secrets_is_not_written() -> None:
    history = bundle.read(GOLDEN / "0.1.0-in-doubt.jsonl").history  # somebody decided: retry
    with pytest.raises(AethermindError, match="would not replay"):
        bundle.write(history, version="1", exported_at=AT, redact=lambda text: text.replace("retry", "skip"))
    harmless = bundle.write(
        history, version="1", exported_at=AT, redact=lambda text: text.replace("ada", "eve")
    )
    assert harmless[0].redacted > 0


async def test_a_run_that_is_not_there_has_no_history() -> None:
    with pytest.raises(NotFoundError, match="there is no run 'r_x'"):
        await bundle.history(InMemoryStore(), "r_x")


# --- into a store ------------------------------------------------------------------------------


async def test_an_imported_run_is_the_run_it_was_but_tagged(
    tmp_path: Path, history: list[e.Recorded]
) -> None:
    found = bundle.read(put(tmp_path / "b.jsonl", history))
    store = InMemoryStore()
    await store.append([e.Draft("system", 1, e.TrustGranted(path="/x", sha256=None))], {})
    added = await bundle.add(store, found, by="ana via ssh")
    assert (added.run, added.known, added.renamed_from, added.status) == (
        "r_test0001",
        False,
        None,
        "succeeded",
    )
    here = await bundle.history(store, added.run)
    first, *others = here
    assert isinstance(first.event, e.RunCreated)
    assert first.event.tags == {
        "imported": found.digest,
        "imported_from": "r_test0001",
        "imported_events": str(added.events),
        "imported_by": "ana via ssh",
    }
    assert [(i.version, i.at, i.event) for i in others] == [(i.version, i.at, i.event) for i in history[1:]]
    assert [i.seq for i in here] == list(range(2, len(here) + 2)), "seqs of this database"
    (row,) = (await store.runs(RunFilter())).items
    assert (row.status, row.cost_micro_usd) == ("succeeded", found.run.tally.cost)
    assert len((await store.logs(LogFilter(run_id=added.run))).items) == added.logs
    (cost,) = await store.costs(CostFilter(simulated=True))
    assert cost.cost_micro_usd == found.run.tally.cost


async def test_no_bundle_plants_an_answer_or_carries_its_key_away(tmp_path: Path) -> None:
    cached = workflow(StepDef(id="a", action=Prompt(template="Say hello", models=("smart",)), cache=True))
    history = await recorded(cached)
    (key,) = {i.event.content_key for i in history if isinstance(i.event, e.CallFinished)}
    assert key is not None
    path = put(tmp_path / "b.jsonl", history)
    assert key not in path.read_text()

    def plant(lines: list[Line]) -> None:
        finished = next(line for line in lines if line.get("type") == "CallFinished")
        finished["data"] |= {"content_key": key, "text": "planted"}

    store = InMemoryStore()
    await bundle.add(store, bundle.read(changed(path, plant)))
    assert await store.answer(key) is None

    ran = InMemoryStore()
    await ran.append([e.Draft(i.stream, i.at, i.event) for i in history], {})
    assert await ran.answer(key) is not None
    assert (await bundle.add(ran, bundle.read(put(path, history)), redact=redact)).known, "it ran here"


async def test_the_same_bundle_twice_is_one_run(tmp_path: Path, history: list[e.Recorded]) -> None:
    found = bundle.read(put(tmp_path / "b.jsonl", history))
    store = InMemoryStore()
    first = await bundle.add(store, found)
    last = await store.last_seq()
    again = await bundle.add(store, found)
    assert (again.run, again.known) == (first.run, True)
    # Exported from here and brought back, it is the same run, too.
    back = bundle.read(put(tmp_path / "back.jsonl", await bundle.history(store, first.run)))
    assert back.digest == found.digest
    assert (await bundle.add(store, back)).known
    assert await store.last_seq() == last


async def test_the_run_itself_is_recognised_where_it_ran(tmp_path: Path) -> None:
    async with Harness() as h:
        run = await h.run(FLOW)
        path = put(tmp_path / "b.jsonl", await bundle.history(h.store, run.id))
        added = await bundle.add(h.store, bundle.read(path))
        assert (added.run, added.known) == (run.id, True)


async def test_a_taken_id_is_replaced_and_always_by_the_same(
    tmp_path: Path, history: list[e.Recorded]
) -> None:
    store = InMemoryStore()
    await bundle.add(store, bundle.read(put(tmp_path / "a.jsonl", history)))
    other = bundle.read(put(tmp_path / "b.jsonl", await recorded(reply="something else")))
    added = await bundle.add(store, other)
    assert (added.renamed_from, added.known) == ("r_test0001", False)
    assert added.run != "r_test0001"
    assert bundle.RUN_ID.match(added.run)
    assert len(added.run) == len("r_") + 10
    again = await bundle.add(store, other)
    assert (again.run, again.known) == (added.run, True)
    run = fold(added.run, await store.read_stream(f"run/{added.run}"))
    assert run.created.tags["imported_from"] == "r_test0001"


async def test_an_unfinished_run_stays_known_after_it_went_on(
    tmp_path: Path, history: list[e.Recorded]
) -> None:
    cut = [item for item in history if item.type != "RunSucceeded"]
    store = InMemoryStore()
    found = bundle.read(put(tmp_path / "b.jsonl", cut))
    added = await bundle.add(store, found)
    assert added.status == "interrupted"
    await store.append([e.Draft(f"run/{added.run}", AT, e.RunPaused(by="ada"))], {})
    assert (await bundle.add(store, found)).known


# --- what is refused ---------------------------------------------------------------------------


def test_no_file_and_what_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="does not exist"):
        bundle.read(tmp_path / "none")
    with pytest.raises(InvalidError, match="Is a directory"):
        bundle.read(tmp_path)
    path = tmp_path / "b.jsonl"
    for content in (
        b"",
        b"\n",
        b"name: hi\n",
        b"[1]\n",
        b"{}\n",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"bundle": "1"}',
    ):
        path.write_bytes(content)
        assert refusal(path) == "1: this is no bundle of a run (aethermind export RUN -o FILE writes one)"
    path.write_bytes(b'{"bundle": 2}\n')
    assert "written by a newer aethermind (form 2; this one reads 1) (install the newer version)" in refusal(
        path
    )
    path.write_bytes(b'{"bundle": 1}\n')
    assert refusal(path).startswith("1: the header of the bundle is broken: Object missing required field")


def drop(number: int) -> Callable[[list[Line]], object]:
    return lambda lines: lines.pop(number)


def edit(number: int, **fields: Any) -> Callable[[list[Line]], object]:
    return lambda lines: lines[number].update(fields)


def swap(one: int, two: int) -> Callable[[list[Line]], object]:
    def change(lines: list[Line]) -> None:
        lines[one], lines[two] = lines[two], lines[one]

    return change


@pytest.mark.parametrize(
    "change, told",
    [
        (edit(0, run="../../etc"), "1: the header of the bundle is broken: no run with events"),
        (edit(0, run="r_other"), "2: this record belongs to 'run/r_test0001', not to run r_other"),
        (drop(1), "2: version 2 is out of order: 1 should be here"),
        (drop(3), "4: version 4 is out of order: 3 should be here"),
        (swap(2, 3), "3: version 3 is out of order: 2 should be here"),
        (edit(2, seq=1), "3: seq 1 is out of order"),
        (edit(2, seq="2"), "3: seq, version and time of a record are whole numbers"),
        (edit(2, version=2.0), "3: seq, version and time of a record are whole numbers"),
        (edit(2, seq=True), "3: seq, version and time of a record are whole numbers"),
        (edit(2, at="1969-01-01T00:00:00Z"), "3: seq, version and time of a record are whole numbers"),
        (edit(2, at=5), "3: this is no record of an event: "),
        (edit(2, at="soon"), "3: this is no record of an event: Invalid isoformat string: 'soon'"),
        (edit(2, type="Invented"), "3: this is no record of an event: unknown event type 'Invented'"),
        (edit(2, v=99), "3: this is no record of an event: AttemptStarted v99 was written by a newer"),
        (edit(2, data=[]), "3: this is no record of an event: Expected `object`, got `array`"),
        (edit(2, data={"step": "a"}), "3: this is no record of an event: Object missing required field"),
        (lambda lines: lines[2].pop("type"), "3: this is no record of an event: 'type' is missing"),
        (
            edit(2, type="TrustGranted", data={"path": "/", "sha256": None}),
            "3: TrustGranted does not fit: TrustGranted is no event of a run",
        ),
        (
            edit(2, data={"step": "nowhere", "attempt": 1, "kind": "prompt"}),
            "3: AttemptStarted does not fit: run r_test0001 has no step 'nowhere'",
        ),
        (
            edit(2, data={"step": "b", "attempt": 1, "kind": "run"}),
            "3: these events can't have happened: <b leaf running> runs before <a leaf ready>",
        ),
        (
            lambda lines: lines[3]["data"].update(attempt=7),
            "4: CallStarted does not fit: IndexError",
        ),
        (
            lambda lines: lines.append(
                {**lines[1], "seq": 10_000, "version": lines[-1]["version"] + 1}
            ),
            "a run begins with RunCreated, once",
        ),
    ],
)  # fmt: skip
def test_each_flaw_is_named_with_its_line(
    tmp_path: Path, history: list[e.Recorded], change: Callable[[list[Line]], object], told: str
) -> None:
    path = changed(put(tmp_path / "b.jsonl", history), change)
    assert told in refusal(path)


def test_what_was_cut_or_changed_is_refused(tmp_path: Path, history: list[e.Recorded]) -> None:
    path = put(tmp_path / "b.jsonl", history)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    count = len(history)
    assert refusal(path) == f"{count}: the bundle was cut: {count - 1} of {count} records are there"
    path.write_bytes(whole[:-20])
    assert refusal(path).startswith(f"{count + 1}: this is no record of an event: Input data was truncated")
    path.write_bytes(whole.replace(b"hello", b"HELLO"))
    assert "was changed after it was exported" in refusal(path)
    path.write_bytes(whole)
    assert bundle.read(path).history == history


def test_a_deep_value_is_no_crash(tmp_path: Path, history: list[e.Recorded]) -> None:
    path = put(tmp_path / "b.jsonl", history)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = b'{"seq": 2, "data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"
    path.write_bytes(b"".join(lines))
    assert refusal(path).startswith("3: this is no record of an event: ")


def test_whatever_is_mixed_up_is_refused_or_a_run(
    tmp_path: Path, history: list[e.Recorded], rng: random.Random
) -> None:
    """Lines dropped, doubled, swapped and fields exchanged: an error with its line, or a run that folds."""
    original = put(tmp_path / "b.jsonl", history).read_bytes()

    def scramble(lines: list[Line]) -> None:
        for _ in range(rng.randint(1, 3)):
            one, two = rng.randrange(1, len(lines)), rng.randrange(1, len(lines))
            match rng.randrange(4):
                case 0:
                    lines.pop(one)
                case 1:
                    lines[one], lines[two] = lines[two], lines[one]
                case 2:
                    lines[one]["data"] = lines[two]["data"]
                case _:
                    lines[one] = {**lines[two], "seq": lines[one]["seq"], "version": lines[one]["version"]}
        versions = 0
        for seq, line in enumerate(lines[1:], 1):  # so that more than the order is wrong
            versions += line["type"] != "LogWritten"
            line |= {"seq": seq, "version": 0 if line["type"] == "LogWritten" else versions}

    outcomes: set[bool] = set()
    for _ in range(150):
        path = tmp_path / "b.jsonl"
        path.write_bytes(original)
        changed(path, scramble)
        try:
            outcomes.add(bundle.read(path).run.created is not None)
        except InvalidError as error:
            outcomes.add(error.line_no is None)
    assert False in outcomes
