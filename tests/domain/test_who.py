"""The words for who did it, from where."""

from __future__ import annotations

import pytest

from aethermind.domain.who import only_said, split, through, token, words


@pytest.mark.parametrize(
    "by, parts",
    [
        (words("ana", "tui"), ("ana", "tui")),
        (words("ana", ""), ("ana", "")),
        (words("", "tui"), ("", "")),
        (words(token("ci", "10.0.0.7"), "tui"), ("token ci", "10.0.0.7")),
        (through(words("ana", "cli"), "ssh"), ("ana", "ssh")),
        ("x via y via z", ("x via y", "z")),
        ("via", ("via", "")),
    ],
)
def test_what_is_put_together_is_taken_apart(by: str, parts: tuple[str, str]) -> None:
    assert split(by) == parts


@pytest.mark.parametrize("by", ["ana", "ana via tui", "boë via ssh", "ana@box via deploy", ""])
def test_a_program_of_this_machine_may_say_who_and_through_what(by: str) -> None:
    assert only_said(by) == by


@pytest.mark.parametrize(
    "by, told",
    [
        ("token ci via 10.0.0.7", "token ci via 10.0.0.7 (said)"),
        ("token ci", "token ci via local (said)"),
        ("ana via 10.0.0.7", "ana via 10.0.0.7 (said)"),
        ("ana via fe80::1%eth0", "ana via fe80::1%eth0 (said)"),
        ("ana via ::1", "ana via ::1 (said)"),
    ],
)
def test_a_token_or_an_address_that_is_only_said_shows(by: str, told: str) -> None:
    assert only_said(by) == told
