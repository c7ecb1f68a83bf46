"""Watchers in a process of their own: `python -m bench.api.crowd PORT TOKEN WATCHERS BEATS`.

Prints a line when all are connected, and at the end one of JSON: how many got every beat, and how old events
were when they came (by this machine's clock).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import datetime

from websockets.asyncio.client import ClientConnection, connect

BATCH_MS = 250
OPENING = 50
"""Connections that are opened at a time."""


async def watch(ws: ClientConnection, beats: int, delays: list[float], *, read: bool) -> bool:
    """Whether all came. `read`: look at each event; the others only count."""
    got = 0
    async for message in ws:
        assert isinstance(message, str)
        if not message.startswith('{"type":"events"'):
            continue
        if not read:
            got += message.count('"LogWritten"')
        else:
            now = time.time()
            for event in json.loads(message)["events"]:
                if event["type"] == "LogWritten":
                    got += 1
                    delays.append((now - datetime.fromisoformat(event["at"]).timestamp()) * 1000)
        if '"RunSucceeded"' in message:
            return got == beats
    return False


async def main(port: int, token: str, watchers: int, beats: int) -> None:
    gate = asyncio.Semaphore(OPENING)
    address = f"ws://127.0.0.1:{port}/ws?batch_ms={BATCH_MS}"

    async def opened() -> ClientConnection:
        async with gate:
            ws = await connect(
                address,
                additional_headers={"Authorization": f"Bearer {token}"},
                compression=None,
                open_timeout=120,
                ping_interval=None,
            )
            await ws.recv()  # its snapshot
            return ws

    lines = await asyncio.gather(*(opened() for _ in range(watchers)))
    print("connected", flush=True)
    delays: list[float] = []
    seen = await asyncio.gather(
        *(watch(ws, beats, delays, read=number % 50 == 0) for number, ws in enumerate(lines))
    )
    delays.sort()
    told = {
        "complete": sum(seen),
        "delay_ms_p95": round(delays[int(len(delays) * 0.95)], 1) if delays else None,
    }
    print(json.dumps(told), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for ws in lines:
        ws.transport.abort()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
