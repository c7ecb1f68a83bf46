"""`aethermind attach ssh://box`, and commands with `--connect`, through a real SSH server."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.program import aethermind, gate
from tests.e2e.terminal import Terminal, terminal
from tests.servers.ssh import SshHost, ssh_host


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The data directory on the host."""
    return tmp_path / "there"


@pytest.fixture
def host(tmp_path: Path, there: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshHost]:
    with ssh_host(tmp_path) as opened:
        config = tmp_path / "config.toml"
        command = [sys.executable, "-m", "aethermind", "--home", str(there)]
        options = ["-F", str(opened.config)]
        config.write_text(f"[hosts.box]\ncommand = {json.dumps(command)}\noptions = {json.dumps(options)}\n")
        monkeypatch.setenv("AETHERMIND_CONFIG", str(config))
        yield opened


def test_a_run_over_there_is_watched_and_the_line_heals(tmp_path: Path, there: Path, host: SshHost) -> None:
    pipe, target = gate(tmp_path)
    home = ["--home", str(there)]
    begun = aethermind(*home, "run", str(target), "--trust", "--detach", cwd=tmp_path)
    assert begun.returncode == 0, begun.stderr
    with terminal("attach", "ssh://box", "--read-only") as screen:
        screen.shows("gated", "RUNNING", "ssh 4Hz", "ssh://box (read-only)")
        screen.shows("● middle")
        screen.press("x", _shows(screen, "you only look on at box"), what="why not")
        host.cut()
        screen.until(_shows(screen, "the line to box is lost"), what="the loss")
        screen.until(_shows(screen, "the line to box is there again"), what="the line")
        assert "LINE LOST" not in screen.text
        pipe.write_text("two\n")
        screen.until(_shows(screen, "SUCCEEDED"), what="the end of the run")
        assert screen.leave() == 0
        assert screen.is_restored()
    assert host.logins == 2
    assert aethermind(*home, "stop").returncode == 0


def _shows(screen: Terminal, words: str) -> Callable[[], bool]:
    return lambda: words in " ".join(screen.text.split())


def test_where_no_engine_runs_one_is_begun(there: Path, host: SshHost, tmp_path: Path) -> None:
    (tmp_path / "talk.yaml").write_text("name: talk\nsteps: [{id: said, prompt: Hello, model: 'sim:fast'}]\n")
    done = aethermind("run", "talk.yaml", "--connect", "ssh://box", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run_id = json.loads(done.stdout.splitlines()[-1])["summary"]["run"]["id"]
    # It goes on there without us, and can be ended from here.
    done = aethermind("--connect", "ssh://box", "stop")
    assert done.returncode == 0, done.stderr
    shown = json.loads(aethermind("--home", str(there), "show", "last", "--json").stdout)["run"]
    assert (shown["id"], shown["status"]) == (run_id, "succeeded")
