"""A workflow with every kind of step and every control, its models, and a ledger of what its children did.

Each child first writes `TIME STEP PID` into `ledger` (synced: what is there has happened), then acts. So
after any number of crashes it can be told what was done twice, or after it was recorded as done.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.servers.http import HttpServer, Reply, Request, in_thread
from tests.servers.wires import Counts, Ollama

MODEL = "ollama:llama-local"
PACE_S = 0.01
"""Seconds between the pieces of an answer."""

WORKFLOW = """\
name: every
inputs: {word: {type: string, default: "WORD"}}
defaults: {retry: {max_attempts: 3, backoff: 10ms}}
agents:
  writer: {model: "ollama:llama-local", instructions: Write., settings: {max_tokens: 100}}
steps:
  - {id: plan, agent: writer, prompt: "<<plan>> {{ inputs.word }}", output: {items: [string]}}
  - id: backup
    model: ["ollama:gone", "ollama:llama-local"]
    prompt: "<<backup>>"
    settings: {max_tokens: 100}
  - {id: asked, agent: writer, prompt: "<<same>> {{ inputs.word }}", cache: true}
  - {id: known, agent: writer, depends_on: [asked], prompt: "<<same>> {{ inputs.word }}", cache: true}
  - {id: built, run: [PYTHON, -I, -S, act.py, built], on_in_doubt: retry}
  - {id: careful, run: [PYTHON, -I, -S, act.py, careful]}
  - id: fickle
    run: [PYTHON, -I, -S, act.py, fickle]
    retry: {max_attempts: 9, backoff: 10ms}
    on_in_doubt: retry
  - {id: stray, run: [PYTHON, -I, -S, act.py, stray, leave], on_in_doubt: retry}
  - id: each
    for_each: "{{ plan.items }}"
    max_parallel: 2
    run: [PYTHON, -I, -S, act.py, "each-{{ item }}"]
    on_in_doubt: retry
  - id: polish
    repeat: {until: "{{ judge == 'good' }}", max: 4}
    steps:
      - {id: text, agent: writer, prompt: "<<text{{ 2 if previous else 1 }}>>"}
      - {id: judge, python: "act:judge", with: {text: "{{ text }}"}}
  - id: pair
    depends_on: [built]
    steps:
      - {id: left, run: [PYTHON, -I, -S, act.py, left], on_in_doubt: retry}
      - {id: right, value: "{{ left }} and {{ built }}"}
  - {id: twice, python: "act:twice", with: {number: 21}}
  - {id: broken, fail: "on purpose", on_error: continue}
  - {id: never, when: "{{ twice == 0 }}", value: 1}
  - id: colour
    ask:
      message: Which?
      fields: {choice: {enum: [red, green], default: green}}
      timeout: 200ms
      on_timeout: default
  - {id: go, depends_on: [polish], approval: {message: "Go on?"}}
  - {id: deep, depends_on: [go], workflow: ./part.yaml, with: {word: "{{ backup }}"}}
  - {id: file, value: "{{ each }} {{ pair.right }} {{ colour.choice }}", save: out.txt}
  - {id: last, always: true, run: [PYTHON, -I, -S, act.py, last], on_in_doubt: retry}
outputs:
  plan: "{{ plan.items }}"
  each: "{{ each }}"
  text: "{{ polish.text }}"
  numbers: ["{{ twice }}", "{{ deep.number }}"]
  words: "{{ backup }} {{ careful }} {{ fickle }} {{ stray }} {{ pair.right }} {{ deep.text }} {{ known }}"
  colour: "{{ colour.choice }}"
  nothing: ["{{ broken }}", "{{ never }}"]
  file: "{{ file }}"
"""
PART = """\
name: part
inputs: {word: string}
steps:
  - {id: text, model: "ollama:llama-local", prompt: "<<part>> {{ inputs.word }}", settings: {max_tokens: 100}}
  - {id: number, python: "act:twice", with: {number: 4}}
  - {id: done, run: [PYTHON, -I, -S, act.py, part, "{{ text }}"], on_in_doubt: retry}
