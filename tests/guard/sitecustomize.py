"""No test reaches beyond this machine: a guard in every Python process that the suite starts.

`tests/conftest.py` installs it in the test process and puts this directory on PYTHONPATH, so that Python
children import it at their start. An audit hook sees every connection, whoever makes it and through which
library. A refusal raises, and is written to the file that AETHERMIND_TEST_NETWORK_LOG names, because a
retry or a broad `except` may well swallow what was raised: the test fails either way.

Only built-in modules are imported: what a lean process loads is itself a subject of tests.
"""

from __future__ import annotations

import os
import sys

LOG = "AETHERMIND_TEST_NETWORK_LOG"
LOCAL_NAMES = {
    "",
    "localhost",
    "localhost.localdomain",
    "ip6-localhost",
    "ip6-loopback",
    "::1",
    "::",
    "0.0.0.0",
}
RESERVED = (".invalid", ".test")  # RFC 6761: they resolve nowhere, and need not be asked about to know it


class NetworkReached(RuntimeError):
    """A test tried to reach an address beyond loopback."""


def is_local(host: object) -> bool:
    """Loopback, a unix socket's path, "any address" of this machine, or nothing at all."""
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if not isinstance(host, str):
        return True
    host = host.lower().rstrip(".").removeprefix("::ffff:").partition("%")[0]
    return host in LOCAL_NAMES or host.endswith(".localhost") or (host.startswith("127.") and is_number(host))


def is_number(host: object) -> bool:
    """An address in digits: resolving it asks nobody."""
    import _socket  # the module that raised the event, so it is there

    if not isinstance(host, str):
        return False
    for family in (_socket.AF_INET, _socket.AF_INET6):
        try:
            _socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False


def refuse(event: str, target: object) -> None:
    message = f"{event} to {target!r}: tests may not reach beyond loopback"
    if path := os.environ.get(LOG):
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, message.encode() + b"\n")
        finally:
            os.close(descriptor)
    raise NetworkReached(message)


def hook(event: str, args: tuple[object, ...]) -> None:
    if not event.startswith("socket."):
        return
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        address = args[1]
        if isinstance(address, tuple) and address and not is_local(address[0]):
            refuse(event, address)
    elif event in {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}:
        host = args[0]
        if is_local(host) or is_number(host):
            return
        if isinstance(host, str) and host.rstrip(".").endswith(RESERVED):
            import _socket  # see above

            raise _socket.gaierror(_socket.EAI_NONAME, "Name or service not known")
        refuse(event, host)


if not getattr(sys, "_aethermind_network_guard", False):
    sys._aethermind_network_guard = True  # type: ignore[attr-defined]  # marks the process: hooks cannot be removed
    sys.addaudithook(hook)
