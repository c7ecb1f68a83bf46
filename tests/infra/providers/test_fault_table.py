"""Every fault that a network or a vendor is known for, on every wire format: one typed error of the right
class within its deadline and the text so far, or an answer that is whole in spite of it."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from aethermind.domain.errors import ErrorInfo, ErrorKind, ProviderError
from aethermind.engine.ports import ChatEvent, Finished
from aethermind.infra.providers.deadlines import Deadlines
from tests.servers import wires
from tests.servers.http import Handler, Reply, Request, serve
from tests.servers.peers import ask, collect, connect, end_of, text_of
from tests.servers.wires import COUNTS, WIRES, Anthropic, Chat, Ollama, Responses, Wire, sse

every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)

SLACK = 4.0
"""Seconds beyond a deadline that a loaded machine may take."""


@dataclass(frozen=True)
class Fault:
    """What the peer does, and what has to come of it."""

    name: str
    does: Callable[[Wire], Handler]
    kind: ErrorKind
    retryable: bool
    text: str = ""
    """What was delivered before the error."""
    deadlines: dict[str, int] = field(default_factory=dict)
    status: int | None = None
    retry_after_ms: int | None = None
    hint: str = ""


def raw(*after: str, content_type: str | None = None) -> Callable[[Wire], Handler]:
    """A beginning (`half`), then these events."""
    return lambda wire: wires.raw(
        wire, [*wire.cut("half"), *(wire.event(data) for data in after)], content_type=content_type
    )


def answer(number: int, message: str = "no", code: str = "", **headers: str) -> Callable[[Wire], Handler]:
    return lambda wire: wires.status(wire, number, message, code=code, kind=code, **headers)


def bad_bytes(wire: Wire) -> Handler:
    return wires.raw(wire, [*wire.cut("half"), wire.event('"X"').replace(b"X", b"\xff\xfe")])


def half_a_line(wire: Wire) -> Handler:
    *_, line = wire.cut("more")
    return wires.raw(wire, [*wire.cut("half"), line[: len(line) // 2]])


def reported(wire: Wire) -> Handler:
    """An error inside a stream that began well."""
    match wire:
        case Chat():
            error = [sse({"error": {"message": "it crashed", "type": "server_error", "code": None}})]
        case Responses():
            error = wire.failed("server_error", "it crashed")
        case Anthropic():
            error = wire.failed("api_error", "it crashed")
        case Ollama():
            error = wire.failed("it crashed")
        case _:
            raise AssertionError(wire)
    return wires.raw(wire, [*wire.cut("half"), *error])


async def empty(request: Request, reply: Reply) -> None:
    """200, and nothing at all."""
    await reply.whole(200, b"", "text/plain")


HTTP_DATE = (datetime.now(UTC) - timedelta(days=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")
ABSURD = str(10**40)

FAULTS = [
    Fault(
        "stall before the headers", lambda w: wires.stalled(w, [], headers=False), "timeout", True,
        deadlines={"first_token_ms": 60}, hint="first_token",
    ),
    Fault(
        "stall before the first token", lambda w: wires.stalled(w, []), "timeout", True,
        deadlines={"first_token_ms": 60}, hint="first_token",
    ),
    Fault(
        "stall in the middle", lambda w: wires.stalled(w, w.cut("half")), "timeout", True, "half",
        deadlines={"idle_ms": 60}, hint="idle",
    ),
    Fault("drip", wires.dripping, "timeout", False, "x", deadlines={"total_ms": 100}, hint="total"),
    Fault("clean end without a marker", raw(), "truncated", True, "half"),
    Fault("empty stream", lambda w: wires.raw(w, []), "truncated", True),
    Fault("empty 200", lambda w: empty, "truncated", True),
    Fault("HTML with 200", lambda w: wires.page(), "malformed", True, hint="right address?"),
    Fault(
        "a document with 200", lambda w: wires.raw(w, [b'{"detail": "no"}'], content_type="application/json"),
        "malformed", True, hint="right address?",
    ),
    Fault("no UTF-8", bad_bytes, "malformed", True, "half"),
    Fault("broken JSON", raw('{"choices": ['), "malformed", True, "half"),
    Fault("drop", lambda w: wires.dropped(w, w.cut("half")), "connection", True, "half"),
    Fault("redirect", lambda w: wires.moved("http://127.0.0.1:9/"), "not_found", False, status=307),
    Fault("error inside the stream", reported, "server", True, "half"),
    Fault("400", answer(400, "bad field"), "bad_request", False, status=400),
    Fault("400 context", answer(400, "maximum context length is 5"), "context_length", False, status=400),
    Fault("401", answer(401, "no", "authentication_error"), "auth", False, status=401, hint="auth"),
    Fault("402", answer(402, "pay", "billing_error"), "quota", False, status=402),
    Fault("403", answer(403, "no", "permission_error"), "auth", False, status=403),
    Fault("404", answer(404, "model not found", "not_found_error"), "not_found", False, status=404),
    Fault("408", answer(408, "slow"), "timeout", True, status=408),
    Fault("409", answer(409, "conflict"), "server", True, status=409),
    Fault("413", answer(413, "big", "request_too_large"), "context_length", False, status=413),
    Fault("422", answer(422, "bad field"), "bad_request", False, status=422),
    Fault("429 rate", answer(429, "later", "rate_limit_error"), "rate_limit", True, status=429),
    Fault(
        "429 quota", answer(429, "You exceeded your current quota", "insufficient_quota"), "quota", False,
        status=429, hint="credit",
    ),
    Fault(
        "Retry-After in seconds", answer(429, retry_after="7"), "rate_limit", True, status=429,
        retry_after_ms=7_000,
    ),
    Fault(
        "Retry-After as a date", answer(429, retry_after=HTTP_DATE), "rate_limit", True, status=429,
        retry_after_ms=0,
    ),
    Fault(
        "Retry-After, absurd", answer(503, retry_after=ABSURD), "server", True, status=503,
        retry_after_ms=366 * 86_400_000,
    ),
    Fault("500", answer(500, "oops"), "server", True, status=500),
    Fault("502 as a page", lambda w: wires.page(502), "server", True, status=502),
    Fault("503", answer(503, "unavailable"), "server", True, status=503),
    Fault("503 overloaded", answer(503, "currently overloaded"), "overloaded", True, status=503),
    Fault("504", answer(504, "gateway"), "server", True, status=504),
    Fault("529", answer(529, "Overloaded", "overloaded_error"), "overloaded", True, status=529),
]  # fmt: skip


async def outcome(
    wire: Wire, handler: Handler, deadlines: dict[str, int], **tls: Any
) -> tuple[list[ChatEvent], ErrorInfo | None, int]:
    """What was delivered, the error, and how many requests the server saw. It must not take longer than the
    deadline."""
    loop = asyncio.get_running_loop()
    async with serve(handler, **tls) as server:
        provider = connect(wire, server.url, deadlines=Deadlines(**deadlines))
        provider.warm()  # a short deadline shall not go by while the SDK is imported
        start = loop.time()
        events: list[ChatEvent] = []
        error: ErrorInfo | None = None
        try:
            async for event in provider.stream(ask()):
                events += [event]
        except ProviderError as caught:
            error = caught.info
        assert loop.time() - start < max(deadlines.values(), default=0) / 1_000 + SLACK
        await provider.close()
        return events, error, len(server.requests)


@every_wire
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_faults(wire: Wire, fault: Fault) -> None:
    events, error, requests = await outcome(wire, fault.does(wire), fault.deadlines)
    assert error is not None
    assert (error.kind, error.retryable, error.status) == (fault.kind, fault.retryable, fault.status)
    assert error.retry_after_ms == fault.retry_after_ms
    assert fault.hint in (error.hint or "")
    text = text_of(events)
    assert text.strip("x") == "" if fault.text == "x" else text == fault.text
    assert not any(isinstance(event, Finished) for event in events), "no usage is made up"
    assert requests == 1, "no retry inside"
    assert "\n" not in error.message
    assert "<" not in error.message


@every_wire
async def test_half_a_line_at_the_end(wire: Wire) -> None:
    """What is not a whole event yet is dropped by the SDKs and broken JSON to us: the answer has no end."""
    events, error, _ = await outcome(wire, half_a_line(wire), {})
    assert error is not None
    assert error.kind in {"truncated", "malformed"}
    assert error.retryable
    assert text_of(events) == "half"


@every_wire
async def test_a_server_without_tls(wire: Wire) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        provider = connect(wire, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(ProviderError) as caught:
            await collect(provider)
        await provider.close()
    info = caught.value.info
    assert (info.kind, info.retryable) == ("connection", False)
    assert "secure connection" in info.message


@pytest.fixture(scope="module")
def untrusted(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A certificate that nobody vouches for."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(x509.random_serial_number())
    built = built.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = built.add_extension(names, critical=False).sign(key, hashes.SHA256())
    path: Path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@every_wire
async def test_a_certificate_that_nobody_vouches_for(wire: Wire, untrusted: ssl.SSLContext) -> None:
    _, error, requests = await outcome(wire, wires.good(wire), {}, tls=untrusted)
    assert error is not None
    assert (error.kind, error.retryable) == ("connection", False)
    assert "certificate" in error.message
    assert "SSL_CERT_FILE" in (error.hint or "")
    assert requests == 0


# --- what is whole in spite of it --------------------------------------------------------------


def doubled(wire: Wire) -> list[bytes]:
    """The final event twice."""
    chunks = wire.chunks("Whole.")
    last = -3 if isinstance(wire, Chat) else -1
    return [*chunks[:last], chunks[last], *chunks[last:]]


def with_strangers(wire: Wire) -> list[bytes]:
    """Events and lines that no documentation of today names."""
    match wire:
        case Chat():
            extra = [
                sse({"id": "1", "object": "x", "choices": [], "usage": None, "stats": {}}),
                b": a comment\n\n",
            ]
        case Ollama():
            extra = [b"\n", b'{"status": "loading", "percent": 3}\n']
        case _:
            extra = [sse({"type": "response.weather.delta", "x": 1}, event="response.weather.delta")]
            extra.append(b": a comment\n\n")
            if isinstance(wire, Anthropic):
                extra = [sse({"type": "ping"}, event="ping"), sse({"type": "weather"}, event="weather")]
    first, *rest = wire.chunks("Whole.")
    return [first, *extra, *rest]


def wrong_type(wire: Wire) -> Handler:
    return wires.raw(wire, wire.chunks("Whole."), content_type="application/json")


def plain_type(wire: Wire) -> Handler:
    return wires.raw(wire, wire.chunks("Whole."), content_type="text/plain")


HEALED: dict[str, Callable[[Wire], Handler]] = {
    "final event twice": lambda w: wires.raw(w, doubled(w)),
    "unknown events": lambda w: wires.raw(w, with_strangers(w)),
    "another content type": plain_type,
    "a document's content type": wrong_type,
    "one big chunk": lambda w: wires.raw(w, [b"".join(w.chunks("Whole."))]),
}


@every_wire
@pytest.mark.parametrize("name", HEALED)
async def test_what_harms_nothing(wire: Wire, name: str) -> None:
    events, error, _ = await outcome(wire, HEALED[name](wire), {"tail_ms": 100})
    assert error is None
    assert text_of(events) == "Whole."
    end = end_of(events)
    assert (end.reason, end.usage) == ("stop", wire.usage(COUNTS))


@every_wire
async def test_a_megabyte_in_one_token(wire: Wire) -> None:
    events, error, _ = await outcome(wire, wires.good(wire, "x" * (1 << 20)), {})
    assert error is None
    assert len(text_of(events)) == 1 << 20


@every_wire
async def test_an_unknown_reason_to_end(wire: Wire) -> None:
    handler = wires.good(wire, "Whole.", reason="lunch_break")
    events, error, _ = await outcome(wire, handler, {})
    assert error is None
    assert text_of(events) == "Whole."
    assert end_of(events).reason in {"stop", "length"}


@every_wire
async def test_null_where_a_count_should_be(wire: Wire) -> None:
    """Unknown, and no reason to lose the answer."""
    count = re.compile(rb": (1200|700|50)\b")
    chunks = [count.sub(b": null", chunk) for chunk in wire.chunks("Whole.")]
    assert chunks != wire.chunks("Whole.")
    events, error, _ = await outcome(wire, wires.raw(wire, chunks), {"tail_ms": 100})
    assert error is None
    assert text_of(events) == "Whole."
    assert end_of(events).usage is None


async def test_usage_on_any_chunk() -> None:
    """Before the end, on the last chunk of the answer, or on one of its own."""
    *body, final, usage, done = Chat().chunks("Whole.")
    for order in ([usage, *body, final], [*body, usage, final, done], [*body, final, usage]):
        events, error, _ = await outcome(Chat(), wires.raw(Chat(), order), {"tail_ms": 100})
        assert error is None
        assert end_of(events).usage == COUNTS.usage
