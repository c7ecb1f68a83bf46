"""What may be typed after `attach` and `--connect`.

    unix:PATH                       a socket on this machine
    http(s)://HOST[:PORT]           TCP, with a token; 3001 unless given
    ssh://[USER@]HOST[:PORT]        through the system's `ssh`; HOST may be an alias of its config

Rules
- What is typed here may come from a file or a paste: nothing in it may be taken for an option of `ssh`, or
  for anything that a shell reads. Names are refused by what they may hold, not by what they may not.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from aethermind.domain.errors import InvalidError

PORT = 3001
_HINT = "unix:PATH, ssh://[user@]host[:port] or http(s)://host:port"
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?\Z", re.ASCII)
_USER = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._+-]{0,63})\Z", re.ASCII)


@dataclass(frozen=True)
class UnixTarget:
    path: Path

    def __str__(self) -> str:
        return f"unix:{self.path}"


@dataclass(frozen=True)
class TcpTarget:
    host: str
    port: int
    tls: bool

    @property
    def authority(self) -> str:
        """As it stands in a URL and in the header `Host`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.authority}"


@dataclass(frozen=True)
class SshTarget:
    host: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port is not None else ""
        return f"ssh://{self.user + '@' if self.user else ''}{host}{port}"


Target = UnixTarget | TcpTarget | SshTarget


def parse(text: str) -> Target:
    """Raises `InvalidError` naming what is wrong."""
    if not text or any(
        not char.isprintable() or char.isspace() for char in text if not text.startswith("unix:")
    ):
        raise InvalidError(f"{text!r} is no place of an engine", hint=_HINT)
    scheme, colon, rest = text.partition(":")
    if not colon:
        raise InvalidError(f"{text!r} is no place of an engine", hint=_HINT)
    match scheme.lower():
        case "unix":
            return _unix(text, rest)
        case "http" | "https" | "ssh" if rest.startswith("//"):
            url = _split(text)
            if url.scheme == "ssh":
                return _ssh(text, url)
            return _tcp(text, url)
        case _:
            raise InvalidError(f"{text!r} is no place of an engine", hint=_HINT)


def _unix(text: str, rest: str) -> UnixTarget:
    if not rest or any(ord(char) < 32 or ord(char) == 127 for char in rest):
        raise InvalidError(f"{text!r}: the path of a socket is missing", hint="unix:PATH")
    path = rest[2:] if rest.startswith("///") else rest
    return UnixTarget(Path(path).expanduser().absolute())


def _split(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError as error:
        raise InvalidError(f"{text!r}: {error}", hint=_HINT) from error
    if url.path not in {"", "/"} or url.query or url.fragment:
        raise InvalidError(f"{text!r}: nothing follows the host and its port", hint=_HINT)
    if not url.hostname:
        raise InvalidError(f"{text!r}: a host is missing", hint=_HINT)
    return url


def _tcp(text: str, url: SplitResult) -> TcpTarget:
    if url.username is not None or url.password is not None:
        raise InvalidError("a token never stands in an address", hint="give it in AETHERMIND_TOKEN")
    return TcpTarget(_host(text, url), url.port or PORT, url.scheme == "https")


def _ssh(text: str, url: SplitResult) -> SshTarget:
    if url.password is not None:
        raise InvalidError("a password never stands in an address: ssh asks for it itself")
    if url.username is not None and not _USER.match(url.username):
        raise InvalidError(f"{url.username!r} is no name of a user")
    return SshTarget(_host(text, url), url.username, url.port)


def _host(text: str, url: SplitResult) -> str:
    # `hostname` is in lower case; an alias of ssh's config keeps its own.
    netloc = url.netloc.rpartition("@")[2]
    if netloc.startswith("["):
        address, _, port = netloc[1:].partition("]")
        try:
            if port and not port.startswith(":"):
                raise ValueError(f"what is {port!r}?")
            if "%" in address:
                raise ValueError("an address without a zone")
            return str(ipaddress.IPv6Address(address))
        except ValueError as error:
            raise InvalidError(f"{text!r} is no place of an engine: {error}", hint=_HINT) from error
    host = netloc.partition(":")[0]
    if not _HOST.match(host):
        raise InvalidError(f"{host!r} is no name of a host", hint="letters, digits, dots, dashes")
    return host