outputs: {text: "{{ done }}", number: "{{ number }}"}
"""
ACT = r'''"""What the steps do. The first thing is always a line in the ledger."""
import os, signal, sys, time


def note(name):
    line = f"{time.time_ns()} {name} {os.getpid()}\n"
    ledger = os.open("ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(ledger, line.encode())
    os.fsync(ledger)
    os.close(ledger)


def twice(number):
    note("twice")
    return 2 * number


def lookup(word: str) -> str:
    """Look a word up."""
    note("lookup")
    return "found " + word


def judge(text):
    note("judge")
    return "good" if text == "fine" else "bad"


def leave():
    """A child in a session of its own, that hears nothing and stays."""
    if os.fork():
        return
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    note("strayed")
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    while True:
        signal.pause()


def main(name, *words):
    if name == "fickle" and not os.path.exists("tried"):
        note(name)
        open("tried", "w").close()
        sys.exit("the first try fails")
    note(name)
    if "leave" in words:
        leave()
    if "forever" in words:
        signal.pause()
    time.sleep(0.02)
    print(name)


if __name__ == "__main__":
    main(*sys.argv[1:])
'''
CONFIG = """\
[prices."ollama:llama-local"]
input = 2
output = 8
[prices."ollama:gone"]
input = 2
output = 8
"""
ANSWERS = {
    "plan": '{"items": ["a", "b", "c", "d"]}',
    "backup": "second",
    "text1": "rough",
    "text2": "fine",
    "part": "deep down",
    "same": "the same",
    "tool": "looked up",
}
PAID_CALLS = 6
"""Answers that are paid for: one that is known already is not among them."""
COUNTS = Counts(input=30, output=10)
OUTPUTS: dict[str, Any] = {
    "plan": ["a", "b", "c", "d"],
    "each": ["each-a", "each-b", "each-c", "each-d"],
    "text": "fine",
    "numbers": [42, 8],
    "words": "second careful fickle stray left and built part the same",
    "colour": "green",
    "nothing": [None, None],
    "file": '["each-a", "each-b", "each-c", "each-d"] left and built green',
}
"""Of an undisturbed run (a test says that they are)."""


def write(directory: Path) -> Path:
    """Put the workflow and what it needs there; gives its file. The config is `config.toml`. The prompts that
    are cached have the directory's name in them, so that another run's answers are not theirs."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in {
        "every.yaml": WORKFLOW,
        "part.yaml": PART,
        "act.py": ACT,
        "config.toml": CONFIG,
    }.items():
        (directory / name).write_text(text.replace("PYTHON", sys.executable).replace("WORD", directory.name))
    return directory / "every.yaml"


def tool_call(name: str, **arguments: str) -> bytes:
    """A line of an answer by which a model asks for a tool."""
    function = {"name": name, "arguments": arguments}
    message = {"role": "assistant", "content": "", "tool_calls": [{"function": function}]}
    return json.dumps({"model": "m", "message": message, "done": False}).encode() + b"\n"


@dataclass
class Served:
    """The models' server: what was asked, by the mark in the prompt, oldest first."""

    pace_s: float = PACE_S
    asked: list[str] = field(default_factory=list)

    async def __call__(self, request: Request, reply: Reply) -> None:
        wire = Ollama()
        if request.path != wire.path:
            await reply.whole(404, b'{"error": "nothing here"}', "application/json")
            return
        messages = request.json["messages"]
        mark = (
            next(m["content"] for m in messages if m["role"] == "user").partition("<<")[2].partition(">>")[0]
        )
        gone = request.json["model"] == "gone"
        self.asked.append(mark + "!" * gone)
        if gone:
            await reply.whole(404, b'{"error": "model \\"gone\\" not found"}', "application/json")
            return
        await reply.start(200, wire.content_type)
        chunks = wire.chunks(ANSWERS[mark], COUNTS)
        if mark == "tool" and messages[-1]["role"] != "tool":
            chunks = [tool_call("lookup", word="tide"), *wire.chunks("", COUNTS)[-1:]]
        for chunk in chunks:
            await reply.send(chunk)
            await asyncio.sleep(self.pace_s)
        await reply.end()


