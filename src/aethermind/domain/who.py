"""The words in which an act names who did it: `WHO via WHERE`. Pure; made and read here alone."""

from __future__ import annotations

import re

VIA = " via "
SAID = " (said)"
"""Behind a WHERE that no connection vouches for."""
TOKEN = "token "  # noqa: S105 - a word, no secret
_ADDRESS = re.compile(r"\d+(\.\d+){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(%\w+)?")


def words(who: str, where: str) -> str:
    """`ana via tui`. Who has said from where already is believed: a page of `serve --web` names its token."""
    return who if not who or not where or VIA in who else f"{who}{VIA}{where}"


def through(by: str, line: str) -> str:
    """The same person, behind a line of this kind: `ana via tui` → `ana via ssh`."""
    return words(split(by)[0], line)


def token(name: str, address: str) -> str:
    """What the server itself says of the holder of a token."""
    return f"{TOKEN}{name}{VIA}{address}"


def split(by: str) -> tuple[str, str]:
    """(who, where); where is '' if it was not said."""
    who, _, where = by.rpartition(VIA)
    return (who, where) if who else (by, "")


def only_said(by: str) -> str:
    """`by` as a program of this machine gave it. A token or an address that no connection vouches for is
    marked, so that nobody takes it for one that the server has seen."""
    who, where = split(by)
    if who.startswith(TOKEN) or _ADDRESS.fullmatch(where):
        return f"{who}{VIA}{where or 'local'}{SAID}"
    return by
