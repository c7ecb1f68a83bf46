from __future__ import annotations

import json
import ssl

import pytest

from aethermind.infra.providers.failures import Peer, explain, from_status, one_line, retry_after_ms

PEER = Peer(name="openai", label="OpenAI", url="https://api.openai.com/v1", key="sk-live-abcdefgh-a3f")
NOW = 1_795_305_600.0  # 2026-11-22T00:00:00Z


@pytest.mark.parametrize(
    "headers, expected",
    [
        ({}, None),
        ({"retry-after": "2"}, 2_000),
        ({"retry-after": "0.25"}, 250),
        ({"retry-after": "0"}, 0),
        ({"retry-after-ms": "1234.5", "retry-after": "99"}, 1_235),
        ({"retry-after": "Sun, 22 Nov 2026 00:00:30 GMT"}, 30_000),
        ({"retry-after": "Sat, 21 Nov 2026 23:59:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after-ms": "nan"}, None),
        ({"retry-after-ms": "inf"}, None),
        ({"retry-after": "Sun, 99 Nov 2026 00:00:30 GMT"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], expected: int | None) -> None:
    assert retry_after_ms(headers, wall=lambda: NOW) == expected


def test_a_message_is_one_printable_line_of_limited_length() -> None:
    line = one_line("a\nb\t\x1b[2Jc " + "x" * 5_000)
    assert line.startswith("a b [2Jc xxx")
    assert len(line) == 300


def test_the_key_never_appears_even_where_no_pattern_knows_it() -> None:
    peer = Peer(name="odd", label="odd", url="https://odd.example/v1", key="plainkey42")
    info = from_status(peer, 403, {"error": {"message": "plainkey42 may not"}}, {}).info
    assert "plainkey42" not in info.message
    assert "plainkey42" not in (info.detail or "")
    assert "…y42 may not" in info.message


def test_passwords_in_an_address_are_not_shown() -> None:
    peer = Peer(name="odd", label="odd", url="https://user:hunter22@odd.example/v1")
    for number in (404, 500):
        info = from_status(peer, number, None, {}).info
        assert "hunter22" not in repr(info)


def test_untrusted_certificates_are_not_retried() -> None:
    error = ConnectionError("tls")
    error.__cause__ = ssl.SSLCertVerificationError(1, "certificate verify failed")
    info = explain(PEER, error).info
    assert (info.kind, info.retryable) == ("connection", False)
    assert "certificate" in info.message


@pytest.mark.parametrize(
    "error", [json.JSONDecodeError("x", "", 0), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x")]
)
def test_unreadable_bytes(error: Exception) -> None:
    info = explain(PEER, error).info
    assert (info.kind, info.retryable) == ("malformed", True)


def test_a_404_without_an_apis_body_is_a_wrong_address() -> None:
    info = from_status(PEER, 404, "<html>not here</html>", {}).info
    assert "nothing at https://api.openai.com/v1" in info.message


def test_a_refused_schema_names_the_setting_that_avoids_it() -> None:
    body = {
        "error": {"message": "Invalid parameter: 'response_format' of type 'json_schema' is not supported"}
    }
    info = from_status(Peer(name="groq", label="groq", url="https://x.example"), 400, body, {}).info
    assert "structured" in (info.hint or "")
    assert "[providers.groq]" in (info.hint or "")
