"""Signs of the screen. Two sets: one that needs a Unicode font, one of plain ASCII (`--ascii`).

Shapes always differ, so that nothing depends on colour. Signs that some terminals draw two cells wide
(emoji) are left out; `width` of every sign here is what the tables say.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Glyphs:
    ascii: bool
    status: dict[str, str]
    """Status of a step, run, attempt or call → one cell. Unknown ones: `status_of`."""
    streaming: str
    """Two cells: running, and text is coming."""
    opened: str
    closed: str
    rail: str
    """Two cells each: a level that goes on, one that does not; one cell each: a branch, the last branch."""
    gap: str
    tee: str
    elbow: str
    star: str
    parallel: str
    needs: str
    dash: str
    """An unknown or absent number."""
    ellipsis: str
    dot: str
    """Between words of a line."""
    path: str
    at_least: str
    more_below: str
    enter: str
    box: str
    """Eight cells: top left, top, top right, right, bottom right, bottom, bottom left, left."""
    thumb: str
    bar: str
    """Nine cells: a bar that fills 0…8 eighths of its cell, from the left."""
    bar_wait: str
    bar_fail: str
    spark: str
    """From nothing to most."""

    def status_of(self, status: str) -> str:
        return self.status.get(status, self.status["pending"])


_STATUS = {
    "pending": "◷",
    "ready": "○",
    "queued": "○",
    "running": "●",
    "stopping": "●",
    "retry_wait": "↻",
    "waiting_answer": "‖",
    "waiting_budget": "‖",
    "paused": "‖",
    "parked": "‽",
    "interrupted": "‽",
    "in_doubt": "‽",
    "lost": "‽",
    "succeeded": "✓",
    "cached": "≡",
    "skipped": "–",
    "failed": "✗",
    "cancelled": "⊘",
}
_STATUS_ASCII = {
    "pending": ".",
    "ready": "o",
    "queued": "o",
    "running": ">",
    "stopping": ">",
    "retry_wait": "~",
    "waiting_answer": "?",
    "waiting_budget": "?",
    "paused": "?",
    "parked": "!",
    "interrupted": "!",
    "in_doubt": "!",
    "lost": "!",
    "succeeded": "+",
    "cached": "=",
    "skipped": "-",
    "failed": "X",
    "cancelled": "/",
}

UNICODE = Glyphs(
    ascii=False,
    status=_STATUS,
    streaming="●▸",
    opened="▾",
    closed="▸",
    rail="│ ",
    gap="  ",
    tee="├",
    elbow="└",
    star="★",
    parallel="∥",
    needs="←",
    dash="—",
    ellipsis="…",
    dot="·",
    path=" ▸ ",
    at_least="≥",
    more_below="↓",
    enter="↵",
    box="╭─╮│╯─╰│",
    thumb="┃",
    bar=" ▏▎▍▌▋▊▉█",
    bar_wait="░",
    bar_fail="!",
    spark="▁▂▃▄▅▆▇█",
)
ASCII = Glyphs(
    ascii=True,
    status=_STATUS_ASCII,
    streaming=">>",
    opened="v",
    closed=">",
    rail="| ",
    gap="  ",
    tee="|",
    elbow="`",
    star="*",
    parallel="||",
    needs="<-",
    dash="-",
    ellipsis="~",
    dot="-",
    path=" > ",
    at_least=">",
    more_below="v",
    enter="enter",
    box="+-+|+-+|",
    thumb="#",
    bar="   -=====",
    bar_wait=".",
    bar_fail="!",
    spark="_.:-=+*#",
)
