"""Every way a model call can fail → one `ProviderError`.

Rules
- `message` is one clear line for a person, `hint` names the repair.
- Retryable is what waiting can heal: connection, 408, 409, a rate 429, 5xx, a broken or truncated stream,
  a missed first-token or idle deadline. Not: keys, quota, context length, refused requests, the total
  deadline (a second try would take as long and be billed again).
- SDK classes are told apart by their attributes, so that this module imports no SDK.
"""

from __future__ import annotations

import math
import os
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal, assert_never
from urllib.parse import urlsplit

import msgspec

from aethermind.domain.errors import ErrorInfo, ErrorKind, ProviderError
from aethermind.infra.providers.names import is_anthropic, is_openai
from aethermind.infra.secrets import mask, redact

_A_YEAR_MS = 366 * 86_400_000
"""The longest Retry-After that is told on: numbers beyond any use would not fit where they are kept."""
Wall = Callable[[], float]
"""Epoch seconds, for a Retry-After that is a date."""

_CONTEXT = re.compile(
    r"context[ _-]?(?:length|window|size)|maximum (?:context|prompt|input)|prompt (?:is )?too (?:long|large)"
    r"|too many (?:input )?tokens|exceeds? .{0,40}(?:context|token limit)|input is too long",
    re.IGNORECASE,
)
_QUOTA = re.compile(
    r"insufficient[ _]quota|exceeded your current quota|credit balance"
    r"|insufficient (?:credits?|balance|funds)|billing|hard limit|payment required"
    r"|spend(?:ing)? limit|usage limit",
    re.IGNORECASE,
)
_REASON_STATUS = {
    "api_error": 500,
    "authentication_error": 401,
    "billing_error": 402,
    "internal_error": 500,
    "internal_server_error": 500,
    "invalid_api_key": 401,
    "invalid_prompt": 400,
    "invalid_request_error": 400,
    "model_not_found": 404,
    "not_found_error": 404,
    "overloaded": 529,
    "overloaded_error": 529,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "request_too_large": 413,
    "server_error": 500,
    "server_overloaded": 529,
    "service_unavailable": 503,
    "slow_down": 503,
    "timeout_error": 504,
    "tokens": 429,
    "requests": 429,
}
"""Code or type of an error that came inside a stream → the status it would have had."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is called, as far as messages need it."""

    name: str
    """The provider's prefix: `openai`, `groq`."""
    label: str
    """As people know it: `OpenAI`."""
    url: str
    key: str | None = None
    variable: str | None = None
    """The environment variable that names its address, for hints."""

    @property
    def masked(self) -> str:
        return mask(self.key) if self.key else ""


class WireError(Exception):
    """The peer reported an error inside its stream."""

    def __init__(self, message: str, *reasons: object) -> None:
        super().__init__(message)
        self.reasons = tuple(str(reason) for reason in reasons if reason)


def failure(
    peer: Peer,
    kind: ErrorKind,
    message: str,
    *,
    retryable: bool = False,
    hint: str | None = None,
    status: int | None = None,
    retry_after_ms: int | None = None,
    detail: str | None = None,
) -> ProviderError:
    """The one place that makes a `ProviderError`: texts are cut to one line and scrubbed here."""
    return ProviderError(
        ErrorInfo(
            kind=kind,
            message=one_line(message),
            retryable=retryable,
            hint=one_line(hint) if hint else None,
            status=status,
            retry_after_ms=retry_after_ms,
            detail=_scrub(peer, detail)[:4_000] if detail else None,
        )
    )


