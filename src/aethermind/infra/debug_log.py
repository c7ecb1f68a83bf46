"""The debug log: a file in the data directory for what no line on the terminal has room for."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from aethermind.infra.config import data_directory
from aethermind.infra.secrets import redact

NAME = "debug.log"
MOST_BYTES = 4 << 20
"""Beyond, it begins anew."""


def write(text: str, *, home: Path | str | None = None) -> Path | None:
    """Append `text`, scrubbed, with the time. `home`: the data directory (None: the one that holds without
    flags). Gives the log's path, or None if it can't be written.
    """
    directory = Path(home or os.environ.get("AETHERMIND_HOME") or data_directory())
    path = directory / NAME
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = not path.exists() or path.stat().st_size > MOST_BYTES
        with path.open("w" if fresh else "a", encoding="utf-8", errors="replace") as file:
            path.chmod(0o600)
            file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {redact(text)}\n")
    except OSError:
        return None
    return path