@contextmanager
def served(directory: Path) -> Iterator[tuple[Served, HttpServer]]:
    """The models, and the variables by which a program finds them, while it lasts."""
    handler = Served()
    with in_thread(handler) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OLLAMA_HOST", server.url)
        patch.setenv("AETHERMIND_CONFIG", str(directory / "config.toml"))
        yield handler, server


@dataclass(frozen=True)
class Effect:
    at_ms: int
    name: str
    pid: int


def effects(directory: Path) -> list[Effect]:
    """The ledger, oldest first."""
    try:
        lines = (directory / "ledger").read_text().splitlines()
    except FileNotFoundError:
        return []
    return [Effect(int(at) // 1_000_000, name, int(pid)) for at, name, pid in map(str.split, lines)]


def path_of(name: str, paths: Mapping[str, Any]) -> list[str]:
    """The steps that this line of the ledger may be of."""
    if name.startswith("each-"):
        return [f"each[{'abcd'.index(name[-1])}]"]
    if name == "twice":
        return ["twice", "deep/number"]
    if name == "judge":
        return [path for path in paths if path.endswith("/judge")]
    return [{"part": "deep/done", "left": "pair/left"}.get(name, name)]


def wrong(shown: Mapping[str, Any], directory: Path, asked: list[str]) -> list[str]:
    """What a finished run (`show --json`) and its ledger say that must not be; empty if all is well."""
    found: list[str] = []
    run, steps = shown["run"], {step["id"]: step for step in shown["steps"]}
    if run["status"] != "succeeded" or run["outputs"] != OUTPUTS:
        found.append(f"the run {run['status']}: {json.dumps(run['outputs'])}")
    if (directory / "out.txt").read_text() != OUTPUTS["file"] + "\n":
        found.append("out.txt is another")
    for path, step in steps.items():
        statuses = [attempt["status"] for attempt in step["attempts"]]
        if statuses.count("succeeded") > 1 or "succeeded" in statuses[:-1]:
            found.append(f"{path} was done again: {statuses}")
    found += _effects_wrong(steps, directory)
    calls = [
        call for step in steps.values() for attempt in step["attempts"] for call in attempt["model_calls"]
    ]
    sent = [call for call in calls if call["cached_from"] is None]
    if len(asked) > len(sent):
        found.append(f"{len(asked)} requests arrived, {len(sent)} were recorded: {sorted(asked)}")
    lost = [call for call in calls if call["status"] == "lost"]
    if run["at_most_micro_usd"] != sum(call["reserved_micro_usd"] or 0 for call in lost):
        found.append(f"at most {run['at_most_micro_usd']}, and {len(lost)} calls lost")
    good = sum(call["status"] == "succeeded" for call in sent)
    if good != PAID_CALLS or run["cost_micro_usd"] != good * (COUNTS.input * 2 + COUNTS.output * 8):
        found.append(f"{good} good calls cost {run['cost_micro_usd']}")
    return found


def _effects_wrong(steps: Mapping[str, Mapping[str, Any]], directory: Path) -> list[str]:
    found: list[str] = []
    by_paths: dict[tuple[str, ...], list[Effect]] = {}
    for effect in effects(directory):
        if effect.name == "strayed":  # what `stray` leaves behind
            continue
        by_paths.setdefault(tuple(path_of(effect.name, steps)), []).append(effect)
    for paths, those in by_paths.items():
        known = [steps[path] for path in paths if path in steps]
        attempts = [attempt for step in known for attempt in step["attempts"]]
        if len(those) > len(attempts):
            found.append(f"{paths}: {len(those)} effects of {len(attempts)} attempts")
        ends = [a["finished_at"] for a in attempts if a["status"] == "succeeded"]
        if ends and those[-1].at_ms > max(datetime.fromisoformat(end).timestamp() * 1000 for end in ends) + 1:
            found.append(f"{paths}: an effect after its recorded completion")
    return found
