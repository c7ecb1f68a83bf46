"""What the door lets through: Host × Origin × method × WebSocket, tokens, sizes, shapes, rates."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from aethermind.api.settings import ServerSettings
from aethermind.domain.system_events import Scope
from tests.api.serving import HI, Serving, receive
from tests.e2e.waiting import until
from tests.engine.harness import Harness, StepClock

PAGE = "https://pages.example.org"
FOREIGN = "https://evil.example"


class Ahead(StepClock):
    """A clock that the tests may set forward."""

    ahead = 0

    def now(self) -> int:
        return super().now() + self.ahead


@pytest.fixture(scope="module")
def door() -> Iterator[Serving]:
    settings = ServerSettings(rate_limit=0, hosts=("agents.example.org",), origins=(PAGE,))
    with Serving(settings=settings, harness=lambda: Harness(clock=Ahead())) as serving:
        yield serving
        assert serving.complaints == []


@pytest.fixture(scope="module")
def token(door: Serving) -> str:
    return door.token()


# --- Host × Origin × method × WebSocket -----------------------------------------------------------

HOSTS = {
    "127.0.0.1:{port}": True,
    "localhost:{port}": True,
    "agents.example.org": True,
    "agents.example.org:{port}": True,
    "AGENTS.example.org": True,
    "evil.example": False,
    "evil.example:{port}": False,
    "agents.example.org.evil.example": False,
    "127.0.0.1": False,
    "127.0.0.1:1": False,
    "localhost:{port}.evil.example": False,
    "[::1]": False,
    "": False,
}
ORIGINS = {
    None: True,
    "http://{host}": True,
    PAGE: True,
    FOREIGN: False,
    "https://{host}": False,
    "http://evil.example": False,
    "null": False,
    f"{PAGE}.evil.example": False,
    f"{PAGE}:8443": False,
    "": False,
}


@pytest.mark.parametrize("origin", ORIGINS, ids=str)
@pytest.mark.parametrize("host", HOSTS)
def test_host_and_origin_are_exact(door: Serving, token: str, host: str, origin: str | None) -> None:
    sent = {"Host": host.format(port=door.port)}
    if origin is not None:
        sent["Origin"] = origin.format(host=sent["Host"])
    wanted = 200
    if not HOSTS[host]:
        wanted = 421
    elif not ORIGINS[origin]:
        wanted = 403
    for method, path in (("GET", "/api/runs"), ("POST", "/api/runs/r_x/edited"), ("DELETE", "/api/tokens/x")):
        reply = door.http(method, path, {} if method == "POST" else None, headers=sent, token=token)
        if wanted == 200:
            assert reply.status == {"GET": 200, "POST": 400, "DELETE": 404}[method]
        else:
            assert reply.status == wanted
            assert "access-control-allow-origin" not in reply.headers
    assert door.http("GET", "/api/health", headers=sent, tcp=True).status == wanted
    if host:
        assert _knock(door, {**sent, "Authorization": f"Bearer {token}"}) == (
            101 if wanted == 200 else wanted
        )
        assert _knock(door, sent) == (401 if wanted == 200 else wanted)


def _knock(door: Serving, headers: dict[str, str], path: str = "/ws") -> int:
    """The status that a WebSocket's request gets."""
    lines = [
        f"GET {path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers.items()),
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    with socket.create_connection(("127.0.0.1", door.port), timeout=20) as sock:
        sock.sendall("\r\n".join([*lines, "", ""]).encode())
        return int(sock.makefile("rb").readline().split()[1])


def test_no_page_calls_the_unix_socket(door: Serving) -> None:
    assert door.get("/api/runs", headers={"Origin": "http://localhost"}).status == 403
    assert door.get("/api/runs", headers={"Host": "whatever"}).status == 200


def test_a_page_that_is_named_may_ask_first(door: Serving, token: str) -> None:
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    reply = door.http("OPTIONS", "/api/runs", headers=asked, tcp=True)
    assert reply.status == 204
    assert reply.headers["access-control-allow-origin"] == PAGE
    assert "Authorization" in reply.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in reply.headers
    real = door.get("/api/runs", headers={"Origin": PAGE}, token=token)
    assert (real.headers["access-control-allow-origin"], real.headers["vary"]) == (PAGE, "Origin")
    assert door.http("OPTIONS", "/api/runs", headers={**asked, "Origin": FOREIGN}, tcp=True).status == 403


def test_answers_carry_what_browsers_should_know(door: Serving) -> None:
    headers = door.get("/api/health", tcp=True).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["date"].endswith("GMT")
    assert "server" not in headers
    assert "strict-transport-security" not in headers  # no TLS here


# --- tokens ---------------------------------------------------------------------------------------


def test_health_needs_no_token_and_nothing_else_goes_without(door: Serving) -> None:
    assert door.get("/api/health", tcp=True).status == 200
    for method, path in (
        ("GET", "/api/runs"),
        ("GET", "/nix"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
    ):
        reply = door.http(method, path, tcp=True)
        assert reply.status == 401
        assert reply.headers["www-authenticate"].startswith("Bearer")
    for method in ("POST", "HEAD", "PUT"):
        assert door.http(method, "/api/health", tcp=True).status == 401


@pytest.mark.parametrize(
    "wrong",
    [
        "Bearer",
        "Bearer ",
        "Bearer nix",
        "Basic dTpw",
        "bearer aeth_000000000000_" + "a" * 43,
        "Bearer aeth_000000000000_" + "a" * 43 + " x",
        "Bearer " + "x" * 10_000,
        "Bearer aeth_\xe9",
    ],
)
def test_a_wrong_token(door: Serving, wrong: str) -> None:
    reply = door.http("GET", "/api/runs", headers={"Authorization": wrong}, tcp=True)
    assert (reply.status, reply.code) == (401, "Unauthorized")
    knocked = _knock(door, {"Host": f"localhost:{door.port}", "Authorization": wrong})
    assert knocked == (401 if len(wrong) < 8_000 else 400)


def test_the_secret_of_another_token_does_not_fit(door: Serving) -> None:
    one, other = door.token(name="one"), door.token(name="other")
    mixed = one[: one.rindex("_") + 1] + other[other.rindex("_") + 1 :] if "_" in one else ""
    assert door.get("/api/runs", token=mixed).status == 401
    assert door.get("/api/runs", token=one).status == 200


def test_an_expired_and_a_revoked_token_say_so(door: Serving) -> None:
    clock: Any = door.harness.clock
    dying = door.token(name="dying", expires_at=clock.now() + 60_000)
    assert door.get("/api/runs", token=dying).status == 200
    clock.ahead += 60_000
    reply = door.get("/api/runs", token=dying)
    assert reply.status == 401
    assert "expired" in reply.json["detail"]
    gone = door.token(name="gone")
    assert door.http("DELETE", f"/api/tokens/{gone.split('_')[1]}").status == 200
    reply = door.get("/api/runs", token=gone)
    assert (reply.status, "revoked" in reply.json["detail"]) == (401, True)


ROUTES: list[tuple[str, str, Scope]] = [
    ("GET", "/api/runs", "viewer"),
    ("GET", "/api/costs", "viewer"),
    ("GET", "/api/workflows", "viewer"),
    ("POST", "/api/ws-ticket", "viewer"),
    ("POST", "/api/runs/r_x/cancel", "operator"),
    ("POST", "/api/runs/r_x/pause", "operator"),
    ("POST", "/api/runs/r_x/answer", "operator"),
    ("POST", "/api/runs/r_x/budget", "operator"),
    ("POST", "/api/runs/r_x/retry", "operator"),
    ("POST", "/api/runs/r_x/fork", "operator"),
    ("POST", "/api/workflows/nix/execute", "operator"),
    ("POST", "/api/agents/nix/execute", "operator"),
    ("POST", "/api/day-budget", "operator"),
    ("POST", "/api/runs", "admin"),
    ("POST", "/api/runs/text", "admin"),
    ("POST", "/api/runs/r_x/resume-edited", "admin"),
    ("POST", "/api/workflows", "admin"),
    ("PUT", "/api/workflows/x", "admin"),
    ("DELETE", "/api/workflows/x", "admin"),
    ("POST", "/api/agents", "admin"),
    ("DELETE", "/api/agents/x", "admin"),
    ("GET", "/api/tokens", "admin"),
    ("POST", "/api/tokens", "admin"),
    ("DELETE", "/api/tokens/x", "admin"),
    ("GET", "/api/audit", "admin"),
    ("GET", "/api/audit/verify", "admin"),
    ("POST", "/api/trust", "admin"),
    ("POST", "/api/engine/stop", "admin"),
]
ORDER: tuple[Scope, ...] = ("viewer", "operator", "admin")


@pytest.mark.parametrize("scope", ORDER)
def test_a_scope_goes_so_far_and_no_further(door: Serving, scope: Scope) -> None:
    token = door.token(scope, name=scope)
    for method, path, needed in ROUTES:
        reply = door.http(method, path, {} if method in {"POST", "PUT"} else None, token=token)
        if ORDER.index(scope) < ORDER.index(needed):
            assert (reply.status, reply.code) == (403, "Forbidden"), path
            assert needed in reply.json["detail"]
        else:
            assert reply.code != "Forbidden" if reply.status >= 400 else True, path
    assert _knock(door, {"Host": f"localhost:{door.port}", "Authorization": f"Bearer {token}"}) == 101


def test_what_a_token_did_is_recorded_with_its_name_and_address(door: Serving) -> None:
    run_id = door.start(HI)
    assert (
        door.post(f"/api/runs/{run_id}/budget", {"micro_usd": 1_000_000}, token=door.token(name="ci")).status
        == 200
    )
    row = door.get("/api/audit?limit=1").json["items"][0]
    assert (row["who"], row["origin"]) == ("token ci", "127.0.0.1")


# --- tickets --------------------------------------------------------------------------------------


def test_a_ticket_is_good_once(door: Serving) -> None:
    ticket = door.post("/api/ws-ticket", token=door.token("viewer")).json["ticket"]
    host = {"Host": f"localhost:{door.port}"}
    assert _knock(door, host, f"/ws?ticket={ticket}") == 101
    assert _knock(door, host, f"/ws?ticket={ticket}") == 401
    assert _knock(door, host, "/ws?ticket=made-up") == 401
    assert _knock(door, {**host, "Origin": FOREIGN}, f"/ws?ticket={ticket}") == 403


def test_a_websocket_is_only_at_ws(door: Serving) -> None:
    with pytest.raises(InvalidStatus) as refused, door.ws("/../api/runs"):
        pass
    assert refused.value.response.status_code == 404


# --- bodies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("tcp", [True, False], ids=["tcp", "unix"])
def test_ten_mebibytes_are_too_much_and_the_answer_is_read(door: Serving, token: str, tcp: bool) -> None:
    body = json.dumps({"text": "x" * (10 << 20)}).encode()
    reply = door.http("POST", "/api/workflows", raw=body, token=token if tcp else None)
    assert (reply.status, reply.code) == (413, "TooLarge")
    assert door.get("/api/health").status == 200


def test_the_socket_takes_what_tcp_does_not(door: Serving, token: str) -> None:
    text = HI.replace("Say hi", "Say hi" + " very" * 300_000)
    assert door.post("/api/workflows", {"text": text}, token=token).status == 413
    assert door.post("/api/workflows", {"text": text}).status != 413


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "",
        "application/json; charset=utf-16",
    ],
)
def test_only_json_is_taken(door: Serving, kind: str) -> None:
    reply = door.http("POST", "/api/runs/r_x/cancel", raw=b"{}", headers={"Content-Type": kind})
    assert (reply.status, reply.code) == (415, "UnsupportedMediaType")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b'{"reason": NaN}',
        b'{"reason": Infinity}',
        b'{"reason": "\xff"}',
        b"[" * 100_000,
        b'{"reason":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"values": ' + b'{"a":' * 101 + b"1" + b"}" * 102,
        b'{"reason": "\\ud800"}',
        b"[]",
        b"null",
        b"1" * 5_000,
        b'{"reason": 1}',
        b"{}{}",
    ],
    ids=range(15),
)
def test_bad_bodies_are_told_so(door: Serving, body: bytes) -> None:
    reply = door.http("POST", "/api/runs/r_x/cancel", raw=body)
    assert (reply.status, reply.code) == (400, "BadRequest")
    assert "\n" not in reply.json["detail"]


