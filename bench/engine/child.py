"""A measurement in a process of its own: `ask` starts it, `tell` is its answer."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from bench.engine.contender import ROOT, environment


def ask(module: str, *arguments: object) -> dict[str, Any]:
    """Run `python -m module arguments` and take the JSON of its last line."""
    argv = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(argv, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True, check=False)
    told = done.stdout.strip().splitlines()
    if not told:
        raise RuntimeError(f"{module} {arguments}: exit {done.returncode}, nothing told")
    answer: dict[str, Any] = json.loads(told[-1])
    return answer


def tell(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
