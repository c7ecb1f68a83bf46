"""`serve --web`: the terminal UI in a page, for nobody without an admin's token."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
from pathlib import Path
from urllib.parse import urlencode

import pytest
import websockets

from tests.cli.program import aethermind
from tests.e2e.running import running
from tests.e2e.waiting import PATIENCE

Answer = tuple[int, dict[str, str], str]


class Browser:
    def __init__(self, port: int) -> None:
        self.place = f"127.0.0.1:{port}"
        self.cookie = ""

    def ask(self, method: str, path: str, *, form: str | None = None, **headers: str) -> Answer:
        if form is not None:
            headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        if self.cookie:
            headers = {"Cookie": self.cookie, **headers}
        connection = http.client.HTTPConnection(self.place, timeout=PATIENCE)
        try:
            connection.request(method, path, form, headers)
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, told, answer.read().decode()
        finally:
            connection.close()

    def login(self, token: str, **headers: str) -> Answer:
        return self.ask("POST", "/login", form=urlencode({"token": token}), **headers)

    def page(self, *, origin: str | None = None) -> websockets.connect:
        headers = {"Cookie": self.cookie} if self.cookie else {}
        return websockets.connect(
            f"ws://{self.place}/ws?width=100&height=30",
            origin=websockets.Origin(origin or f"http://{self.place}"),
            additional_headers=headers,
        )


def token(scope: str) -> tuple[str, str]:
    """Its id and its text."""
    made = json.loads(aethermind("tokens", "create", scope, "--scope", scope, "--json").stdout)
    return made["id"], made["token"]


async def refused(page: websockets.connect) -> bool:
    try:
        async with page:
            return False
    except websockets.InvalidStatus as error:
        return error.response.status_code == 403


async def test_a_page_is_a_terminal_for_who_has_an_admins_token(tmp_path: Path) -> None:
    (viewer, admin) = token("viewer"), token("admin")
    with running("serve", "--idle", "60s", "--web-at", "127.0.0.1:0", cwd=tmp_path) as served:
        line = served.err.until("in a browser")
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        assert found is not None
        browser = Browser(int(found[1]))
        own = {"Origin": f"http://{browser.place}"}
        status, headers, page = browser.ask("GET", "/")
        assert (status, headers["cache-control"]) == (200, "no-store")
        assert 'type="password"' in page
        assert "script-src 'self'" in headers["content-security-policy"]
        # Who is not let in.
        assert browser.login("aeth_nobody_nothing", **own)[0] == 403
        assert "scope viewer" in browser.login(viewer[1], **own)[2]
        assert browser.login(admin[1])[0] == 403  # no origin
        assert browser.login(admin[1], Origin="http://evil.example")[0] == 403
        assert browser.ask("GET", "/", Host="evil.example")[0] == 421
        assert browser.ask("GET", "/static/../app.py")[0] == 404
        assert browser.ask("POST", "/login", form="token=" + "x" * 5_000, **own)[0] == 413
        assert await refused(browser.page())
        # Who is.
        status, headers, _ = browser.login(admin[1], **own)
        assert (status, headers["location"]) == (303, "/")
        assert {"HttpOnly", "SameSite=Strict"} <= set(headers["set-cookie"].split("; "))
        browser.cookie = headers["set-cookie"].partition(";")[0]
        assert f'"ws://{browser.place}/ws"' in browser.ask("GET", "/")[2]
        assert len(browser.ask("GET", "/static/js/textual.js")[2]) > 100_000
        assert await refused(browser.page(origin="http://evil.example"))
        async with browser.page() as screen, asyncio.timeout(PATIENCE):
            await screen.send('["resize", {"width": 90, "height": 30}]')
            await screen.send("nonsense")
            drawn = b""
            while b"help" not in drawn:
                data = await screen.recv()
                drawn += data if isinstance(data, bytes) else b""
            await screen.send('["ping", 7]')
            while await screen.recv() != '["pong", 7]':
                pass
        # Revoked, it opens no more terminals.
        assert aethermind("tokens", "revoke", admin[0]).returncode == 0
        assert await refused(browser.page())
        assert 'type="password"' in browser.ask("GET", "/")[2]
        assert aethermind("stop").returncode == 0
        assert served.end() == 0


@pytest.mark.parametrize("given", ["AETHERMIND_TOKEN", "OPENAI_API_KEY"])
def test_a_pages_program_gets_no_keys(given: str) -> None:
    from aethermind.api.web.terminals import environment

    found = environment({given: "secret", "PATH": "/bin", "AETHERMIND_CONFIG": "c"}, "token ana via 10.0.0.7")
    assert given not in found
    assert (found["PATH"], found["AETHERMIND_CONFIG"]) == ("/bin", "c")
    assert found["LOGNAME"] == "token ana via 10.0.0.7"