def one_line(text: str, limit: int = 300) -> str:
    """Without keys, line breaks and control characters, at most `limit` characters."""
    printable = "".join(char if char.isprintable() else " " for char in redact(text[: limit * 20]))
    line = " ".join(printable.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def missing_key(peer: Peer, variables: list[str]) -> ProviderError:
    names = " or ".join(variables)
    hint = f"aethermind auth {peer.name}" + (f", or set {names}" if names else "")
    return failure(peer, "missing_key", f"{peer.label} needs a key and none was found", hint=hint)


def bad_request(peer: Peer, message: str, hint: str | None = None) -> ProviderError:
    """Refused here, before any byte is sent."""
    return failure(peer, "bad_request", message, hint=hint)


Deadline = Literal["first_token", "idle", "total"]


def missed_deadline(peer: Peer, which: Deadline, limit_ms: int) -> ProviderError:
    seconds = f"{limit_ms / 1000:g} s"
    match which:
        case "first_token":
            text = f"{peer.label} sent no token within {seconds}"
        case "idle":
            text = f"{peer.label} went silent for {seconds} in the middle of its answer"
        case "total":
            text = f"{peer.label} did not finish within {seconds}"
        case _:
            assert_never(which)
    hint = f"raise {which} under [deadlines] in config.toml"
    return failure(peer, "timeout", text, retryable=which != "total", hint=hint)


def truncated(peer: Peer, *, events: int) -> ProviderError:
    where = f"after {events} event{'s' * (events != 1)}" if events else "before its first event"
    text = f"{peer.label} ended its stream {where}, without an end mark"
    return failure(peer, "truncated", text, retryable=True)


def malformed(peer: Peer, what: str, *, detail: str | None = None, hint: str | None = None) -> ProviderError:
    return failure(
        peer, "malformed", f"{peer.label} sent an answer that cannot be read: {what}",
        retryable=True, detail=detail, hint=hint,
    )  # fmt: skip


def no_stream(peer: Peer, content_type: str) -> ProviderError:
    """A 200 whose body is a page or a document instead of a stream."""
    place = f"{peer.variable}, or base_url" if peer.variable else "base_url"
    hint = f"is {peer.url} the right address? ({place} in config.toml)"
    return malformed(peer, f"{content_type.partition(';')[0] or 'nothing'} instead of a stream", hint=hint)


def explain(
    peer: Peer, error: BaseException, *, opening: bool = False, wall: Wall = time.time
) -> ProviderError:
    """Whatever an SDK or the HTTP layer raised, while the request was made (`opening`) or the answer read."""
    if isinstance(error, ProviderError):
        return error
    if isinstance(error, WireError):
        return reported(peer, str(error), error.reasons)
    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None)
    body = getattr(error, "body", None)
    if isinstance(status, int) and status >= 300:
        headers: Mapping[str, str] = getattr(response, "headers", {})
        return from_status(peer, status, body, headers, wall=wall)
    if isinstance(body, Mapping):  # an error event inside a stream that began with 200
        inner = _inner(body)
        message = str(inner.get("message") or error)
        return reported(peer, message, (str(inner.get(name) or "") for name in ("code", "type")))
    return _from_transport(peer, error, opening=opening)


def reported(peer: Peer, message: str, reasons: Any = ()) -> ProviderError:
    """An error that the peer sent inside its stream, with its codes and types."""
    known = [str(reason) for reason in reasons if reason]
    status = next((_REASON_STATUS[reason] for reason in known if reason in _REASON_STATUS), 500)
    body = {"message": message, "code": " ".join(known)}
    built = from_status(peer, status, body, {}, sent=False)
    return ProviderError(msgspec.structs.replace(built.info, status=None))


def from_status(
    peer: Peer,
    status: int,
    body: object,
    headers: Mapping[str, str],
    *,
    wall: Wall = time.time,
    sent: bool = True,
) -> ProviderError:
    """A status from 300 on with whatever body came along. `sent`: the status was really on the wire."""
    text, codes, readable = _read_body(body)
    said = one_line(_scrub(peer, text))
    number = f"{status}: " if sent else ""
    reason = f": {said}" if said else ""
    after = retry_after_ms(headers, wall=wall)
    detail = _excerpt(body)

    def made(
        kind: ErrorKind, line: str, hint: str | None = None, *, again: bool = False, wait: int | None = None
    ) -> ProviderError:
        return failure(
            peer,
            kind,
            number + line,
            retryable=again,
            hint=hint,
            status=status,
            retry_after_ms=wait,
            detail=detail,
        )

    if status < 400:
        target = one_line(_scrub(peer, headers.get("location") or ""), 120)
        moved = f"{peer.label} has moved{f' to {target}' if target else ''}"
        return made("not_found", moved, _address_hint(peer))
    login = f"aethermind auth {peer.name}"
    money = "add credit there, or choose another model with --model"
    if status == 401:
        return made("auth", f"{peer.label} {_refusal(peer)}", login)
    if status == 402 or (status in {400, 403, 429} and _QUOTA.search(f"{codes} {text}")):
        return made("quota", f"{peer.label}: the account's quota is used up{reason}", money)
    if status == 403:
        return made("auth", f"{peer.label} does not allow this{reason}", login)
    if status == 404:
        if not readable:
            return made("not_found", f"{peer.label} has nothing at {peer.url}", _address_hint(peer))
        return made("not_found", f"{peer.label}{reason or ': no such model'}", _model_hint(peer))
    if status == 413 or (status in {400, 422} and _CONTEXT.search(f"{codes} {text}")):
        hint = "shorten the prompt, or use a model with a larger context"
        return made("context_length", f"{peer.label}: the prompt is too long for the model{reason}", hint)
    if status == 429:
        return made("rate_limit", f"{peer.label} limits the rate{reason}", again=True, wait=after)
    if status == 408:
        return made("timeout", f"{peer.label} timed the request out{reason}", again=True, wait=after)
    if status == 529 or "overload" in f"{codes} {text}".lower():
        return made("overloaded", f"{peer.label} is overloaded{reason}", again=True, wait=after)
    if status >= 500 or status == 409:
        return made("server", f"{peer.label} failed{reason}", again=True, wait=after)
    return made("bad_request", f"{peer.label} refused the request{reason}", _request_hint(peer, text))


