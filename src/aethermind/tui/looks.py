"""What styles of rows look like: which colour, which weight. `themes.Palette` makes them."""

from __future__ import annotations

from rich.style import Style

BOLD = frozenset({"strong", "brand", "star", "title.focus", "tab.active", "key", "match", "bar.mark", "sim"})
FROM = {
    "": "foreground",
    "strong": "foreground",
    "pending": "faint",
    "queued": "muted",
    "skipped": "faint",
    "muted": "muted",
    "head": "muted",
    "ruler": "faint",
    "guide": "border",
    "fold": "muted",
    "time": "muted",
    "tokens": "muted",
    "note": "muted",
    "note.bad": "failed",
    "unpriced": "waiting",
    "sim": "doubt",
    "id": "secondary",
    "key": "focus",
    "key.off": "faint",
    "spark": "running",
    "border.focus": "focus",
    "title": "muted",
    "title.focus": "focus",
    "tab": "muted",
    "tab.active": "focus",
    "thumb": "muted",
    "log.debug": "faint",
    "log.info": "ok",
    "log.warning": "waiting",
    "log.error": "failed",
    "log.agent": "secondary",
    "log.step": "muted",
    "fresh": "waiting",
    "bar.mark": "failed",
}
"""Style → colour, where it has another name than its colour."""
FILLED = {"brand": "accent", "match": "star"}
"""Written in the background's colour on this one."""
BARS = {
    "run": ("accent", 0.35),
    "box": ("accent", 0.62),
    "ok": ("ok", 0.2),
    "failed": ("failed", 0.15),
    "running": ("running", 0.05),
    "waiting": ("waiting", 0.45),
    "skipped": ("faint", 0.3),
    "gate": ("gate", 0.3),
    "doubt": ("doubt", 0.3),
}
PLAIN = {
    "strong": Style(bold=True),
    "brand": Style(bold=True, reverse=True),
    "failed": Style(bold=True),
    "note.bad": Style(bold=True),
    "log.error": Style(bold=True),
    "log.warning": Style(bold=True),
    "faint": Style(dim=True),
    "key.off": Style(dim=True),
    "pending": Style(dim=True),
    "skipped": Style(dim=True),
    "guide": Style(dim=True),
    "ruler": Style(dim=True),
    "border": Style(dim=True),
    "border.focus": Style(bold=True),
    "title.focus": Style(bold=True, reverse=True),
    "tab.active": Style(bold=True, reverse=True),
    "key": Style(bold=True),
    "match": Style(bold=True, underline=True),
    "star": Style(bold=True),
    "sim": Style(bold=True),
    "head": Style(underline=True),
    "fresh": Style(bold=True),
}
"""Looks without colours."""
