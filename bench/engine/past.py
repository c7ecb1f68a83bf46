"""Databases with a past: so many finished runs, and log lines of them, made through the store's own `append`.

Made once and kept under `.bench/databases`, by what they hold and by the schema: copy before writing to one.

    python -m bench.engine.past RUNS LINES        make one; tells its path
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
import sqlite3
import sys
import time
from pathlib import Path

from aethermind import wire
from aethermind.domain import events as e
from aethermind.domain.errors import ErrorInfo
from aethermind.domain.events import Draft
from aethermind.domain.ids import run_stream
from aethermind.domain.usage import Cost, Usage
from aethermind.domain.workflow import Function, Prompt, StepDef, WorkflowDef
from aethermind.engine.ports import EventStore
from aethermind.infra.stores import flush
from aethermind.infra.stores.sqlite import open_store
from bench.engine.limit import ANSWER
from bench.peers.places import CACHE

DAY_MS = 86_400_000
DAYS = 200
START = 1_760_000_000_000
WORKFLOWS = tuple(f"flow-{n}" for n in range(20))
AGENTS = tuple(f"agent-{n}" for n in range(12))
MODELS = (("openai", "gpt-large"), ("anthropic", "sonnet"), ("ollama", "qwen"), ("sim", "fast"))
SEED = 7
RUNS_AT_ONCE = 250
LINES_AT_ONCE = 4_000
LEVELS: tuple[e.LogLevel, ...] = (
    "debug",
    "info",
    "info",
    "info",
    "info",
    "info",
    "info",
    "warning",
    "info",
    "info",
)
"""Of a hundred lines one more is an error."""
WORDS = ("fetching page", "tokens so far", "retrying request", "wrote section", "cache miss", "plan accepted")


def cached(runs: int, lines: int) -> Path:
    """The database, made if it is not there. Raises what making it raises; nothing half made stays."""
    home = CACHE / "databases"
    home.mkdir(parents=True, exist_ok=True)
    file = home / f"past-{runs}-{lines}-{_schema()}.db"
    if not file.exists():
        print(f"making {file.name}", file=sys.stderr)
        began = time.perf_counter()
        draft = home / f"{file.stem}.draft"
        for old in home.glob(f"past-{runs}-{lines}-*"):  # half made, or of another schema
            old.unlink()
        if lines:
            shutil.copyfile(cached(runs, 0), draft)
        asyncio.run(_make(draft, runs, lines))
        with sqlite3.connect(draft) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        draft.rename(file)
        print(f"made in {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return file


def _schema() -> str:
    """Changes with the tables, with the rows that are made, and with this file."""
    root = Path(flush.__file__).parent
    parts = [Path(__file__), *sorted((root / "migrations").glob("*.sql"))]
    text = b"".join(part.read_bytes() for part in parts) + str(flush.PROJECTION).encode()
    return hashlib.sha256(text).hexdigest()[:8]


async def _make(file: Path, runs: int, lines: int) -> None:
    store = await open_store(file, durability="process")
    try:
        if lines:
            await _logs(store, runs, lines)
        else:
            await _runs(store, runs)
    finally:
        await store.close()


def run_id(n: int) -> str:
    return f"r_{n:010d}"


def _definition(name: str, agent: str) -> WorkflowDef:
    draft = StepDef(id="draft", action=Prompt(template="Write about {{ inputs.topic }}.", agent=agent))
    check = StepDef(id="check", action=Function(name="check"), depends_on=("draft",))
    return WorkflowDef(name=name, steps=(draft, check))


def _agents_of(workflow: int) -> tuple[str, str]:
    """A workflow has its own few agents, an agent its model: sums by day stay few, as they are in life."""
    return AGENTS[workflow % 12], AGENTS[(workflow * 5 + 1) % 12]


async def _runs(store: EventStore, runs: int) -> None:
    chance = random.Random(SEED)
    flows = {(w, a): _definition(w, a) for n, w in enumerate(WORKFLOWS) for a in _agents_of(n)}
    keys = list(flows)
    hashes = {key: wire.digest(flow) for key, flow in flows.items()}
    submitter = e.Submitter(user="bench", cwd="/", interpreter="python3", origin="cli")
    waiting: list[asyncio.Future[list[e.Recorded]]] = []
    for first in range(0, runs, RUNS_AT_ONCE):
        drafts: list[Draft] = []
        expected: dict[str, int] = {}
        for n in range(first, min(runs, first + RUNS_AT_ONCE)):
            key = chance.choice(keys)
            at = START + DAYS * DAY_MS * n // runs
            created = e.RunCreated(
                workflow=key[0],
                definition=flows[key],
                definition_hash=hashes[key],
                inputs={"topic": f"topic {n}"},
                models={},
                submitter=submitter,
            )
            stream = run_stream(run_id(n))
            expected[stream] = 0
            drafts += [Draft(stream, at + 40 * k, event) for k, event in enumerate(_life(created, key[1], n))]
        waiting.append(asyncio.ensure_future(store.append(drafts, expected)))
        if len(waiting) >= 4:
            await waiting.pop(0)
    await asyncio.gather(*waiting)


def _life(created: e.RunCreated, agent: str, n: int) -> list[e.AnyEvent]:
    """Most succeed; one in 20 fails at its end, one in 50 needs a second call, one in 500 never ended."""
    provider, model = MODELS[AGENTS.index(agent) % len(MODELS)]
    usage = Usage(input_tokens=900 + n % 700, output_tokens=200 + n % 90)
    made: list[e.AnyEvent] = [created, e.AttemptStarted(step="draft", attempt=1, kind="prompt", agent=agent)]
    calls = 2 if n % 50 == 0 else 1
    for call in range(1, calls + 1):
        made.append(
            e.CallStarted(
                step="draft",
                attempt=1,
                call=call,
                key=f"{n}-{call}",
                provider=provider,
                model=model,
                request={"messages": [{"role": "user", "content": f"Write about topic {n}."}]},
                agent=agent,
                reserved_micro_usd=9_000,
            )
        )
        if call < calls:
            error = ErrorInfo(kind="rate_limit", message="429: too many requests", retryable=True)
            made.append(e.CallFailed(step="draft", attempt=1, call=call, error=error))
        else:
            cost = Cost(micro_usd=None if provider == "ollama" else 3_000 + n % 5_000, source="bench")
            made.append(
                e.CallFinished(
                    step="draft", attempt=1, call=call, usage=usage, cost=cost, text="x" * 200, finish="stop"
                )
            )
    made.append(e.AttemptSucceeded(step="draft", attempt=1, output="x" * 200))
    made.append(e.AttemptStarted(step="check", attempt=1, kind="function"))
    if n % 500 == 499:
        return made
    if n % 20 == 19:
        error = ErrorInfo(kind="exception", message="ValueError: no such topic")
        return [
            *made,
            e.AttemptFailed(step="check", attempt=1, error=error),
            e.RunFailed(error=error, step="check"),
        ]
    return [
        *made,
        e.AttemptSucceeded(step="check", attempt=1, output=ANSWER),
        e.RunSucceeded(outputs={"text": "x" * 60}),
    ]


async def _logs(store: EventStore, runs: int, lines: int) -> None:
    """Spread over the runs, in the order of the runs, as if they had been written then."""
    waiting: list[asyncio.Future[list[e.Recorded]]] = []
    for first in range(0, lines, LINES_AT_ONCE):
        drafts = []
        for n in range(first, min(lines, first + LINES_AT_ONCE)):
            run = n * runs // lines
            failed = n % 100 == 99
            event = e.LogWritten(
                level="error" if failed else LEVELS[n % 10],
                message=f"{WORDS[n % 6]} {n % 977}: {'cut off' if failed else 'and on it goes'}",
                step="draft" if n % 3 else "check",
                attempt=1,
                agent=AGENTS[run % 12],
            )
            drafts.append(Draft(run_stream(run_id(run)), START + DAYS * DAY_MS * n // lines, event))
        waiting.append(asyncio.ensure_future(store.append(drafts, {})))
        if len(waiting) >= 4:
            await waiting.pop(0)
    await asyncio.gather(*waiting)


if __name__ == "__main__":
    print(cached(int(sys.argv[1]), int(sys.argv[2])))
