"""An engine for tests to kill: runs one command through `LocalChildren` and passes its lines on.

Its argument is a JSON object: `argv` (the command), `env`, `owner`. It first says `host PID`; once the
command has said something, `watchdog PID`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from aethermind.engine.ports import ChildOutput
from aethermind.infra.children.local import LocalChildren


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main() -> None:
    options = json.loads(sys.argv[1])
    children = LocalChildren(owner=options.get("owner", ""), grace=0.05)
    told = False

    def pass_on(line: ChildOutput) -> None:
        nonlocal told
        if not told:
            told = True
            say(f"watchdog {children._guard.pid}")
        say(line.text)

    say(f"host {os.getpid()}")
    try:
        result = await children.run(
            options["argv"], cwd="/", env=options.get("env", {}), stdin=None, on_output=pass_on
        )
        sys.stderr.write(result.stderr)
    finally:
        await children.close()


if __name__ == "__main__":
    asyncio.run(main())