def test_brackets_in_texts_are_no_depth(door: Serving) -> None:
    reply = door.post("/api/runs/r_x/cancel", {"reason": '["\\' * 500})
    assert reply.status == 404


def test_two_hosts_are_one_too_many(door: Serving) -> None:
    lines = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", door.port), timeout=20) as sock:
        sock.sendall(lines)
        assert b" 400 " in sock.makefile("rb").readline()


def test_noise_is_refused(door: Serving) -> None:
    for noise in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 100, b"GET / HTTP/9\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", door.port), timeout=20) as sock:
            sock.sendall(noise)
            assert b" 400 " in sock.makefile("rb").readline()
    assert door.get("/api/health", tcp=True).status == 200


# --- rates ----------------------------------------------------------------------------------------


def test_a_screen_that_watches_may_ask_for_more() -> None:
    with Serving(settings=ServerSettings(rate_limit=2, rate_window_s=600)) as door:
        token = door.token("viewer")
        with door.ws(token=token) as watching:
            receive(watching)
            assert {door.get("/api/runs", token=token).status for _ in range(20)} == {200}
        until(lambda: door.get("/api/runs", token=token).headers["ratelimit-limit"] == "2")


def test_a_token_has_a_rate_and_the_socket_has_none() -> None:
    with Serving(settings=ServerSettings(rate_limit=3, rate_window_s=600)) as door:
        token, other = door.token("viewer"), door.token("viewer")
        left = [door.get("/api/runs", token=token).headers["ratelimit-remaining"] for _ in range(3)]
        assert left == ["2", "1", "0"]
        over = door.get("/api/runs", token=token)
        assert (over.status, over.code) == (429, "TooManyRequests")
        assert 1 <= int(over.headers["retry-after"]) <= 1_200
        assert _knock(door, {"Host": f"localhost:{door.port}", "Authorization": f"Bearer {token}"}) == 429
        assert door.get("/api/runs", token=other).status == 200
        assert door.get("/api/health", tcp=True).status == 200
        assert all(door.get("/api/runs").status == 200 for _ in range(5))
        assert "ratelimit-limit" not in door.get("/api/runs").headers
