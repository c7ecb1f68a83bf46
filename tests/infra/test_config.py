from __future__ import annotations

import stat
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from aethermind.domain.errors import InvalidError, NotFoundError, StoreError
from aethermind.infra.config import Config, Price, load_config, read_env_file
from aethermind.infra.config_file import line_of

FULL = """\
home = "~/agents"
python = "/usr/bin/python3.12"
workflows = "/srv/flows"
durability = "process"

[models]
smart = "groq:llama"
[defaults]
max_concurrent = 4
timeout = "90s"
retries = 1
[deadlines]
first_token = "5m"
idle = 30

[providers.groq]
kind = "openai"
base_url = "https://api.groq.com/openai/v1"
key_env = "GROQ_API_KEY"
api = "chat"
structured = "json_object"
headers = {X-Team = "$TEAM"}
prices = {"llama" = {input = 0.59, output = 1}}

[providers.ollama]
num_ctx = 32768

[prices."openai:my.tune"]
input = 1.25
output = 10
cached_input = 0.125

[tui]
theme = "night"
speed = 1.5
"""


def load(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> Config:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return load_config(environ or {}, path=path)


def test_without_a_file_everything_has_its_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    config = load_config({})
    assert config.home.name == "aethermind"
    assert config.home_is_default
    assert config.path.name == "config.toml"
    assert (config.defaults.max_concurrent, config.defaults.timeout_ms, config.defaults.retries) == (
        10,
        600_000,
        3,
    )
    assert (config.deadlines.first_token_ms, config.deadlines.idle_ms) == (120_000, 60_000)
    assert (config.deadlines.connect_ms, config.deadlines.total_ms) == (30_000, 600_000)
    assert config.durability == "power"
    assert (config.models, config.providers, config.prices, config.tui) == ({}, {}, {}, {})
    assert config.workflows == config.home / "workflows"


def test_a_full_file(tmp_path: Path) -> None:
    config = load(tmp_path, FULL)
    assert config.home == Path("~/agents").expanduser()
    assert (config.python, config.workflows, config.durability) == (
        "/usr/bin/python3.12",
        Path("/srv/flows"),
        "process",
    )
    assert config.models == {"smart": "groq:llama"}
    assert (config.defaults.max_concurrent, config.defaults.timeout_ms, config.defaults.retries) == (
        4,
        90_000,
        1,
    )
    assert (config.deadlines.first_token_ms, config.deadlines.idle_ms, config.deadlines.total_ms) == (
        300_000,
        30_000,
        600_000,
    )
    groq = config.providers["groq"]
    assert (groq.kind, groq.key_env) == ("openai", "GROQ_API_KEY")
    assert (groq.api, groq.structured) == ("chat", "json_object")
    assert groq.headers == {"X-Team": "$TEAM"}
    assert groq.prices == {"llama": Price(input=Decimal("0.59"), output=Decimal(1))}
    assert config.providers["ollama"].num_ctx == 32_768
    assert config.prices["openai:my.tune"].cached_input == Decimal("0.125")
    assert config.tui == {"theme": "night", "speed": 1.5}


def test_later_settings_win(tmp_path: Path) -> None:
    environ = {
        "AETHERMIND_HOME": str(tmp_path / "env"),
        "AETHERMIND_PYTHON": "/opt/python",
        "AETHERMIND_DURABILITY": "power",
        "AETHERMIND_WORKFLOWS": "/opt/flows",
    }
    config = load(tmp_path, FULL, environ)
    assert (config.home, config.python, config.durability) == (tmp_path / "env", "/opt/python", "power")
    assert config.workflows == Path("/opt/flows")
    assert load_config(environ, home=tmp_path / "flag").home == tmp_path / "flag"
    assert not config.home_is_default


def test_the_file_is_named_by_flag_or_environment(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(f'python = "{name}"')
    environ = {"AETHERMIND_CONFIG": str(tmp_path / "one")}
    assert load_config(environ).python == "one"
    assert load_config(environ, path=tmp_path / "two").python == "two"
    with pytest.raises(NotFoundError, match="does not exist"):
        load_config({"AETHERMIND_CONFIG": str(tmp_path / "three")})


def test_the_environment_is_not_shown(tmp_path: Path) -> None:
    assert "sk-secret" not in repr(load(tmp_path, "", {"OPENAI_API_KEY": "sk-secret-1"}))


BAD = [
    ("x = ", 1, "Invalid value", None),
    ("a = 1\nmodles = {}", 1, "unknown key 'a'", None),
    ("[defaults]\n\ntimeuot = 1", 3, "unknown key 'timeuot'", "did you mean timeout?"),
    ("[defaults]\nretries = '3'", 2, "defaults.retries: must be a valid integer, not '3'", None),
    ("[defaults]\nretries = true", 2, "must be a valid integer, not True", None),
    ("[defaults]\nretries = 500", 2, "retries must be from 0 to 100", None),
    ("[defaults]\nmax_concurrent = 0", 2, "max_concurrent must be from 1", None),
    ("[defaults]\ntimeout = '1:30'", 2, "'1:30' is no duration", None),
    ("[deadlines]\nidle = 0", 2, "must be longer than nothing", None),
    ("durability = 'none'", 1, "must be 'power' or 'process', not 'none'", None),
    ("models = 3", 1, "must be a table, not 3", None),
    ("[models]\nsmart = 'gpt'", 2, "'gpt' is no provider:model", None),
    ("[models]\nsmart = 'opnai:gpt'", 2, "unknown provider 'opnai'", "did you mean openai?"),
    ("[models]\n'a b' = 'openai:gpt'", 2, "'a b' cannot be an alias", None),
    ("[providers.x]\nkind = 'openai'", 1, "'base_url' is missing for x", None),
    (
        "[providers.x]\nbase_url = 'http://h'",
        1,
        "'kind' is missing for x",
        "openai, anthropic, ollama or cli",
    ),
    (
        "[providers.x]\nkind = 'openrouter'\nbase_url = 'http://h'",
        2,
        "must be 'openai', 'anthropic', 'ollama' or 'cli'",
        None,
    ),
    ("[providers.x]\nkind = 'openai'\nbase_url = 'h:80'", 3, "base_url must be an http(s) URL", None),
    (
        "[providers.x]\nkind = 'openai'\nbase_url = 'http://h'\nnum_ctx = 5",
        4,
        "'num_ctx' means nothing",
        None,
    ),
    ("[providers.openai]\nkind = 'ollama'", 2, "openai is of kind openai", "give the endpoint another name"),
    ("[providers.sim]\nkind = 'openai'", 1, "'sim' cannot be a provider's name", None),
    ("[providers.openai]\nkey_env = 'sk-123-abc'", 2, "key_env is the name of an environment variable", None),
    ("[providers.openai]\napi_key = 'sk-123'", 2, "no secrets in this file", "key_env"),
    ("[providers.openai]\nbase_ur = 'x'", 2, "unknown key 'base_ur'", "did you mean base_url?"),
    ("[prices.'openai:x']\ninput = 1", 1, "'output' is missing", None),
    ("[prices.'openai:x']\ninput = -1\noutput = 1", 2, "input must be a price in dollars, not -1", None),
    ("[prices.'openai:x']\ninput = nan\noutput = 1", 2, "must be a finite number", None),
    ("[prices.x]\ninput = 1\noutput = 1", 1, "'x' is no provider:model", None),
    ("a = [" + "[" * 50_000, None, "", None),
    (".".join("a" * 20_000) + " = 1", None, "nested too deeply", None),
    ("a = " + "9" * 6_000, None, "a number is too long", None),
    ("a = 2026-13-45", 1, "", None),
    ("#" * (1 << 20) + "\n", None, "larger than 1 MiB", None),
]


@pytest.mark.parametrize("text, line, message, hint", BAD)
def test_bad_files(tmp_path: Path, text: str, line: int | None, message: str, hint: str | None) -> None:
    with pytest.raises(InvalidError) as caught:
        load(tmp_path, text)
    error = caught.value
    assert error.file == str(tmp_path / "config.toml")
    assert message in error.message
    assert "\n" not in error.line()
    if line is not None:
        assert error.line_no == line
    if hint is not None:
        assert hint in (error.hint or "")


@pytest.mark.parametrize("raw, line", [(b"a = 1\n\xff\xfe", 2), (b"\x00", 1)])
def test_bytes_that_are_no_text(tmp_path: Path, raw: bytes, line: int) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(raw)
    with pytest.raises(InvalidError) as caught:
        load_config({}, path=path)
    assert caught.value.line_no == line


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="cannot be read"):
        load_config({}, path=tmp_path)


def test_lines_are_found_in_every_form_of_toml() -> None:
    text = 'a.b = 1\n[t."x.y"]\nk = 1\n[[list]]\nq = 2\n[s]\ninline = {deep = 1}\n'
    assert line_of(text, ("a", "b")) == 1
    assert line_of(text, ("t", "x.y", "k")) == 3
    assert line_of(text, ("t", "x.y", "absent")) == 2
    assert line_of(text, ("list", "q")) == 5
    assert line_of(text, ("s", "inline", "deep")) == 7
    assert line_of(text, ("nowhere",)) is None


# --- the data directory ------------------------------------------------------------------------


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_data_directory_is_the_users_alone(tmp_path: Path) -> None:
    config = load_config({"AETHERMIND_HOME": str(tmp_path / "new" / "home")})
    assert mode(config.make_home()) == 0o700


def test_a_directory_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    load_config({"AETHERMIND_HOME": str(shared)}).make_home()
    assert mode(shared) == 0o755


def test_a_data_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot make"):
        load_config({"AETHERMIND_HOME": str(tmp_path / "file" / "home")}).make_home()


# --- --env-file --------------------------------------------------------------------------------


def test_an_environment_file(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text(
        "# comment\n\nPLAIN=a b # comment\nexport EXPORTED=x\nHASH=a#b\nEMPTY=\n"
        'SINGLE=\'a \\n $b\' # comment\nDOUBLE="a\\n\\"b\\""\nEQUALS=a=b\n'
        " SPACED = v \nOPENAI_API_KEY=sk-file\n"
    )
    values = read_env_file(path)
    assert values == {
        "PLAIN": "a b", "EXPORTED": "x", "HASH": "a#b", "EMPTY": "", "SINGLE": "a \\n $b", "DOUBLE": 'a\n"b"',
        "EQUALS": "a=b", "SPACED": "v", "OPENAI_API_KEY": "sk-file",
    }  # fmt: skip
    assert load_config({"OPENAI_API_KEY": "sk-shell"}, env_file=path).environ["OPENAI_API_KEY"] == "sk-file"


@pytest.mark.parametrize("line", ["NOVALUE", "1X=a", "A B=c", "Q='open", 'Q="a" b', "=x", "ÄB=1"])
def test_bad_environment_files(tmp_path: Path, line: str) -> None:
    path = tmp_path / "env"
    path.write_text(f"GOOD=1\n{line}\n")
    with pytest.raises(InvalidError) as caught:
        read_env_file(path)
    assert (caught.value.file, caught.value.line_no) == (str(path), 2)


def test_a_missing_environment_file(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        load_config({}, env_file=tmp_path / "none")


def test_no_env_file_is_read_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-dotenv")
    monkeypatch.chdir(tmp_path)
    assert "OPENAI_API_KEY" not in load_config({}).environ


def test_pydantic_is_imported_only_for_a_file(tmp_path: Path) -> None:
    code = (
        "import sys; from aethermind.infra.config import load_config; "
        f"load_config({{'XDG_CONFIG_HOME': {str(tmp_path)!r}}}); print('pydantic' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


@pytest.mark.parametrize(
    "text, problem",
    [
        ("[budget]\nday = 0\n", "day must be an amount above 0"),
        ("[budget]\nday = -1.5\n", "day must be an amount above 0"),
        ("[budget]\nday = nan\n", "budget"),
        ("[budget]\nday = inf\n", "budget"),
        ('[budget]\nday = "much"\n', "budget.day"),
        ("[budget]\nweek = 1\n", "week"),
        ("[guard]\nrepeated_calls = -1\n", "repeated_calls must be 0 (never) or more"),
        ("[guard]\nrepeated_call = 1\n", "repeated_call"),
    ],
)
def test_budget_and_guard_are_checked(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(InvalidError) as caught:
        load_config({}, path=path)
    assert problem in caught.value.line()
    assert (caught.value.file, caught.value.line_no) == (str(path), 2)


def test_budget_and_guard(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[budget]\nday = 0.10\n[guard]\nsame_rounds = 0\n")
    config = load_config({}, path=path)
    assert config.budget.day_micro_usd == 100_000
    assert (config.guard.limits.same_rounds, config.guard.limits.repeated_calls) == (0, 8)
    assert load_config({"AETHERMIND_DAY_BUDGET": "2.5"}, path=path).budget.day_micro_usd == 2_500_000
    assert load_config({}).budget.day_micro_usd is None
    for wrong in ("0", "-1", "much", "NaN", "Infinity", "1e99"):
        with pytest.raises(InvalidError, match="AETHERMIND_DAY_BUDGET"):
            load_config({"AETHERMIND_DAY_BUDGET": wrong})
