"""Everything that tells of a run tells the same: its events, its summary, the listings, the tree."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.cli.program import aethermind

WORKFLOW = """\
name: cross
inputs: {topic: {type: string, default: tides}}
defaults: {model: smart, retry: {max_attempts: 3, backoff: 10ms}}
agents:
  planner: {model: smart}
  critic: {model: fast}
steps:
  - {id: plan, agent: planner, prompt: "Plan {{ inputs.topic }}", output: {parts: [string]}}
  - {id: parts, for_each: "{{ plan.parts }}", agent: planner, prompt: "Write {{ item }}"}
  - id: polish
    repeat: {until: "{{ judge.score >= 8 }}", max: 3}
    steps:
      - {id: text, agent: planner, prompt: "Join {{ parts }} {{ previous.judge.score }}"}
      - {id: judge, agent: critic, prompt: "Score {{ text }}", output: {score: integer}}
  - {id: shaky, agent: critic, prompt: "Fail at it", on_error: continue}
  - {id: never, when: "{{ polish.judge.score > 100 }}", agent: critic, prompt: "no"}
  - {id: words, run: [wc, -w], stdin: "{{ polish.text }}"}
outputs: {text: "{{ polish.text }}", words: "{{ words }}", shaky: "{{ shaky }}"}
"""
# `drop` breaks a stream in its middle: what that call has cost nobody knows.
REPLIES = """\
delay: 5ms
tokens_per_second: 5000
steps:
  plan: {reply: {parts: [one, two, three]}, usage: {cached_input_tokens: 3, reasoning_tokens: 2}}
  parts: {errors: [429, drop]}
  polish/text: {replies: [first draft, second draft]}
  polish/judge: {replies: [{score: 5}, {score: 9}]}
  shaky: {errors: [500, 500, drop]}
