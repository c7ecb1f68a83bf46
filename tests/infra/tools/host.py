"""An engine for tests to kill: opens the server that its arguments name, calls its tool `hang`, and passes on
what the server says beside."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from tests.infra.tools.boxes import hostile, kit


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main(notes: str, *words: str) -> None:
    async with kit(Path.cwd()) as made:
        place = msgspec.structs.replace(made.place(), log=say)
        box = await made.tools.open([hostile(Path(notes), *words)], place)
        await box.call("hang", {"text": ""})


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
