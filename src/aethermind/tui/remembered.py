"""What the screen remembers from one start to the next: one small file in the data directory, `tui.json`.

It holds what somebody arranged while the screen was up: nothing that a config says, and nothing that is
missed when the file is gone. One that can't be read is told in one line and counts as empty.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from aethermind.domain.events import LogLevel
from aethermind.tui.context import Pane

NAME = "tui.json"
LARGEST = 64_000
"""Bytes: a file of ours is a few hundred."""
SIDE = (16, 80)
"""Columns that the panes at the side may have."""
LOGS = (3, 40)
"""Lines that the logs below may have."""

COMMANDS = 50
"""Lines of `:` that are kept."""
LONGEST = 200
"""Characters of a text."""

Text = Annotated[str, msgspec.Meta(max_length=LONGEST)]


class Filters(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Those that are not of one run."""

    agents: Text = ""
    runs: Text = ""
    level: LogLevel = "debug"
    """Of the logs."""


class Remembered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    v: Literal[1] = 1
    welcomed: bool = False
    """The first screen was seen."""
    pane: Pane = "trace"
    zoomed: bool = False
    side: Annotated[int, msgspec.Meta(ge=SIDE[0], le=SIDE[1])] | None = None
    logs: Annotated[int, msgspec.Meta(ge=LOGS[0], le=LOGS[1])] | None = None
    filters: Filters = Filters()
    commands: Annotated[tuple[Text, ...], msgspec.Meta(max_length=COMMANDS)] = ()
    """Lines that were typed after `:`, the newest last."""


def load(home: Path) -> tuple[Remembered, str]:
    """What is remembered there, and what is wrong with the file (empty: nothing, or there is none)."""
    path = home / NAME
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise ValueError("larger than it can be")
        return msgspec.json.decode(raw, type=Remembered), ""
    except FileNotFoundError:
        return Remembered(), ""
    except OSError as error:
        return Remembered(), f"{path}: {error.strerror or error}"
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        return Remembered(), f"{path}: {error}: the layout begins anew"


def save(home: Path, remembered: Remembered) -> None:
    """Replace the file as a whole. Raises `OSError`."""
    descriptor, name = tempfile.mkstemp(dir=home, prefix=f".{NAME}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(remembered))
        Path(name).replace(home / NAME)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
