from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from aethermind import __version__
from aethermind.cli.app import COMMANDS, GROUPS, LATER, main, root
from aethermind.cli.options import Verb


def test_help_groups_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    places = [out.index(f"\n{group}:\n") for group in GROUPS]
    assert places == sorted(places)
    for name, entry in COMMANDS.items():
        assert f"  {name} " in out
        assert entry.summary in out
    assert "--connect TARGET" in out
    assert "--store" not in out


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_loads_and_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = import_module(f"aethermind.cli.{COMMANDS[name].module}").command
    assert isinstance(command, Verb)
    assert command.name == name
    assert main([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert "--home DIR" in out
    assert "--json" in out or name in {"attach", "auth", "new", "schema", "serve", "trust"}
    for param in command.params:
        if isinstance(param, click.Option) and not param.hidden:
            assert param.help, f"{name} {param.opts}"


@pytest.mark.parametrize(
    "typed, told",
    [
        (["showw"], "No such command 'showw'. Did you mean 'show'?"),
        (["xyzzy"], "No such command 'xyzzy'."),
        (
            ["runs", "--limt", "3"],
            "No such option '--limt'. Did you mean '--limit'? (aethermind runs --help)",
        ),
        (["runs", "--limit", "many"], "Invalid value for '--limit': 'many' is not a valid integer range."),
        (["show"], "Missing argument 'RUN'."),
        (["run", "x.yaml", "topic=tides"], "(topic=tides) (inputs are given as -i topic=tides)"),
        (["show", "last", "topic=tides"], "(topic=tides) (aethermind show --help)"),
        (["sync"], "`sync` is not in this version yet"),
        (["--connect", "box", "runs"], "'box' is no place of an engine (unix:PATH, ssh://"),
        (["runs", "--connect", "ssh://-oProxyCommand=x"], "'-oProxyCommand=x' is no name of a host"),
        (["attach", "ssh://box"], "attach opens the terminal UI: it needs a terminal"),
        (["runs", "--store", "postgresql://db/x"], "--store is not in this version yet"),
        (["serve", "--tcp", "box:many"], "'box:many': write HOST:PORT"),
        (["serve", "--idle", "10"], "has no unit"),
        (["serve", "--tls-key", __file__], "--tls-cert and --tls-key go together"),
        (["run", "x.yaml", "--detach", "--watch"], "--detach waits for nothing"),
    ],
)
def test_wrong_words_get_one_line(typed: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(typed) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert told in err


@pytest.mark.parametrize("before", [True, False])
def test_global_options_stand_before_or_after_the_verb(
    before: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "env").write_text("OPENAI_API_KEY='sk-test-0123456789abcdefghij'\n")
    shared = ["--home", str(tmp_path / "data"), "--env-file", str(tmp_path / "env")]
    assert main([*shared, "doctor"] if before else ["doctor", *shared]) == 0
    out = capsys.readouterr().out
    assert str(tmp_path / "data" / "aethermind.db") in out
    assert "key …hij from OPENAI_API_KEY" in out


def test_no_word_of_a_later_version_is_a_command_of_this_one() -> None:
    assert not LATER & set(COMMANDS)


def test_without_a_command_and_without_a_terminal_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "research-brief" in capsys.readouterr().out


@pytest.mark.parametrize("typed", [["--version"], ["-V"], ["--home", "/nowhere", "--version"]])
def test_the_version(typed: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "aethermind", *typed], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"aethermind {__version__}\n", "")


def test_what_nobody_foresaw_is_one_line_and_a_debug_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def defect(*_: object, **__: object) -> None:
        secret = "sk-" + "a" * 40
        raise ZeroDivisionError(f"division by \x1b[31mzero\n{secret}")

    monkeypatch.setattr(root, "invoke", defect)
    assert main(["--home", str(tmp_path), "runs"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "a defect in aethermind: ZeroDivisionError" in err
    assert "\x1b" not in err
    assert "Traceback" not in err
    log = tmp_path / "debug.log"
    assert str(log) in err
    written = log.read_text()
    assert "Traceback" in written
    assert "test_app.py" in written
    assert "sk-aaa" not in written
    assert "sk-aaa" not in err
    assert log.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_closed_standard_streams_do_no_harm(closed: str, tmp_path: Path) -> None:
    line = f'exec "$0" -m aethermind --home "$1" runs {closed}'
    done = subprocess.run(
        ["/bin/sh", "-c", line, sys.executable, str(tmp_path)], capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
