"""Records the golden journals: `python tests/migrations/record.py`, from the project's root.

Each is a real run of a real engine on simulated models, exported as a bundle, with the picture of what it
folds to. They are recorded once for each version that is released, and never again: what a later version
makes of them is what the tests look at. Names of journals begin with that version.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from aethermind import __version__  # noqa: E402 - the tests' own modules are found from the root
from aethermind.definitions.loader import LoadedWorkflow, load_file  # noqa: E402 - as above
from aethermind.definitions.schemas import JsonSchemas  # noqa: E402 - as above
from aethermind.domain.events import Recorded, Submitter  # noqa: E402 - as above
from aethermind.engine.client import RunRequest  # noqa: E402 - as above
from aethermind.infra import bundle  # noqa: E402 - as above
from aethermind.infra.redaction import Redaction  # noqa: E402 - as above
from aethermind.infra.stores.memory import InMemoryStore  # noqa: E402 - as above
from aethermind.infra.tools.toolbox import LocalTools  # noqa: E402 - as above
from tests.engine.harness import Harness, StepClock  # noqa: E402 - as above
from tests.migrations.picture import picture  # noqa: E402 - as above

GOLDEN = Path(__file__).with_name("golden")

EVERYDAY = """\
name: everyday
inputs: {topic: string, deep: {type: boolean, default: false}}
defaults: {model: smart, retry: {max_attempts: 3, backoff: 10ms}}
agents: {writer: {model: fast, instructions: Write plainly.}}
steps:
  - {id: plan, agent: writer, prompt: "Plan {{ inputs.topic }}.", output: {sections: [string]}}
  - id: sections
    for_each: "{{ plan.sections }}"
    max_parallel: 2
    agent: writer
    prompt: "Write about {{ item }}."
  - {id: extra, when: "{{ inputs.deep }}", prompt: "More on {{ inputs.topic }}."}
  - id: polish
    repeat: {until: "{{ judge.score >= 8 }}", max: 3}
    steps:
      - {id: text, prompt: "Join.\\n{{ sections }}"}
      - {id: judge, agent: writer, prompt: "Score.\\n{{ text }}", output: {score: number}}
  - {id: words, run: [sh, -c, "echo counting >&2; wc -w | tr -d ' '"], stdin: "{{ polish.text }}"}
  - {id: file, value: "{{ polish.text }}", save: brief.md}
outputs: {text: "{{ polish.text }}", words: "{{ words }}"}
"""
EVERYDAY_SIM = """\
steps:
  plan: [no JSON at all, {sections: [causes, timing, power]}]
  sections:
    replies: [The Moon pulls., Twice a day., Little of it.]
    errors_at: {"sections[1]": [429], "sections[2]": [drop, timeout]}
  polish/text: [First., Better.]
  polish/judge: [{score: 5}, {score: 9}]
"""
IN_DOUBT = """\
name: in-doubt
steps:
  - {id: before, value: 1}
  - {id: effect, run: [sh, -c, "[ -e up ] || { touch up; exec sleep 60; }; echo done"], depends_on: [before]}
  - {id: after, value: "{{ effect }} {{ before }}"}
"""
LOST_CALL = """\
name: lost-call
steps:
  - {id: slow, prompt: Take your time., model: smart}
"""
MONEY = """\
name: money
budget: {usd: 0.001}
steps:
  - {id: dear, prompt: Say much., model: smart, settings: {max_tokens: 4000}}
  - {id: cheap, prompt: x, model: fast, settings: {max_tokens: 1}}
"""
DAY_BUDGET = """\
name: day-budget
defaults: {model: smart, retry: {max_attempts: 2, backoff: 10ms}}
steps:
  - {id: dear, prompt: Say much., settings: {max_tokens: 1000}}
"""
CIRCLES = """\
name: circles
steps:
  - id: again
    repeat: {max: 12}
    steps: [{id: word, prompt: Say it again., model: fast, settings: {max_tokens: 10}}]
"""
MENDED = """\
name: mended
steps:
  - {id: first, value: kept}
  - {id: broken, run: [sh, -c, "[ -e fixed ] || { echo not yet >&2; exit 3; }"], depends_on: [first]}
  - {id: last, value: "{{ first }}", depends_on: [broken]}
  - {id: tidy, always: true, value: "{{ run.status }}"}
"""
CANCELLED = """\
name: cancelled
steps:
  - {id: one, run: [sleep, "60"]}
  - {id: two, run: [sleep, "60"]}
  - {id: three, value: 3, depends_on: [one, two]}
"""
ASKED = """\
name: asked
steps:
  - {id: deep, workflow: ./inner.yaml, with: {n: 4}}
  - id: publish
    ask: {message: "Publish {{ deep.total }}?", fields: {choice: yes|no, note: string?}}
  - {id: late, ask: {message: Still there?, timeout: 1s, on_timeout: skip}}
  - {id: done, value: "{{ publish.choice }} by {{ publish.by }}"}
