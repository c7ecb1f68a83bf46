"""One hash over the rows of a projection."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from aethermind.wire import encode_json


def hash_rows(rows: Iterable[Sequence[object]]) -> str:
    """SHA-256 over the rows as lines of JSON, in the order given."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(encode_json(tuple(row)) + b"\n")
    return digest.hexdigest()
