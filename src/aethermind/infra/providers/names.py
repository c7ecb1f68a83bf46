"""Small pure helpers on names and addresses: did-you-mean, loopback, vendors' own hosts."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from ipaddress import ip_address
from urllib.parse import urlsplit

OPENAI_URL = "https://api.openai.com/v1"
ANTHROPIC_URL = "https://api.anthropic.com"
OLLAMA_URL = "http://127.0.0.1:11434"
NUM_CTX = 8_192
"""Ollama's context window where neither the settings nor the config say. It is the same for every call,
because Ollama reloads a model whose window changes."""


def closest(word: str, options: Iterable[str]) -> str | None:
    """The option that was probably meant, if any is near."""
    known = {option.lower(): option for option in options}
    found = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return known[found[0]] if found else None


def did_you_mean(word: str, options: Iterable[str]) -> str | None:
    """`did you mean X?`, as a hint."""
    near = closest(word, options)
    return f"did you mean {near}?" if near else None


def host_of(url: str) -> str:
    """Lower-case host of a URL, `""` if there is none."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def is_loopback(url: str) -> bool:
    host = host_of(url)
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_openai(url: str) -> bool:
    """OpenAI itself, regional hosts included (`eu.api.openai.com`); not another vendor's imitation."""
    host = host_of(url)
    return host == "api.openai.com" or host.endswith(".api.openai.com")


def is_anthropic(url: str) -> bool:
    return host_of(url) == "api.anthropic.com"


def ollama_url(host: str | None) -> str:
    """`OLLAMA_HOST` as Ollama itself reads it: host, host:port, :port or a URL; a server's `0.0.0.0` is
    reached through loopback."""
    text = (host or "").strip().rstrip("/")
    if not text:
        return OLLAMA_URL
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "http", text
    authority, slash, path = rest.partition("/")
    name, colon, port = authority.rpartition(":")
    if not colon or not port.isdigit():
        name, port = authority, {"http": "11434", "https": "443"}.get(scheme, "11434")
        if separator and scheme == "http" and not colon:
            port = "80"
    if name in {"", "0.0.0.0", "[::]"}:  # noqa: S104  # replaced, not bound
        name = "127.0.0.1"
    return f"{scheme}://{name}:{port}{slash}{path}"
