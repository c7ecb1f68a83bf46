"""`aethermind.open()`: the user's own data, from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import aethermind
from aethermind.domain.errors import InvalidError, NotFoundError

FLOW = """\
name: greet
inputs: {who: string}
steps: [{id: hi, value: "Hi {{ inputs.who }}"}, {id: same, value: 1}]
outputs: {hi: "{{ hi }}"}
"""


async def test_two_runs_are_compared(tmp_path: Path) -> None:
    flow = tmp_path / "greet.yaml"
    flow.write_text(FLOW)
    async with aethermind.open(tmp_path / "home") as a:
        ada, grace = [await a.run(flow, who=who) for who in ("Ada", "Grace")]
        found = await a.diff(ada.run_id, "last")
        assert [run["id"] for run in found["runs"]] == [ada.run_id, grace.run_id]
        assert found["outputs"] == [{"name": "hi", "same": False, "left": "Hi Ada", "right": "Hi Grace"}]
        assert {step["id"]: step["left"]["output_same"] for step in found["steps"]} == {
            "hi": False,
            "same": True,
        }
        with pytest.raises(NotFoundError):
            await a.diff("last", "r_nowhere")


async def test_an_input_that_does_not_fit_is_told_by_its_name(tmp_path: Path) -> None:
    flow = tmp_path / "greet.yaml"
    flow.write_text(FLOW)
    async with aethermind.open(tmp_path / "home") as a:
        with pytest.raises(InvalidError, match=r"^input `?who`?: 3 is not of type"):
            await a.run(flow, who=3)
