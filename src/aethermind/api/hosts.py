"""Which `Host` and `Origin` are ours. Both are compared whole: a page that gets its own name to point at this
machine (DNS rebinding) still sends that name.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
PORTS = {True: 443, False: 80}


def allowed_host(host: str, server: tuple[str, int | None] | None, further: Sequence[str]) -> bool:
    """`server`: the address and port of our end of this connection. That address itself is ours (no name can
    be made to be one), `localhost` where it is a loopback address, and what the operator names."""
    host = host.lower()
    if host in further:
        return True
    if server is None or server[1] is None:
        return False
    address, port = server
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    own = f"[{ip}]" if ip.version == 6 else str(ip)
    names = [own, *(LOOPBACK_NAMES if ip.is_loopback else ()), *(name for name in further if ":" not in name)]
    return any(host == f"{name}:{port}" or (host == name and port in {80, 443}) for name in names)


def allowed_origin(origin: str, host: str, *, secure: bool) -> bool:
    """A page of this very server: its scheme and `Host`."""
    return origin.lower() == f"{'https' if secure else 'http'}://{host.lower()}"
