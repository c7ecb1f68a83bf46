"""What the engine is killed over: several runs at once that go through every kind of step and every event.

every      each kind of step (`tests/e2e/every.py`), with models on a loopback server, twice at once
flow       functions in the engine's process, per-agent state, a fan-out, a repeat; paused and resumed
mend       fails, and is retried when what was missing is there
edited     fails, and goes on with another definition
held       waits for a higher budget of its own; the others, sometimes, for one of the day
tools      a model uses a Python function, approved by a person
cancelled  is cancelled while its child works
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from aethermind import StepContext
from aethermind.domain.workflow import Function, InputDef, Repeat, StepDef, Value, WorkflowDef
from tests.e2e import every

FILES = {
    "mend.yaml": """\
name: mend
steps:
  - {id: good, run: [PYTHON, -I, -S, act.py, good], on_in_doubt: retry}
  - {id: bad, depends_on: [good], run: [PYTHON, -I, -S, mend.py], on_in_doubt: retry}
outputs: {all: "{{ good }} {{ bad }}"}
""",
    "edited.yaml": """\
name: edited
steps:
  - {id: kept, run: [PYTHON, -I, -S, act.py, kept], on_in_doubt: retry}
  - {id: changed, depends_on: [kept], fail: "it is wrong"}
outputs: {all: "{{ kept }} {{ changed }}"}
""",
    "held.yaml": """\
name: held
steps:
  - {id: cheap, model: "ollama:llama-local", prompt: "<<text1>>", settings: {max_tokens: 100}}
  - {id: dear, model: "ollama:llama-local", prompt: "<<text2>> {{ cheap }}", settings: {max_tokens: 100}}
outputs: {all: "{{ cheap }} {{ dear }}"}
""",
    "tools.yaml": """\
name: tools
steps:
  - id: use
    model: "ollama:llama-local"
    prompt: "<<tool>>"
    settings: {max_tokens: 100}
    tools: [{python: {call: "act:lookup", approve: ask}}]
outputs: {all: "{{ use }}"}
""",
    "cancelled.yaml": """\
name: cancelled
steps:
  - {id: long, run: [PYTHON, -I, -S, act.py, long, forever], on_in_doubt: retry}
""",
    "mend.py": """\
import os, sys
sys.path.insert(0, os.getcwd())
import act
act.note("bad")
if not os.path.exists("mended"):
    sys.exit("not yet")
print("bad")
""",
}
MENDED = ('fail: "it is wrong"', 'value: "right"')
"""The edit that `edited` goes on with."""
HELD_MICRO_USD = 1_000
RAISED_MICRO_USD = 1_000_000
DAY = "[budget]\nday = 0.003\n"
"""Less than all calls reserve: some wait until the day's budget is raised."""
OUTPUTS: dict[str, Any] = {
    "every-1": every.OUTPUTS,
    "every-2": every.OUTPUTS,
    "flow": {"sum": 15, "rounds": 3},
    "mend": {"all": "good bad"},
    "edited": {"all": "kept right"},
    "held": {"all": "rough fine"},
    "tools": {"all": "looked up"},
    "cancelled": None,
}
"""Run → its outputs in the end; None: it is cancelled."""
STATE_STEPS = 13
"""Steps of `flow` that succeed, each of which counts one up in the agent's state."""


def write(directory: Path) -> None:
    """The config, and a directory for each run."""
    every.write(directory)
    with (directory / "config.toml").open("a") as config:
        config.write(DAY)
    for name in OUTPUTS:
        place = directory / name
        every.write(place)
        for file, text in FILES.items():
            (place / file).write_text(text.replace("PYTHON", sys.executable))


def file_of(directory: Path, name: str) -> Path:
    return directory / name / f"{name.partition('-')[0]}.yaml"


def flow() -> WorkflowDef:
    count = Function(name="count", agent="memo")
    chain = [StepDef(id=f"s{n}", action=count, depends_on=(f"s{n - 1}",) if n else ()) for n in range(4)]
    return WorkflowDef(
        name="flow",
        inputs={"place": InputDef(schema={"type": "string"})},
        steps=(
            *chain,
            StepDef(id="fan", action=count, for_each=list(range(6)), max_parallel=3, depends_on=("s0",)),
            StepDef(id="loop", action=count, repeat=Repeat(max=3), depends_on=("s1",)),
            StepDef(id="sum", action=Value(value="{{ fan | sum }}"), references=("fan",)),
        ),
        outputs={"sum": "{{ sum }}", "rounds": "{{ loop }}"},
    )


async def count(ctx: StepContext) -> int:
    """An effect of the engine's own process, and a change of its agent's state."""
    line = f"{time.time_ns()} {ctx.step} {os.getpid()}\n"
    ledger = os.open(Path(ctx.inputs["place"]) / "ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(ledger, line.encode())
    os.fsync(ledger)
    os.close(ledger)
    await ctx.state.update("n", lambda n: (n or 0) + 1)
    return ctx.item if ctx.item is not None else (ctx.iteration or 0)
