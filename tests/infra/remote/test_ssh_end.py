"""The end of a process of `ssh` that had more to say than anybody read."""

from __future__ import annotations

import asyncio

from aethermind.infra.remote import ssh


async def test_one_that_floods_is_ended_all_the_same() -> None:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("yes", stdin=pipe, stdout=pipe, stderr=pipe, limit=1)
    assert process.stdout is not None
    async with asyncio.timeout(20):
        assert await process.stdout.read(1) == b"y"  # as much waits as ever will: nobody takes it
        process.terminate()
        await ssh._gone(process)
    assert process.returncode is not None
