"""Writes `docs/events.md`, the reference of recorded events, from the classes and their docstrings.

python docs/reference.py            write it
python docs/reference.py --check    fail if it says something else than the code
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from pathlib import Path
from typing import Any

from aethermind.domain import errors, events, usage

PAGE = Path(__file__).with_name("events.md")
HEAD = """\
# Events

What a run's log holds, as `run --json` prints it: one object per event,

```json
{"seq":41,"stream":"run/r_…","version":7,"at":"2026-11-22T10:00:00.000Z",
 "type":"AttemptStarted","v":1,"data":{"step":"research","attempt":1}}
```

- `seq` rises over all streams and is never reused; `version` counts a stream's events from 1 (logs have 0).
- `v` is the version of the type's fields: new ones with a default come without raising it.
- Fields at their default are left out of `data`.
- `step` is a step's path, `attempt` and `call` count from 1, `*_at` are epoch milliseconds, money is integer
  micro-USD.

This page is made from `domain/events.py` by `python docs/reference.py`.
"""
GROUPS: tuple[tuple[str, Any], ...] = (
    ("Of runs (`run/ID`)", events.RunEvent),
    ("Of the system and of agents (`system`, `agent/NAME`)", events.SystemEvent),
    ("Logs", events.LogWritten),
    ("Parts of them", (events.Submitter, usage.Usage, usage.Cost, errors.ErrorInfo)),
)


def one_line(text: str | None) -> str:
    """A docstring as a table cell."""
    return " ".join((text or "").split()).replace("|", "\\|")


def field_notes(kind: type) -> list[tuple[str, str, str, str]]:
    """(name, type, default, what the string under it says) of each field, in order."""
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(body, ast.ClassDef)
    found: list[tuple[str, str, str, str]] = []
    for item in body.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            declared = ast.unparse(item.annotation)
            if not declared.startswith("ClassVar"):
                default = "" if item.value is None else ast.unparse(item.value)
                found.append((item.target.id, declared, default, ""))
        elif isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant) and found:
            found[-1] = (*found[-1][:3], str(item.value.value))
    return found


def section(kind: type) -> list[str]:
    lines = [f"### {kind.__name__}", ""]
    if said := one_line(kind.__dict__.get("__doc__")):
        lines += [said.replace("\\|", "|"), ""]
    rows = field_notes(kind)
    if rows:
        lines += ["| field | type | default | |", "|---|---|---|---|"]
        for name, declared, default, note in rows:
            shown = f"`{one_line(default)}`" if default else ""
            lines.append(f"| `{name}` | `{one_line(declared)}` | {shown} | {one_line(note)} |")
    else:
        lines.append("No fields.")
    return [*lines, ""]


def page() -> str:
    lines = [HEAD]
    for title, union in GROUPS:
        kinds: tuple[Any, ...] = union if isinstance(union, tuple) else getattr(union, "__args__", (union,))
        lines += [f"## {title}", ""]
        for kind in kinds:
            lines += section(kind)
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.read_text(encoding="utf-8") == page() else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
