"""Where the peers' environments are: `.bench/peers/NAME`, made from `bench/peers/NAME/requirements.txt`."""

from __future__ import annotations

import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".bench"
"""What the benches keep between two runs: environments and databases. May be deleted at any time."""
PEERS = ("langgraph", "agent_framework", "burr")


def requirements(name: str) -> Path:
    """Exact versions and hashes of the peer and all that it needs."""
    return ROOT / "bench" / "peers" / name / "requirements.txt"


def directory(name: str) -> Path:
    return CACHE / "peers" / name


def stamp(name: str) -> Path:
    """Holds the hash of the requirements that were installed."""
    return directory(name) / "installed"


def wanted(name: str) -> str:
    return hashlib.sha256(requirements(name).read_bytes()).hexdigest()


def python(name: str) -> Path | None:
    """The interpreter of a peer's environment; None if it is absent or of other requirements."""
    mark = stamp(name)
    if not mark.exists() or mark.read_text() != wanted(name):
        return None
    return directory(name) / "bin" / "python"