"""
INNER = """\
name: inner
inputs: {n: integer}
steps: [{id: double, value: "{{ inputs.n * 2 }}"}]
outputs: {total: "{{ double }}"}
"""

TOOLS = """\
name: tools
steps:
  - id: keep
    prompt: Keep a note.
    model: smart
    tools: [{files: {write: ask}}, {shell: {approve: always, timeout: 5s}}]
"""
TOOLS_SIM = """\
steps:
  keep:
    - tools: [{name: list_files, arguments: {}}, {name: read_file, arguments: {path: none}}]
    - tools: [{name: write_file, arguments: {path: note, content: first}}]
    - {text: Another way., tools: [{name: write_file, arguments: {path: note, content: second}}]}
    - tools:
        - name: shell
          arguments: {argv: [sh, -c, "[ -e began ] || { touch began; exec sleep 60; }; echo x"]}
    - It is kept.
"""


class Crashing(Harness):
    """Its engine ends as a killed process does: nothing is recorded any more."""

    async def __aexit__(self, *error: object) -> None:
        for live in self.engine.scheduler.live.values():
            live.dropped = True
        await super().__aexit__(*error)


class Kept(InMemoryStore):
    """Outlives its engine."""

    async def close(self) -> None:
        return None


class Workshop:
    """A directory with workflow files, and a store that outlives the engines on it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = Kept()
        self.origin = StepClock.START

    def load(self, name: str, text: str, sim: str = "") -> LoadedWorkflow:
        path = self.directory / f"{name}.yaml"
        path.write_text(text)
        if sim:
            path.with_name(f"{name}.sim.yaml").write_text(sim)
        return load_file(path, cwd=self.directory)

    @asynccontextmanager
    async def engine(
        self, *, crashes: bool = False, slow: bool = False, day_budget: int | None = None
    ) -> AsyncIterator[Harness]:
        kind = Crashing if crashes else Harness
        more: dict[str, Any] = {"sleep": asyncio.sleep} if slow else {}
        more["day_budget"] = day_budget
        more["tools"] = lambda children: LocalTools(children=children, schemas=JsonSchemas(), scrub=str)
        async with kind(store=self.store, cwd=self.directory, **more) as harness:
            yield harness

    async def start(self, h: Harness, loaded: LoadedWorkflow, **inputs: Any) -> str:
        request = RunRequest(
            definition=loaded.definition,
            inputs=inputs,
            submitter=Submitter(user="ada", cwd=str(self.directory), interpreter=sys.executable),
            simulated=True,
            source=loaded.path,
            source_hash=loaded.content_hash,
            sim=loaded.sim,
        )
        return await h.client.start_run(request)


async def everyday(w: Workshop) -> str:
    async with w.engine() as h:
        run_id = await w.start(h, w.load("everyday", EVERYDAY, EVERYDAY_SIM), topic="tides")
        await h.client.wait(run_id)
    return run_id


async def forked(w: Workshop) -> str:
    run_id = await everyday(w)
    async with w.engine() as h:
        fork = await h.client.fork(run_id, "polish", inputs={"topic": "tides"}, outputs={"extra": "more"})
        await h.client.wait(fork)
    return fork


async def in_doubt(w: Workshop) -> str:
    async with w.engine(crashes=True) as h:
        run_id = await w.start(h, w.load("in-doubt", IN_DOUBT))
        await until((w.directory / "up").exists)
        await h.client.pause(run_id, by="ada")
        await h.client.resume(run_id, by="ada")
    async with w.engine() as h:
        await h.client.resume(run_id)
        await h.client.wait(run_id)
        await h.client.answer(run_id, "effect", {"choice": "retry"}, by="ada")
        await h.client.wait(run_id)
    return run_id


async def lost_call(w: Workshop) -> str:
    """Left as it is: its first call may have been billed, the second has begun."""
    sim = "steps: {slow: {reply: a b c d e f g h i j, tokens_per_second: 1}}\n"
    loaded = w.load("lost-call", LOST_CALL, sim)
    async with w.engine(crashes=True, slow=True) as h:
        run_id = await w.start(h, loaded)
        await until(lambda: _count(w, run_id, "CallStarted") == 1)
    async with w.engine(crashes=True, slow=True) as h:
        await h.client.resume(run_id)
        await until(lambda: _count(w, run_id, "CallStarted") == 2)
    return run_id


async def money(w: Workshop) -> str:
    async with w.engine() as h:
        run_id = await w.start(h, w.load("money", MONEY))
        await h.client.wait(run_id)
        await h.client.raise_budget(run_id, 1_000_000, by="ada")
        await h.client.wait(run_id)
    return run_id


