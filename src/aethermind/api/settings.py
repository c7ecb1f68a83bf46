"""What an operator may set about the server."""

from __future__ import annotations

from pathlib import Path

import msgspec

MIB = 1 << 20


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`hosts` and `origins` are compared whole: `agents.example.org`, `https://agents.example.org`."""

    hosts: tuple[str, ...] = ()
    """Further values of `Host` that are answered on TCP, with or without a port, as a proxy sends them."""
    origins: tuple[str, ...] = ()
    """Web pages that may call the API (CORS); empty: none."""
    rate_limit: int = 100
    """Requests of one token in `rate_window_s` seconds; 0: any number."""
    attached_factor: int = 50
    """So many times more are a token's while a WebSocket of its is open: a screen asks for what it shows."""
    rate_window_s: int = 15 * 60
    max_body: int = MIB
    """Bytes of a request on TCP."""
    max_local_body: int = 8 * MIB
    """The same on the unix socket, where whole definitions and inputs of other terminals come through."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    keep_receipts_s: int = 24 * 3600
    """For so long an Idempotency-Key is remembered."""
