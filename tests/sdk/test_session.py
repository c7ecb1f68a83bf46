"""`aethermind.open()`: the user's own data, from Python."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

import aethermind
from aethermind.domain.errors import BusyError, DeniedError, InvalidError, NotFoundError

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


async def test_who_finds_the_data_owned_works_through_its_engine(tmp_path: Path) -> None:
    flow = tmp_path / "greet.yaml"
    flow.write_text(FLOW)
    with tempfile.TemporaryDirectory(prefix="aeth") as home:  # a short path: sockets have short names
        async with aethermind.open(home) as first:
            assert first.client.attached is None
            async with aethermind.open(home) as second:
                assert second.client.attached is not None
                result = await second.run(flow, who="Ada")
                assert (result.status, result.outputs) == ("succeeded", {"hi": "Hi Ada"})
            async with aethermind.connect(f"unix:{home}/engine.sock", read_only=True) as client:
                assert await client.find_run("last") == result.run_id
                assert (await client.engine_info()).origin == "sdk"
                with pytest.raises(DeniedError, match="read-only"):
                    await client.cancel(result.run_id)
            assert (await first.diff("last", result.run_id))["outputs"][0]["same"]
        async with aethermind.open(home) as alone:
            assert alone.client.attached is None


async def test_connecting_to_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="is no place of an engine"):
        async with aethermind.connect("box"):
            pass
    with pytest.raises(BusyError, match="no engine listens there"):
        async with aethermind.connect(f"unix:{tmp_path}/none"):
            pass
