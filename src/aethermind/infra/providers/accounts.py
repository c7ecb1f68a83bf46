"""Whose answers these are: one word for a provider's address, ways and key, from which none can be read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from aethermind.wire import canonical


def account(kind: str, base_url: str, *ways: str | int, key: str | None, headers: Mapping[str, str]) -> str:
    """SHA-256 (64 hex digits). `ways`: what else decides how a request is put (`chat`, `json_schema`, …)."""
    lowered = sorted((name.lower(), value) for name, value in headers.items())
    told = [kind, base_url, list(ways), key or "", lowered]
    return hashlib.sha256(canonical(told)).hexdigest()
