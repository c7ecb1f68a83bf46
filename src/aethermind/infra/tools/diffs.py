"""What a change of a file looks like to the one who has to approve it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from aethermind.infra.sanitize import clean_line

_CONTEXT = 3
_DENSE = 1_000
"""Changed lines, of either side, up to which the smallest difference is looked for: that takes quadratic
time."""


def unified(path: str, before: str | None, after: str) -> str:
    """A unified diff, whole and harmless; `before` is None for a new file. Other line ends than
    a newline, and a last line without one, are shown."""
    old, new = _lines(before or ""), _lines(after)
    same_before, same_after = _same(old, new)
    head = ["--- /dev/null" if before is None else f"--- a/{clean_line(path)}", f"+++ b/{clean_line(path)}"]
    if old == new:
        return "\n".join([*head, "(nothing changes)"])
    middle_old = old[same_before : len(old) - same_after]
    middle_new = new[same_before : len(new) - same_after]
    if max(len(middle_old), len(middle_new)) <= _DENSE:
        body = list(difflib.unified_diff(old, new, lineterm="", n=_CONTEXT))[2:]
    else:
        body = list(_replaced(old, new, same_before, same_after))
    # Shown only now: lines that look the same may yet differ.
    return "\n".join(
        [*head, *(line if line.startswith("@@") else line[0] + _shown(line[1:]) for line in body)]
    )


def _replaced(old: list[str], new: list[str], before: int, after: int) -> Iterator[str]:
    """One hunk: all that differs out, all that differs in."""
    first = max(0, before - _CONTEXT)
    behind = min(after, _CONTEXT)
    yield (
        f"@@ -{first + 1},{len(old) - after + behind - first} "
        f"+{first + 1},{len(new) - after + behind - first} @@"
    )
    yield from (f" {line}" for line in old[first:before])
    yield from (f"-{line}" for line in old[before : len(old) - after])
    yield from (f"+{line}" for line in new[before : len(new) - after])
    yield from (f" {line}" for line in old[len(old) - after : len(old) - after + behind])


def _same(old: list[str], new: list[str]) -> tuple[int, int]:
    """How many lines are the same at the beginning and at the end."""
    shorter = min(len(old), len(new))
    before = 0
    while before < shorter and old[before] == new[before]:
        before += 1
    after = 0
    while after < shorter - before and old[-1 - after] == new[-1 - after]:
        after += 1
    return before, after


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    if lines[-1]:
        lines[-1] += "\n"  # shown as a mark: there is no end of line
    else:
        lines.pop()
    return lines


def _shown(line: str) -> str:
    if line.endswith("\n"):
        return clean_line(line[:-1].replace("\t", "    ")) + "  (no end of line)"
    return clean_line(line.replace("\t", "    "))