async def mended(w: Workshop) -> str:
    async with w.engine() as h:
        run_id = await w.start(h, w.load("mended", MENDED))
        await h.client.wait(run_id)
        await h.client.retry(run_id, by="ada")
        await h.client.wait(run_id)
        (w.directory / "fixed").touch()
        edited = w.load("mended", MENDED.replace("exit 3; }", "exit 4; }; echo mended"))
        await h.client.resume_edited(run_id, edited.definition, by="ada")
        await h.client.wait(run_id)
    return run_id


async def cancelled(w: Workshop) -> str:
    async with w.engine() as h:
        run_id = await w.start(h, w.load("cancelled", CANCELLED))
        await until(lambda: _count(w, run_id, "AttemptStarted") == 2)
        await h.client.cancel(run_id, step="one", by="ada", reason="not needed")
        await until(lambda: _count(w, run_id, "AttemptCancelled") == 1)
        await h.client.cancel(run_id, by="ada")
        await h.client.wait(run_id)
    return run_id


async def asked(w: Workshop) -> str:
    w.load("inner", INNER)
    async with w.engine() as h:
        run_id = await w.start(h, w.load("asked", ASKED))
        await h.client.wait(run_id)
        await until(lambda: _count(w, run_id, "AskExpired") == 1)
        await h.client.answer(run_id, "publish", {"choice": "yes"}, by="ada")
        await h.client.wait(run_id)
    return run_id


async def day_budget(w: Workshop) -> str:
    """Held for the day, and let go when that is raised; one call broke off, so it counts at most."""
    sim = "steps: {dear: {reply: Little., errors: [drop]}}\n"
    async with w.engine(day_budget=20_000) as h:
        run_id = await w.start(h, w.load("day-budget", DAY_BUDGET, sim))
        await h.client.wait(run_id)
        await h.client.raise_day_budget(1_000_000, simulated=True, by="ada")
        await h.client.wait(run_id)
    return run_id


async def tools(w: Workshop) -> str:
    """One call is refused, one rejected, one allowed, and of one nobody saw the end: it is run again."""
    async with w.engine(crashes=True) as h:
        run_id = await w.start(h, w.load("tools", TOOLS, TOOLS_SIM))
        await h.client.wait(run_id)
        await h.client.answer(run_id, "keep", {"approved": False, "note": "not so"}, by="ada")
        await h.client.wait(run_id)
        await h.client.answer(run_id, "keep", {"approved": True}, by="ada")
        await until((w.directory / "began").exists)
    async with w.engine() as h:
        await h.client.resume(run_id)
        await h.client.wait(run_id)
        await h.client.answer(run_id, "keep", {"choice": "retry"}, by="ada")
        await h.client.wait(run_id)
    return run_id


async def circles(w: Workshop) -> str:
    """Paused by the guard, and resumed."""
    async with w.engine() as h:
        run_id = await w.start(h, w.load("circles", CIRCLES))
        await h.client.wait(run_id)
        await h.client.resume(run_id, by="ada")
        await h.client.wait(run_id)
    return run_id


JOURNALS: dict[str, Callable[[Workshop], Awaitable[str]]] = {
    "everyday": everyday,
    "forked": forked,
    "in-doubt": in_doubt,
    "lost-call": lost_call,
    "money": money,
    "mended": mended,
    "cancelled": cancelled,
    "asked": asked,
    "day-budget": day_budget,
    "circles": circles,
    "tools": tools,
}


def _count(w: Workshop, run_id: str, type_: str) -> int:
    return sum(row[4] == type_ for row in w.store._events.get(f"run/{run_id}", ()))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - files and rows have no event to wait for
            await asyncio.sleep(0.01)


def portable(history: list[Recorded], directory: Path, name: str) -> list[Recorded]:
    """Without anything of this machine, and with an id that says what it is."""
    words = {str(directory): "/home/ada/flows", sys.executable: "/usr/bin/python3"}

    def replace(text: str) -> str:
        for own, other in words.items():
            text = text.replace(own, other)
        return text

    redaction = Redaction(replace)
    stream = f"run/r_{name.replace('-', '_')}"
    return [msgspec.structs.replace(redaction.recorded(item), stream=stream) for item in history]


async def record(name: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place).resolve()
        workshop = Workshop(directory)
        run_id = await JOURNALS[name](workshop)
        history = portable(await bundle.history(workshop.store, run_id), directory, name)
    _, lines = bundle.write(history, version=__version__, exported_at=StepClock.START, redact=str)
    target = GOLDEN / f"{__version__}-{name}.jsonl"
    target.write_bytes(b"".join(lines))
    shown = await picture(bundle.read(target))
    target.with_suffix(".picture.json").write_bytes(msgspec.json.format(msgspec.json.encode(shown), indent=1))
    print(f"{target.name}: {len(history)} records")  # noqa: T201 - a script


def main(names: list[str]) -> None:
    GOLDEN.mkdir(exist_ok=True)
    for name in names or JOURNALS:
        asyncio.run(record(name))


if __name__ == "__main__":
    main(sys.argv[1:])
