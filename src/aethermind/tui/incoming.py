"""Bytes of the terminal as text, for the one thread that reads them.

Textual decodes strictly, so that one byte that is not UTF-8 (a paste of a binary, a key of a terminal in
Latin-1) ended the program; and takes an ESC within a paste for the start of a key, so that a pasted text
could press keys. Most terminals strip those from what they paste; tmux does not.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Callable

_START = "\x1b[200~"
_END = "\x1b[201~"
_ESCAPE = "\x1b"
SHOWN = "␛"
"""What stands for an ESC that was pasted."""


class Incoming:
    """In place of an incremental decoder. What is no UTF-8 becomes U+FFFD; within a bracketed paste only its
    end keeps its ESC. Nothing else is changed or held back, but the start of what may become that end.
    """

    def __init__(self, over: Callable[[], None] = lambda: None) -> None:
        self._over = over
        """Called when there is nothing to read: the terminal has ended."""
        self._text = getincrementaldecoder("utf-8")("replace")
        self._pasting = False
        self._kept = ""
        """Outside a paste: the last characters, already handed on. Within: those not handed on yet."""

    def decode(self, data: bytes, final: bool = False) -> str:
        if not data and not final:
            self._over()
        text = self._text.decode(data, final)
        parts: list[str] = []
        while text:
            part, text = self._pasted(text, final=final) if self._pasting else self._typed(text)
            parts.append(part)
        return "".join(parts)

    def _typed(self, text: str) -> tuple[str, str]:
        """(what to hand on, what is left)"""
        seen = self._kept + text
        at = seen.find(_START)
        if at < 0:
            self._kept = seen[1 - len(_START) :]
            return text, ""
        cut = at + len(_START) - len(self._kept)
        self._pasting, self._kept = True, ""
        return text[:cut], text[cut:]

    def _pasted(self, text: str, *, final: bool) -> tuple[str, str]:
        text, self._kept = self._kept + text, ""
        body, end, rest = text.partition(_END)
        if end:
            self._pasting = False
        elif not final:
            last = body.rfind(_ESCAPE)
            if last >= 0 and _END.startswith(body[last:]):
                body, self._kept = body[:last], body[last:]
        return body.replace(_ESCAPE, SHOWN) + end, rest