"""
COUNTS = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")


def listed(*arguments: str) -> list[dict[str, Any]]:
    found = json.loads(aethermind(*arguments, "--json").stdout)
    assert found["next"] is None
    items: list[dict[str, Any]] = found["items"]
    return items


def added(usages: list[dict[str, int]]) -> dict[str, int]:
    return {name: sum(usage[name] for usage in usages) for name in COUNTS}


def test_events_summary_and_listings_agree(tmp_path: Path) -> None:
    (tmp_path / "cross.yaml").write_text(WORKFLOW)
    (tmp_path / "cross.sim.yaml").write_text(REPLIES)
    done = aethermind("run", "cross.yaml", "--sim", "--trust", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    *events, last = map(json.loads, done.stdout.splitlines())
    run, steps = last["summary"]["run"], {step["id"]: step for step in last["summary"]["steps"]}
    assert run["outputs"] == {"text": "second draft", "words": "2", "shaky": None}

    def data(*types: str) -> list[dict[str, Any]]:
        return [event["data"] for event in events if event["type"] in types]

    # Each call once: started, then finished or failed; its numbers in the summary are those of its events.
    started = {(call["step"], call["attempt"], call["call"]): call for call in data("CallStarted")}
    ended = {(c["step"], c["attempt"], c["call"]): c for c in data("CallFinished", "CallFailed")}
    assert started.keys() == ended.keys()
    calls = {
        (step["id"], attempt["n"], call["n"]): call
        for step in steps.values()
        for attempt in step["attempts"]
        for call in attempt["model_calls"]
    }
    assert calls.keys() == started.keys()
    for key, call in calls.items():
        assert call["usage"] == ended[key].get("usage") or call["usage"] == added([ended[key]["usage"]])
        assert call["cost_micro_usd"] == (ended[key].get("cost") or {}).get("micro_usd")
        assert f"{call['provider']}:{call['model']}" in {"sim:smart", "sim:fast"}
        assert call["agent"] == steps[key[0]]["agent"]

    # Attempts: what began has ended, and they add up.
    assert Counter((a["step"], a["attempt"]) for a in data("AttemptStarted")) == Counter(
        (a["step"], a["attempt"]) for a in data("AttemptSucceeded", "AttemptFailed")
    )
    attempts = [attempt for step in steps.values() for attempt in step["attempts"]]
    assert len(attempts) == len(data("AttemptStarted"))
    for attempt in attempts:
        known = [call["usage"] for call in attempt["model_calls"] if call["usage"] is not None]
        assert attempt["usage"] in (None, added(known))
    assert run["usage"] == added([attempt["usage"] for attempt in attempts if attempt["usage"] is not None])
    assert run["usage"]["cached_input_tokens"] == 3
    assert run["usage"]["reasoning_tokens"] == 2
    priced = [call["cost_micro_usd"] for call in calls.values() if call["cost_micro_usd"] is not None]
    assert run["cost_micro_usd"] == sum(priced) > 0
    dropped = [key for key, call in calls.items() if call["error"] and call["price_source"] == "reserved"]
    assert sorted(dropped) == [*((f"parts[{n}]", 2, 1) for n in range(3)), ("shaky", 3, 1)]
    # Nobody knows what those cost, but it is not more than what was reserved for them.
    bounds = {key: started[key]["reserved_micro_usd"] for key in dropped}
    assert run["at_most_micro_usd"] == sum(bounds.values()) > 0
    assert (run["unpriced_calls"], run["simulated"]) == (0, True)

    # show, runs, logs, costs.
    assert json.loads(aethermind("show", "last", "--json").stdout) == last["summary"]
    (row,) = listed("runs")
    assert {name: row[name] for name in row.keys() & run.keys()} == {
        name: run[name] for name in row.keys() & run.keys()
    }
    logs = [(log["seq"], log["step"], log["level"], log["message"]) for log in listed("logs", "last")]
    assert logs == [
        (e["seq"], e["data"].get("step"), e["data"]["level"], e["data"]["message"])
        for e in events
        if e["type"] == "LogWritten"
    ]
    assert len(logs) > len(calls)
    agents = {item["key"]: item for item in listed("costs", "--sim", "--by", "agent")}
    assert agents.keys() == {"planner", "critic"}
    for name, item in agents.items():
        own = [call for call in calls.values() if call["agent"] == name]
        assert item["calls"] == len(own)
        assert item["usage"] == added([call["usage"] for call in own if call["usage"] is not None])
        assert item["cost_micro_usd"] == sum(call["cost_micro_usd"] or 0 for call in own)
        assert item["unpriced_calls"] == 0
        assert item["at_most_micro_usd"] == sum(
            bound for key, bound in bounds.items() if calls[key]["agent"] == name
        )
    assert sum(item["cost_micro_usd"] for item in agents.values()) == run["cost_micro_usd"]
    assert listed("costs") == []  # no real money

    # The tree: each step's row, with its status and its money.
    head, *rows = aethermind("show", "last", "--tree").stdout.splitlines()
    assert run["id"] in head
    assert "✓ succeeded" in head
    assert "sim" in head
    (money,) = [row for row in rows if "(sim: notional)" in row]
    assert f"${run['cost_micro_usd'] / 1e6:.6f} (sim: notional), " in money, money
    assert f"at most ${run['at_most_micro_usd'] / 1e6:.4f} more" in money, money
    marks = {"succeeded": "✓", "failed": "✗", "skipped": "–"}
    tree = [row.strip("│├└ ") for row in rows if row.strip("│├└ ")[:1] in set(marks.values())]
    assert len(tree) == len(steps)
    for text, step in zip(tree, steps.values(), strict=True):
        label = step["id"].rpartition("/")[2]
        assert text.startswith(f"{marks[step['status']]} ")
        assert text.split()[1] in {label, label[label.find("[") :], label[label.find("#") :]}
        cost = sum(attempt["cost_micro_usd"] or 0 for attempt in step["attempts"])
        assert not cost or f"${cost / 1e6:.6f}" in text
        assert ("try 3/3" in text) == (len(step["attempts"]) == 3)


def test_quiet_gives_the_outputs_alone(tmp_path: Path) -> None:
    (tmp_path / "cross.yaml").write_text(WORKFLOW)
    (tmp_path / "cross.sim.yaml").write_text(REPLIES)
    done = aethermind("run", "cross.yaml", "--sim", "--trust", "-q", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"text": "second draft", "words": "2", "shaky": None}
    one = aethermind("show", "last", "--output", "text")
    assert (one.stdout, one.stderr) == ("second draft\n", "")
