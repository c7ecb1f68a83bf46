"""Nothing of a child's family survives its step, its cancellation, its engine."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aethermind.domain.errors import CommandError
from aethermind.infra.children import watchdog
from aethermind.infra.children.local import LocalChildren, survivors
from tests.infra.children.processes import EVERY_KIND, PYTHON, Heard, alive, in_host, pids, tree, wait_gone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="waits for processes through pidfds")


@pytest.fixture
async def children() -> AsyncIterator[LocalChildren]:
    adapter = LocalChildren(grace=0.1, linger=0.05)
    yield adapter
    await adapter.close()
    assert survivors(adapter.mark) == []


@pytest.fixture
async def patient() -> AsyncIterator[LocalChildren]:
    """Whatever waits for its deadlines fails by the limit on a test's time."""
    adapter = LocalChildren(grace=300, linger=300)
    yield adapter
    await adapter.close()
    assert survivors(adapter.mark) == []


async def start(
    children: LocalChildren, argv: list[str], env: dict[str, str] | None = None
) -> tuple[asyncio.Task[object], Heard]:
    heard = Heard()
    task: asyncio.Task[object] = asyncio.create_task(
        children.run(argv, cwd="/", env=env or {}, stdin=None, on_output=heard)
    )
    return task, heard


async def test_cancelling_ends_the_whole_family(children: LocalChildren) -> None:
    task, heard = await start(children, tree(*EVERY_KIND))
    family = await heard.tree()
    assert set(family) == {*EVERY_KIND, "tree"}
    assert all(map(alive, family.values()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(map(alive, family.values()))


async def test_who_dropped_the_mark_is_found_through_its_parent(children: LocalChildren) -> None:
    """And stays known when that parent has ended and it did not listen to SIGTERM."""
    hidden = 'trap "" TERM; echo hidden $$; exec tail -f /dev/null'
    script = f"env -i setsid sh -c '{hidden}' & echo tree $$; wait"
    task, heard = await start(children, ["sh", "-c", script])
    await heard.until(lambda texts: len(texts) == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(map(alive, pids(heard.texts).values()))


async def test_sigterm_comes_first_and_gives_time(patient: LocalChildren) -> None:
    script = (
        "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]);"
        "print('ready', flush=True); signal.sigwait([signal.SIGTERM]); print('cleaning up')"
    )
    task, heard = await start(patient, [*PYTHON, "-c", script])
    await heard.until(lambda texts: texts == ["ready"])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert heard.texts == ["ready", "cleaning up"]


async def test_who_left_the_group_is_asked_first_as_well(patient: LocalChildren) -> None:
    task, heard = await start(patient, tree("session", "daemon"))
    family = await heard.tree()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(map(alive, family.values()))


async def test_a_stopped_child_hears_sigterm(patient: LocalChildren) -> None:
    task, heard = await start(patient, ["sh", "-c", "echo $$; kill -STOP $$"])
    await heard.until(lambda texts: len(texts) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(int(heard.texts[0]))


async def test_impatience_does_not_return_early(children: LocalChildren) -> None:
    """Cancelled again and again while it stops, the call still returns only when all are dead."""
    task, heard = await start(children, tree("stubborn"))
    family = await heard.tree()
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    assert task.cancelled()
    assert not any(map(alive, family.values()))


async def test_cancelled_at_any_moment(children: LocalChildren) -> None:
    before = descriptors()
    for turns in (*range(20), 50, 100, 200, 500, 1000, 2000, 4000):
        task, _ = await start(children, tree("session"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert survivors(children.mark) == []
    assert descriptors() <= before + 1, "the watchdog's pipe and nothing else"


async def test_what_runs_on_in_the_background_ends_with_its_program(children: LocalChildren) -> None:
    for redirected in ("", ">/dev/null 2>&1"):
        script = f"sh -c 'exec tail -f /dev/null' {redirected} & echo back $!; exit 4"
        result = await children.run(["sh", "-c", script], cwd="/", env={}, stdin=None)
        assert result.exit_code == 4
        assert not any(map(alive, pids(result.stdout.splitlines()).values()))


async def test_a_late_writer_in_the_background_is_heard(patient: LocalChildren) -> None:
    result = await patient.run(
        ["sh", "-c", "(read x; echo late) </dev/null & exit 0"], cwd="/", env={}, stdin=None
    )
    assert result.stdout == "late\n"


async def test_a_callback_that_raises_ends_the_child(children: LocalChildren) -> None:
    def refuse(line: object) -> None:
        raise LookupError("no room for it")

    with pytest.raises(LookupError, match="no room"):
        await children.run(tree("stubborn", "session"), cwd="/", env={}, stdin=None, on_output=refuse)
    assert survivors(children.mark) == []


async def test_close_finds_daemons_of_steps_that_are_over(tmp_path: Path) -> None:
    children = LocalChildren(grace=0.1, linger=0.05)
    daemon = "echo daemon $$; >told; exec tail -f /dev/null >/dev/null 2>&1"
    script = f"mkfifo told; setsid sh -c '{daemon}' & <told"
    result = await children.run(["sh", "-c", script], cwd=str(tmp_path), env={}, stdin=None)
    pid = pids(result.stdout.splitlines())["daemon"]
    assert [process.pid for process in survivors(children.mark)] == [pid]
    await children.close()
    assert not alive(pid)


async def test_many_at_once_are_stopped_together(children: LocalChildren) -> None:
    started = [await start(children, tree("stubborn", "session")) for _ in range(20)]
    for _, heard in started:
        await heard.tree()
    for task, _ in started:
        task.cancel()
    results = await asyncio.gather(*(task for task, _ in started), return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    assert survivors(children.mark) == []


def test_in_a_loop_that_is_not_the_main_threads() -> None:
    outcome: list[object] = []

    async def work() -> None:
        children = LocalChildren(grace=0.1)
        outcome.append((await children.run(["sh", "-c", "exit 7"], cwd="/", env={}, stdin=None)).exit_code)
        task, heard = await start(children, tree("session"))
        await heard.tree()
        task.cancel()
        outcome.append(await asyncio.gather(task, return_exceptions=True))
        outcome.append(survivors(children.mark))
        await children.close()

    thread = threading.Thread(target=asyncio.run, args=(work(),))
    thread.start()
    thread.join(30)
    assert outcome[0] == 7
    assert isinstance(outcome[1], list)
    assert isinstance(outcome[1][0], asyncio.CancelledError)
    assert outcome[2] == []


async def test_without_pidfds(children: LocalChildren, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.delattr(os, "pidfd_open")
        result = await children.run(["sh", "-c", "echo a; kill -KILL $$"], cwd="/", env={}, stdin=None)
        assert (result.stdout, result.exit_code) == ("a\n", -signal.SIGKILL)
        task, heard = await start(children, tree(*EVERY_KIND))
        family = await heard.tree()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not any(map(alive, family.values()))


async def test_a_child_holds_nothing_of_the_engine(children: LocalChildren) -> None:
    script = (
        "import os; print(sorted(os.listdir('/proc/self/fd')), os.getsid(0) == os.getpid() == os.getpgid(0))"
    )
    await children.run(["true"], cwd="/", env={}, stdin=None)  # there is a watchdog now
    result = await children.run([sys.executable, "-I", "-c", script], cwd="/", env={}, stdin=None)
    assert result.stdout == "['0', '1', '2', '3'] True\n", "3 is the listing's own"


# --- the engine dies -----------------------------------------------------------------------------


@contextmanager
def host(count: int, **options: object) -> Iterator[tuple[subprocess.Popen[str], dict[str, int]]]:
    """A running engine of its own, and who has told its number of it and below it."""
    process = subprocess.Popen(in_host(**options), stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    with process:
        try:
            yield process, pids(process.stdout.readline() for _ in range(count))
        finally:
            process.kill()


def test_kill_9_of_the_engine_leaves_nobody() -> None:
    with host(8, argv=tree(*EVERY_KIND)) as (process, family):
        assert set(family) == {*EVERY_KIND, "tree", "host", "watchdog"}
        process.kill()
        assert wait_gone(family.values(), 2.0) == []


def test_kill_9_of_the_engines_whole_group_leaves_nobody() -> None:
    """Ctrl-C and a closed terminal signal the group of the engine; the watchdog is not in it."""
    with host(8, argv=tree(*EVERY_KIND)) as (process, family):
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGTSTP):
            os.kill(family["watchdog"], number)
        os.killpg(process.pid, signal.SIGKILL)
        assert wait_gone(family.values(), 2.0) == []


def test_many_engines_killed_right_after_a_start() -> None:
    """Also the child that is just being born when the engine dies does not survive."""
    for _ in range(10):
        with host(1, argv=tree("daemon"), owner="newborn") as (process, family):
            process.kill()
            assert wait_gone(family.values(), 2.0) == []
    # Each watchdog looks until it is quiet; their end is the end of this.
    watchdogs = [
        p.pid
        for p in watchdog.processes()
        if b"watchdog.py" in cmdline(p.pid) and b"newborn." in cmdline(p.pid)
    ]
    assert wait_gone(watchdogs, 2.0) == []
    assert survivors("newborn.") == []


def test_an_engine_inside_a_step_of_another() -> None:
    """The outer one's watchdog also ends the inner one's children; nothing waits for the inner watchdog."""
    inner = in_host(argv=tree("daemon", "session"))
    with host(2 + 5, argv=inner, env={"PYTHONPATH": os.pathsep.join(sys.path)}) as (process, family):
        assert {"daemon", "session", "tree"} <= set(family)
        process.kill()
        assert wait_gone(family.values(), 2.0) == []


async def test_settle_ends_what_an_earlier_engine_and_its_watchdog_left() -> None:
    with host(4, argv=tree("daemon"), owner="thesame") as (process, family):
        for pid in (family["watchdog"], family["host"]):
            os.kill(pid, signal.SIGKILL)
        process.wait()
        os.kill(family["tree"], 0)
        other = LocalChildren(owner="theother")
        assert await other.settle(patience=0) == 0
        await other.close()
        os.kill(family["tree"], 0)
        children = LocalChildren(owner="thesame", grace=0.1)
        task, heard = await start(children, tree())
        mine = await heard.tree()
        assert await children.settle(patience=0) == 2
        assert wait_gone(family.values(), 2.0) == []
        assert all(map(alive, mine.values())), "its own are not an earlier engine's"
        await children.close()
        with pytest.raises(CommandError):
            await task


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