def retry_after_ms(headers: Mapping[str, str], *, wall: Wall = time.time) -> int | None:
    """`retry-after-ms`, or `retry-after` in seconds or as an HTTP date; None if absent or nonsense."""
    try:
        if exact := headers.get("retry-after-ms"):
            return _milliseconds(float(exact))
        value = (headers.get("retry-after") or "").strip()
        if not value:
            return None
        if re.fullmatch(r"\d+(\.\d+)?", value):
            return _milliseconds(float(value) * 1_000)
        return _milliseconds((parsedate_to_datetime(value).timestamp() - wall()) * 1_000)
    except (ValueError, TypeError, OverflowError):
        return None


def _milliseconds(value: float) -> int | None:
    return math.ceil(min(max(value, 0.0), _A_YEAR_MS)) if math.isfinite(value) else None


def _from_transport(peer: Peer, error: BaseException, *, opening: bool) -> ProviderError:
    chain = list(_chain(error))
    names = {name for link in chain for name in (cls.__name__ for cls in type(link).__mro__)}
    where = urlsplit(peer.url).netloc.rpartition("@")[2] or peer.url
    detail = " ← ".join(f"{type(link).__name__}: {link}" for link in chain)
    if "CERTIFICATE_VERIFY" in detail or any(isinstance(x, ssl.SSLCertVerificationError) for x in chain):
        text = f"the certificate of {where} ({peer.label}) is not trusted"
        hint = "check the clock, SSL_CERT_FILE and any proxy in between"
        return failure(peer, "connection", text, hint=hint, detail=detail)
    refused = [x for x in chain if type(x) is ssl.SSLError]  # not its transient kinds
    if refused and "ConnectError" in names:
        text = f"no secure connection to {peer.label} at {where}: {refused[-1].reason or refused[-1]}"
        return failure(peer, "connection", text, hint="is it https, and the right port?", detail=detail)
    if names & {"ConnectError", "ConnectTimeout", "ProxyError", "UnsupportedProtocol", "InvalidURL"}:
        number = getattr(chain[-1], "errno", None)
        cause = f": {os.strerror(number) if isinstance(number, int) and number > 0 else chain[-1]}"
        text = f"cannot connect to {peer.label} at {where}{cause}"
        if "ConnectTimeout" in names:
            text = f"cannot connect to {peer.label} at {where} in time"
        again = not names & {"UnsupportedProtocol", "InvalidURL"}
        return failure(peer, "connection", text, retryable=again, hint=_address_hint(peer), detail=detail)
    if names & {"UnicodeDecodeError", "JSONDecodeError"}:
        what = "bytes that are no UTF-8" if "UnicodeDecodeError" in names else "broken JSON"
        return malformed(peer, what, detail=detail)
    if names & {"TimeoutException", "APITimeoutError"}:
        return failure(peer, "timeout", f"{peer.label} did not answer in time", retryable=True, detail=detail)
    if names & {"TransportError", "APIConnectionError", "StreamError", "OSError"}:
        return failure(
            peer, "connection", f"the connection to {peer.label} broke in the middle of the answer",
            retryable=True, detail=detail,
        )  # fmt: skip
    if opening:
        return failure(peer, "internal", f"no request to {peer.label} could be made: {error}", detail=detail)
    return malformed(peer, "an event of an unknown shape", detail=detail)


def _chain(error: BaseException) -> Any:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen and len(seen) < 10:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _inner(body: Mapping[str, Any]) -> Mapping[str, Any]:
    error = body.get("error")
    if isinstance(error, Mapping):
        return error
    return {"message": error} if isinstance(error, str) else body


def _read_body(body: object) -> tuple[str, str, bool]:
    """A body → (message, its codes and types, whether it was an API's error at all)."""
    if isinstance(body, Mapping):
        inner = _inner(body)
        message = inner.get("message") or inner.get("detail") or ""
        codes = " ".join(str(inner[name]) for name in ("code", "type") if inner.get(name))
        return (message if isinstance(message, str) else str(message)), codes, True
    if isinstance(body, str) and "<" not in body[:200]:
        return body[:2_000], "", False
    return "", "", False


def _excerpt(body: object) -> str | None:
    if body is None:
        return None
    return body if isinstance(body, str) else repr(body)


def _scrub(peer: Peer, text: str) -> str:
    text = redact(text)
    return text.replace(peer.key, peer.masked) if peer.key and len(peer.key) >= 4 else text


def _refusal(peer: Peer) -> str:
    return f"refused the key {peer.masked}" if peer.key else "wants a key"


def _address_hint(peer: Peer) -> str:
    if peer.name == "ollama":
        return "start it with: ollama serve (or set OLLAMA_HOST)"
    if is_openai(peer.url) or is_anthropic(peer.url):
        return "check the network and any proxy"
    return f"check {peer.variable or 'base_url in config.toml'}"


def _model_hint(peer: Peer) -> str:
    if peer.name == "ollama":
        return "pull it with: ollama pull MODEL"
    return "aethermind models lists what is known"


def _request_hint(peer: Peer, text: str) -> str | None:
    if "response_format" in text or "json_schema" in text:
        return f'set structured = "json_object" or "prompt" under [providers.{peer.name}]'
    if "stream_options" in text:
        return f"{peer.label} does not speak today's Chat Completions"
    return None
