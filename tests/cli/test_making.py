"""new, validate, schema, doctor, auth."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Generator
from pathlib import Path

import jsonschema
import keyring
import pytest
from keyring.backend import KeyringBackend

from tests.cli.program import Said


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ------------------------------------------------------------------------------ new


def test_a_new_file_is_valid_runs_and_knows_its_schema(here: Path, said: Said) -> None:
    code, out, err = said("new", "brief")
    assert (code, out) == (0, "brief.yaml\n")
    assert "aethermind run brief.yaml --sim" in err
    text = (here / "brief.yaml").read_text()
    first = text.splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=file://")
    schema = Path(first.partition("file://")[2])
    jsonschema.Draft202012Validator.check_schema(json.loads(schema.read_text()))
    assert said("validate", "brief.yaml")[0] == 0
    code, out, _ = said("run", "brief", "-i", "topic=tides", "--sim", "-q")
    assert code == 0
    assert out.strip()


def test_new_from_a_sample_takes_its_replies_along(here: Path, said: Said) -> None:
    (here / "workflows").mkdir()
    assert said("new", "mine", "--from", "improve-until")[1] == "workflows/mine.yaml\n"
    assert (here / "workflows" / "mine.sim.yaml").is_file()
    assert said("validate", "mine")[0] == 0
    assert said("new", "other", "--from", "improve-untl") == (
        3,
        "",
        "there is no sample 'improve-untl' (did you mean `improve-until`?)\n",
    )


@pytest.mark.parametrize(
    "name, code", [("brief", 2), ("no", 2), ("../up/x", 3), ("a b", 2), ("nowhere/x", 3)]
)
def test_new_overwrites_nothing_and_takes_no_odd_name(name: str, code: int, here: Path, said: Said) -> None:
    (here / "brief.yaml").write_text("mine")
    got, out, err = said("new", name)
    assert (got, out) == (code, "")
    assert err.count("\n") == 1
    assert (here / "brief.yaml").read_text() == "mine"


# ------------------------------------------------------------------------------ validate, schema


def test_validate_tells_each_file_and_the_worst_exit_code(here: Path, said: Said) -> None:
    (here / "good.yaml").write_text("name: good\nsteps: [{id: a, value: 1}]\n")
    (here / "bad.yaml").write_text("name: bad\nsteps:\n  - {id: a, value: 1, whn: x}\n")
    code, out, err = said("validate", "good.yaml", "bad.yaml")
    assert (code, out) == (2, "✓ good.yaml: good, 1 step\n")
    assert err == "bad.yaml:3:23: unknown key `whn` (did you mean `when`?)\n"
    code, out, err = said("validate", "bad.yaml", "none.yaml", "--json")
    assert (code, err) == (3, "")
    bad, none = json.loads(out)["items"]
    assert (bad["valid"], bad["line"], bad["column"]) == (False, 3, 23)
    assert none["valid"] is False


def test_the_schema_accepts_the_samples(said: Said) -> None:
    import yaml

    code, out, _ = said("schema")
    assert code == 0
    validator = jsonschema.Draft202012Validator(json.loads(out))
    samples = list(json.loads(said("samples", "--json")[1])["items"])
    assert samples
    for sample in samples:
        validator.validate(yaml.safe_load(Path(sample["path"]).read_text()))


# ------------------------------------------------------------------------------ doctor


def test_doctor_on_a_fresh_machine_finds_no_problem(said: Said) -> None:
    code, out, _ = said("doctor", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["problems"] == []
    assert found["aliases"]["smart"].startswith("sim:smart (simulated: ")
    assert found["providers"]["openai"].startswith("not ready: aethermind auth openai")
    assert not Path(os.environ["AETHERMIND_HOME"]).exists()  # looking makes nothing


def test_doctor_never_shows_a_key(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdefghij")
    code, out, err = said("doctor")
    assert code == 0
    assert "key …hij from OPENAI_API_KEY" in out
    assert "smart  openai:" in out
    assert "sk-test" not in out + err


def test_doctor_names_problems_with_their_repair(
    here: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = here / "home"
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    config = here / "config.toml"
    config.write_text('[models]\nsmart = "anthropic:claude-x"\n')
    monkeypatch.setenv("AETHERMIND_CONFIG", str(config))
    code, out, _ = said("--home", str(home), "doctor", "--json")
    problems = {item["problem"]: item["repair"] for item in json.loads(out)["problems"]}
    assert code == 1
    assert problems[f"others may look into {home} (mode 0755)"] == f"chmod 700 {home}"
    assert "aethermind auth anthropic" in problems["smart means anthropic:claude-x, which has no key"]
    config.write_text("modles = 1\n")
    code, out, err = said("doctor")
    assert (code, err) == (1, "")
    assert f"✗ {config}:1" in out


# ------------------------------------------------------------------------------ auth


class Memory(KeyringBackend):
    priority = 1.0

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        try:
            del self.kept[service, username]
        except KeyError:
            raise keyring.errors.PasswordDeleteError from None


@pytest.fixture
def ring() -> Generator[Memory]:
    before = keyring.get_keyring()
    memory = Memory()
    keyring.set_keyring(memory)
    yield memory
    keyring.set_keyring(before)


def test_a_key_goes_from_stdin_into_the_keyring_and_nowhere_else(
    ring: Memory, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk-test-0123456789abcdefghij"
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{key}\n"))
    code, out, err = said("auth", "openai")
    assert (code, out) == (0, "the key of openai is in the keyring\n")
    assert key not in out + err
    assert ring.kept == {("aethermind", "openai"): key}
    assert said("auth", "openai", "--remove")[0] == 0
    assert ring.kept == {}
    assert said("auth", "openai", "--remove")[0] == 3


def test_auth_lists_where_keys_come_from_and_shows_none(
    ring: Memory, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, given = "sk-ant-0123456789abcdef-xyz", "sk-env-0123456789abcdefg-uvw"
    ring.kept["aethermind", "anthropic"] = stored
    monkeypatch.setenv("OPENAI_API_KEY", given)
    code, out, err = said("auth")
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["PROVIDER", "KEY", "FROM"],
        ["openai", "…uvw", "OPENAI_API_KEY"],
        ["anthropic", "…xyz", "keyring"],
    ]
    listed = said("auth", "--json")[1]
    assert {row["provider"]: row["from"] for row in json.loads(listed)["items"]} == {
        "openai": "OPENAI_API_KEY",
        "anthropic": "keyring",
    }
    assert not [text for text in (out, err, listed) for key in (stored, given) if key in text]
    assert said("auth", "--remove")[0] == 2


def test_auth_knows_providers_and_refuses_what_is_no_key(
    ring: Memory, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said("auth", "opnai") == (3, "", "there is no provider 'opnai' (did you mean `openai`?)\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert said("auth", "openai")[0] == 2
    monkeypatch.setattr("sys.stdin", io.StringIO("two words\n"))
    assert said("auth", "openai")[0] == 2
    assert ring.kept == {}


def test_a_script_of_replies_is_checked_as_one(here: Path, said: Said) -> None:
    Path("w.yaml").write_text("name: w\nsteps: [{id: memo, prompt: hi}]\n")
    Path("w.sim.yaml").write_text("steps: {memo: hello}\n")
    Path("bad.yaml").write_text("name: bad\nsteps: [{id: memo, prompt: hi}]\n")
    Path("bad.sim.yaml").write_text("steps:\n  memmo: hello\n")
    Path("alone.sim.yaml").write_text("steps: {a: 1}\n")
    Path("wrong.sim.yaml").write_text("steps: {a: {reply: 1, replies: 3}}\n")
    code, out, err = said("validate", "w.sim.yaml", "alone.sim.yaml", "bad.sim.yaml", "wrong.sim.yaml")
    assert code == 2
    assert out.splitlines() == [
        "✓ w.sim.yaml: replies for w",
        "✓ alone.sim.yaml: a script of replies; no workflow is beside it",
    ]
    assert err.splitlines() == [
        "bad.sim.yaml:2:3: the workflow has no step `memmo` (did you mean `memo`?)",
        "wrong.sim.yaml:1:23: `reply` and `replies` exclude each other",
    ]
    assert said("validate", "none.sim.yaml")[0] == 3


def test_a_copy_takes_the_other_workflow_along(here: Path, said: Said) -> None:
    assert said("new", "kit", "--from", "launch-kit")[0] == 0
    folder = here / "workflows" if (here / "workflows").is_dir() else here
    assert {"kit.yaml", "kit.sim.yaml", "improve-until.yaml"} <= {path.name for path in folder.iterdir()}
    assert said("validate", "kit")[0] == 0
    assert said("new", "kit2", "--from", "launch-kit")[0] == 0  # it is there, and the same
    (folder / "improve-until.yaml").write_text("name: mine\nsteps: [{id: a, value: 1}]\n")
    code, _, err = said("new", "kit3", "--from", "launch-kit")
    assert code == 2
    assert "is there already, and is another file than the copy needs" in err
    assert not (folder / "kit3.yaml").exists()
