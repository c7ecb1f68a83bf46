from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aethermind.domain.errors import NotFoundError
from aethermind.domain.run import Run
from aethermind.tui.bridge import Bridge
from tests.tui.fakes import FakeEngine
from tests.tui.histories import Script, failed, research, wide


def bridge_on(engine: FakeEngine) -> Bridge:
    return Bridge(engine, now=lambda: 0, wake=lambda: None)


async def started(*scripts: Script) -> tuple[Bridge, FakeEngine]:
    engine = FakeEngine(*scripts)
    bridge = bridge_on(engine)
    await bridge.start()
    return bridge, engine


async def test_a_wake_comes_once_until_the_next_drain() -> None:
    script = research()
    engine = FakeEngine(script)
    woken: list[int] = []
    bridge = Bridge(engine, now=lambda: 0, wake=lambda: woken.append(1))
    await bridge.start()
    for _ in range(3):
        engine.play(script, lambda s: s.log(103_000, "info", "wave"))
    assert len(woken) == 1
    bridge.pump()
    engine.play(script, lambda s: s.log(103_000, "info", "again"))
    assert len(woken) == 2


async def test_two_who_ask_for_one_run_share_it() -> None:
    script = research()
    bridge, engine = await started(script)
    gate = asyncio.Event()
    original = engine.client.run
    asked = 0

    async def slow(run_id: str) -> Run:
        nonlocal asked
        asked += 1
        run = await original(run_id)
        await gate.wait()
        return run

    engine.client.run = slow  # type: ignore[method-assign]  # to act while it is on its way
    both = [asyncio.create_task(bridge.hold("r_8f21")) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    engine.play(script, lambda s: s.reply(103_000, "sections[2]", "done"))
    bridge.pump()
    gate.set()
    one, other = await asyncio.gather(*both)
    assert one is other
    assert asked == 1
    assert one.run.version == script.run.version


async def test_a_run_that_is_not_there() -> None:
    bridge, _ = await started(research())
    with pytest.raises(NotFoundError):
        await bridge.hold("r_none")
    assert bridge.run("r_none") is None


async def test_only_a_few_runs_are_held_and_the_open_one_always() -> None:
    scripts = [failed(run_id=f"r_{n}", seq=n * 100) for n in range(6)]
    bridge, _ = await started(*scripts)
    await bridge.hold("r_0")
    bridge.open_id = "r_0"
    for n in range(1, 6):
        await bridge.hold(f"r_{n}")
    held = [n for n in range(6) if bridge.run(f"r_{n}") is not None]
    assert held == [0, 4, 5]


async def test_logs_are_read_in_pages_and_what_comes_meanwhile_follows() -> None:
    script = research()
    for n in range(4_500):
        script.log(103_000, "info", f"old {n}")
    bridge, engine = await started(script)
    held = await bridge.hold("r_8f21")
    original = engine.client.logs
    pages = 0

    async def page(*given: Any, **more: Any) -> Any:
        nonlocal pages
        pages += 1
        found = await original(*given, **more)
        if pages == 1:
            engine.play(script, lambda s: s.log(104_000, "info", "new"))
            bridge.pump()
        return found

    engine.client.logs = page  # type: ignore[method-assign]  # to act while they are read
    await bridge.load_logs(held)
    messages = [held.logs[n].message for n in range(len(held.logs))]
    assert pages == 3
    assert messages[-1] == "new"
    assert messages.count("new") == 1
    assert messages[6:8] == ["old 0", "old 1"]
    assert len(messages) == 6 + 4_500 + 1


async def test_runs_that_nobody_listed_are_asked_for() -> None:
    bridge, engine = await started(research())
    late = failed(seq=5_000)
    engine.client.histories[late.run_id] = late.history[:3]
    engine.put(*late.history[3:])
    bridge.pump()
    assert bridge.runs.unknown == {"r_8f1e"}
    await bridge.ask_unknown()
    item = bridge.runs.get("r_8f1e")
    assert item is not None
    assert item.status == "failed"
    assert not bridge.runs.unknown


async def test_a_frame_tells_what_changed_once() -> None:
    script = research()
    bridge, engine = await started(script)
    bridge.open_id = "r_8f21"
    await bridge.hold("r_8f21")
    first = bridge.frame()
    assert first.whole
    assert bridge.frame() == type(first)()
    engine.play(script, lambda s: s.reply(103_000, "sections[2]", "x"))
    bridge.pump()
    found = bridge.frame()
    assert found.changes is not None
    assert found.changes.nodes == {"sections[2]"}
    assert not found.structure
    engine.play(script, lambda s: s.call(103_100, "sections[2]"))
    bridge.pump()
    assert bridge.frame().structure == {"sections[2]"}


async def test_the_end_is_told_for_the_open_run_alone() -> None:
    live, other = wide(1), wide(1, run_id="r_other", seq=1_000)
    bridge, engine = await started(live, other)
    await bridge.hold("r_other")
    await bridge.hold("r_wide")
    bridge.open_id = "r_wide"

    def end(s: Script) -> None:
        from aethermind.domain.events import RunSucceeded

        s.succeed(500, "each[0]", 1)
        s.add(600, RunSucceeded(outputs={}))

    engine.play(other, end)
    bridge.pump()
    assert bridge.frame().ended is None
    engine.play(live, end)
    bridge.pump()
    ended = bridge.frame().ended
    assert ended is not None
    assert ended.id == "r_wide"
    assert bridge.frame().ended is None
