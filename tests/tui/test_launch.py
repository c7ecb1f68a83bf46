from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from aethermind.domain.errors import InvalidError
from aethermind.tui.launch import settings_of

UTF8 = {"LANG": "en_US.UTF-8"}


def test_defaults() -> None:
    settings = settings_of({}, UTF8)
    assert settings.theme == "aether-dark"
    assert settings.frame_hz == 10
    assert not settings.ascii
    assert not settings.ssh


def test_a_slow_line_gets_fewer_frames() -> None:
    assert settings_of({}, UTF8 | {"SSH_CONNECTION": "1 2 3 4"}).frame_hz == 4
    assert settings_of({"low_bandwidth": True}, UTF8).frame_hz == 1
    assert settings_of({"low_bandwidth": True}, UTF8, low_bandwidth=False).frame_hz == 10


def test_ascii_where_the_locale_has_nothing_else() -> None:
    assert settings_of({}, {"LANG": "de_DE.ISO-8859-1"}).ascii
    assert not settings_of({}, {}).ascii
    assert settings_of({}, UTF8, ascii=True).ascii
    assert settings_of({"ascii": True}, UTF8).ascii


def test_flags_come_before_the_config() -> None:
    assert settings_of({"theme": "ember"}, UTF8).theme == "ember"
    assert settings_of({"theme": "ember"}, UTF8, theme="nord").theme == "nord"
    assert settings_of({"clipboard": "file"}, UTF8).clipboard == "file"
    assert settings_of({"keymap": {"preset": "emacs"}}, UTF8).keymap == {"preset": "emacs"}


@pytest.mark.parametrize(
    "table, why",
    [
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"theme": 3}, "tui.theme must be a text"),
        ({"ascii": "yes"}, "tui.ascii must be true or false"),
        ({"low_bandwidth": 1}, "tui.low_bandwidth must be true or false"),
        ({"keymap": []}, "tui.keymap must be a table"),
        ({"clipboard": "pigeon"}, "tui.clipboard is auto, native, osc52, file, not 'pigeon'"),
    ],
)
def test_a_wrong_config_names_its_key(table: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidError) as caught:
        settings_of(table, UTF8)
    assert why in caught.value.line()


def test_the_screen_loads_no_sdk_and_no_engine() -> None:
    program = (
        "import sys; import aethermind.tui.app, aethermind.tui.driver;"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in"
        " {'openai', 'anthropic', 'httpx2', 'aiosqlite', 'pydantic', 'jsonschema', 'jinja2', 'keyring'}"
        " and '.' not in m))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "environ, theme",
    [
        ({}, "aether-dark"),
        ({"TERM": "xterm-256color"}, "aether-dark"),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, "aether-dark"),
        ({"TERM": "xterm-16color"}, "aether-16"),
        ({"TERM": "linux", "COLORFGBG": "15;0"}, "aether-16"),
        ({"TERM": "xterm-16color", "COLORFGBG": "0;15"}, "aether-16-light"),
    ],
)
def test_a_terminal_of_sixteen_colours_gets_a_theme_of_its_own(environ: dict[str, str], theme: str) -> None:
    assert settings_of({}, environ).theme == theme
    assert settings_of({"theme": "ember"}, environ).theme == "ember"
