"""What `--dry-run` thinks a run will cost, before and after it has run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Said
from tests.servers.http import Reply, Request, in_thread
from tests.servers.wires import Chat, Counts

CONFIG = """\
[providers.vendor]
kind = "openai"
base_url = "URL/v1"
[providers.vendor.prices."m-1"]
input = 10
output = 100
"""
FLOW = """\
name: f
steps:
  - {id: known, model: "vendor:m-1", prompt: "Say something short."}
  - {id: other, model: "vendor:m-2", prompt: "And here?"}
"""


async def vendor(_request: Request, reply: Reply) -> None:
    wire = Chat()
    await reply.start(200, wire.content_type)
    await reply.send(*wire.chunks("fine", Counts(input=20, cached=0, written=0, output=10, reasoning=0)))
    await reply.end()


def test_a_range_narrows_with_what_was_used(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planned() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(said("run", "f.yaml", "--dry-run", "--json")[1])
        return dict(found["plan"]["estimate"])

    monkeypatch.chdir(tmp_path)
    config = tmp_path / "config.toml"
    monkeypatch.setenv("AETHERMIND_CONFIG", str(config))
    Path("f.yaml").write_text(FLOW)
    with in_thread(vendor) as server:
        config.write_text(CONFIG.replace("URL", server.url))
        before = planned()
        assert (before["prompts"], before["unpriced_prompts"], before["prompts_seen_before"]) == (2, 1, 0)
        assert before["high_micro_usd"] > 400_000, "a full answer: 4,096 tokens at $100 per million"
        assert said("run", "f.yaml", "--yes", "-q")[0] == 0
    after = planned()
    assert after["prompts_seen_before"] == 1
    assert after["unpriced_prompts"] == 1, "still nobody knows"
    assert after["high_micro_usd"] == 2 * (20 * 10 + 10 * 100), "of one run the double"
    assert after["low_micro_usd"] == (20 * 10 + 10 * 100) // 2
    assert "narrowed by earlier runs" in said("run", "f.yaml", "--dry-run")[1]


@pytest.mark.parametrize(
    "steps, told",
    [
        ("[{id: a, value: 1}]", "one: 1 step\n"),
        ("[{id: a, value: 1}, {id: b, value: 2}]", "one: 2 steps\n"),
    ],
)
def test_the_plan_counts_the_steps(tmp_path: Path, said: Said, steps: str, told: str) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(f"name: one\nsteps: {steps}\n")
    assert said("run", str(file), "--dry-run")[1].startswith(told)


def test_a_budget_with_a_model_without_a_price_starts_nothing(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "config.toml"
    monkeypatch.setenv("AETHERMIND_CONFIG", str(config))
    Path("f.yaml").write_text(FLOW)
    with in_thread(vendor) as server:
        config.write_text(CONFIG.replace("URL", server.url))
        for how in (["--yes"], ["--dry-run"]):
            code, out, err = said("run", "f.yaml", "--budget", "1", *how)
            assert (code, out) == (2, "")
            assert err == (
                "vendor:m-2 has no known price, so the budget can't be kept (in config.toml:"
                ' [providers.vendor.prices."m-2"] with input and output, in USD per million tokens;'
                " or in the file: budget: {unpriced: allow})\n"
            )
        assert server.requests == [], "not even the step whose price is known was paid"
        assert said("run", "f.yaml", "--budget", "1", "--sim", "-q")[0] == 0
        # Either repair that the line names is one.
        Path("g.yaml").write_text(FLOW + "budget: {usd: 1, unpriced: allow}\n")
        assert said("run", "g.yaml", "--yes", "-q")[0] == 0
        config.write_text(
            CONFIG.replace("URL", server.url) + '[providers.vendor.prices."m-2"]\ninput = 1\noutput = 1\n'
        )
        assert said("run", "f.yaml", "--budget", "1", "--yes", "-q")[0] == 0
        assert len(server.requests) == 4
