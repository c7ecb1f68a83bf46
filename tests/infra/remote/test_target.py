from __future__ import annotations

from pathlib import Path

import pytest

from aethermind.domain.errors import InvalidError
from aethermind.infra.remote.ssh import SshLine
from aethermind.infra.remote.target import SshTarget, TcpTarget, UnixTarget, parse


@pytest.mark.parametrize(
    "text, target",
    [
        ("unix:/run/a.sock", UnixTarget(Path("/run/a.sock"))),
        ("unix:///run/a b.sock", UnixTarget(Path("/run/a b.sock"))),
        ("http://box", TcpTarget("box", 3001, tls=False)),
        ("https://Box.example:8443/", TcpTarget("Box.example", 8443, tls=True)),
        ("http://[::1]:3001", TcpTarget("::1", 3001, tls=False)),
        ("ssh://box", SshTarget("box")),
        ("ssh://ana@Box-1.example:2222", SshTarget("Box-1.example", "ana", 2222)),
        ("ssh://[fe80::1]", SshTarget("fe80::1")),
    ],
)
def test_targets(text: str, target: object) -> None:
    assert parse(text) == target
    assert parse(str(parse(text))) == target


@pytest.mark.parametrize(
    "text",
    [
        "",
        "box",
        "ftp://box",
        "unix:",
        "unix:/a\nb",
        "ssh:box",
        "ssh://",
        "ssh://-oProxyCommand=touch",
        "ssh://-oProxyCommand=touch@box",
        "ssh://ana@-box",
        "ssh://-ana@box",
        "ssh://b ox",
        "ssh://box\t",
        "ssh://box\x1b[2J",
        "ssh://box;id",
        "ssh://$(id)",
        "ssh://`id`",
        "ssh://box/path",
        "ssh://box?x",
        "ssh://box#x",
        "ssh://ana:word@box",
        "ssh://box:99999",
        "ssh://box:-1",
        "ssh://[::1",
        "ssh://b\u202eox",
        "ssh://[fe80::1%25-x]x",
        "http://token@box",
        "http://box/api",
        "https://ana:word@box",
    ],
)
def test_hostile_or_mistyped_targets_are_refused(text: str) -> None:
    with pytest.raises(InvalidError):
        parse(text)


def test_nothing_of_a_target_is_an_option_of_ssh() -> None:
    target = parse("ssh://ana@box:2222")
    assert isinstance(target, SshTarget)
    line = SshLine(target, command=["/opt/a b/aethermind", "--home", "/x"], options=["-F", "/etc/ours"])
    argv = line.argv(ask=False)
    assert argv[0] == "ssh"
    assert argv[-3:] == ["--", "box", "'/opt/a b/aethermind' --home /x bridge"]
    assert argv[-7:-3] == ["-l", "ana", "-p", "2222"]
    assert "BatchMode=yes" in argv
    assert "BatchMode=yes" not in line.argv(ask=True)
    at_home = SshLine(SshTarget("box"), command=["~/.local/bin/aether mind"])
    assert at_home.argv(ask=False)[-1] == "~/'.local/bin/aether mind' bridge"
