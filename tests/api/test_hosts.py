"""Which `Host` is ours, where the tests of the door can't listen: other addresses, IPv6, well-known ports."""

from __future__ import annotations

import pytest

from aethermind.api.hosts import allowed_host, allowed_origin

NAMED = ("agents.example.org", "other.example.org:8443")


@pytest.mark.parametrize(
    "host,server,allowed",
    [
        ("10.0.0.7:3001", ("10.0.0.7", 3001), True),
        ("10.0.0.8:3001", ("10.0.0.7", 3001), False),
        ("localhost:3001", ("10.0.0.7", 3001), False),
        ("[::1]:3001", ("::1", 3001), True),
        ("localhost:3001", ("::1", 3001), True),
        ("[fe80::1]:3001", ("fe80::1%eth0", 3001), True),
        ("127.0.0.1:3001", ("::ffff:127.0.0.1", 3001), True),
        ("10.0.0.7", ("10.0.0.7", 443), True),
        ("10.0.0.7", ("10.0.0.7", 3001), False),
        ("agents.example.org", ("10.0.0.7", 3001), True),
        ("agents.example.org:3001", ("10.0.0.7", 3001), True),
        ("agents.example.org:9", ("10.0.0.7", 3001), False),
        ("other.example.org:8443", ("10.0.0.7", 3001), True),
        ("other.example.org:3001", ("10.0.0.7", 3001), False),
        ("other.example.org", ("10.0.0.7", 443), False),
        ("x", ("nonsense", 3001), False),
        ("x", ("10.0.0.7", None), False),
        ("", None, False),
    ],
)
def test_hosts(host: str, server: tuple[str, int | None] | None, allowed: bool) -> None:
    assert allowed_host(host, server, NAMED) is allowed


def test_the_page_of_the_server_itself_speaks_its_scheme() -> None:
    assert allowed_origin("http://box:3001", "box:3001", secure=False)
    assert allowed_origin("https://Box:3001", "box:3001", secure=True)
    assert not allowed_origin("http://box:3001", "box:3001", secure=True)
    assert not allowed_origin("http://box", "box:3001", secure=False)
