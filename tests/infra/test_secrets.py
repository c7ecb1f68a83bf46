from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import keyring
import keyring.backend
import keyring.errors
import pytest

from aethermind.domain.errors import AethermindError, InvalidError, NotFoundError
from aethermind.infra import secrets
from aethermind.infra.secrets import Key, Secrets, mask, redact, remember


class Memory(keyring.backend.KeyringBackend):
    """A real backend, without a machine behind it."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring has no types there
        self.entries: dict[tuple[str, str], str] = {}
        self.asked = 0

    def get_password(self, service: str, username: str) -> str | None:
        self.asked += 1
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.entries.pop((service, username), None) is None:
            raise keyring.errors.PasswordDeleteError("no")


class Broken(Memory):
    def get_password(self, service: str, username: str) -> str | None:
        raise keyring.errors.NoKeyringError("headless")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise keyring.errors.NoKeyringError("headless")


class Silent(Memory):
    """A keyring that waits for a window which nobody sees."""

    def __init__(self) -> None:
        super().__init__()
        self.release = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.asked += 1
        self.release.wait(30)
        return None


@pytest.fixture
def backend() -> Iterator[Memory]:
    before = keyring.get_keyring()
    memory = Memory()
    keyring.set_keyring(memory)
    yield memory
    keyring.set_keyring(before)


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_registry", secrets._Registry())


# --- where keys come from ----------------------------------------------------------------------


def test_the_environment_comes_first(backend: Memory) -> None:
    backend.entries["aethermind", "openai"] = "sk-from-the-keyring"
    found = Secrets({"OPENAI_API_KEY": "sk-from-the-shell"}).find("openai")
    assert found == Key("sk-from-the-shell", "OPENAI_API_KEY")
    assert backend.asked == 0, "the keyring is asked only if it must be"


def test_then_the_config_s_variable_then_the_keyring(backend: Memory) -> None:
    backend.entries["aethermind", "groq"] = "gsk-from-the-keyring"
    known = {"groq": "GROQ_API_KEY", "openai": "WORK_KEY"}
    found = Secrets({"GROQ_API_KEY": "gsk-env-123"}, key_env=known).find("groq")
    assert found == Key("gsk-env-123", "GROQ_API_KEY")
    found = Secrets({"WORK_KEY": "sk-work-1", "OPENAI_API_KEY": "sk-own-1"}, key_env=known).find("openai")
    assert found == Key("sk-own-1", "OPENAI_API_KEY")
    ring = Secrets({}, key_env=known)
    assert ring.find("groq") == Key("gsk-from-the-keyring", "keyring")
    assert ring.keyring == "ready"
    assert ring.find("openai") is None


def test_blank_variables_are_no_keys(backend: Memory) -> None:
    assert Secrets({"OPENAI_API_KEY": " \n"}).find("openai") is None


def test_a_provider_is_asked_for_once(backend: Memory) -> None:
    ring = Secrets({})
    assert ring.find("openai") is None
    assert ring.find("openai") is None
    assert backend.asked == 1


def test_a_headless_machine_has_no_key_and_no_crash(backend: Memory) -> None:
    keyring.set_keyring(Broken())
    ring = Secrets({})
    assert ring.find("openai") is None
    assert ring.keyring == "absent"
    with pytest.raises(AethermindError, match="no usable keyring") as caught:
        ring.store("openai", "sk-12345678")
    assert caught.value.hint == "set OPENAI_API_KEY in the environment"


def test_a_keyring_that_does_not_answer_is_left_alone(backend: Memory) -> None:
    silent = Silent()
    keyring.set_keyring(silent)
    ring = Secrets({}, timeout=0.05)
    start = time.monotonic()
    assert ring.find("openai") is None
    assert ring.find("anthropic") is None
    assert time.monotonic() - start < 2
    assert silent.asked == 1, "not asked again"
    silent.release.set()


def test_a_locked_keyring_is_to_be_unlocked(backend: Memory) -> None:
    class Locked(Memory):
        def set_password(self, service: str, username: str, password: str) -> None:
            raise keyring.errors.KeyringLocked("dismissed")

    keyring.set_keyring(Locked())
    with pytest.raises(AethermindError, match="the keyring is locked") as caught:
        Secrets({}).store("openai", "sk-12345678")
    assert caught.value.hint == "unlock it and try again, or set OPENAI_API_KEY in the environment"
    assert "12345678" not in caught.value.line()


def test_store_find_delete(backend: Memory) -> None:
    ring = Secrets({})
    ring.store("openai", " sk-stored-123 \n")
    assert backend.entries == {("aethermind", "openai"): "sk-stored-123"}
    assert ring.find("openai") == Key("sk-stored-123", "keyring")
    ring.delete("openai")
    assert ring.find("openai") is None
    with pytest.raises(NotFoundError, match="no key for openai"):
        ring.delete("openai")


@pytest.mark.parametrize("value", ["", "  ", "two words", "line\nbreak", "schlüssel"])
def test_impossible_keys_are_refused(backend: Memory, value: str) -> None:
    with pytest.raises(InvalidError):
        Secrets({}).store("openai", value)
    assert not backend.entries


# --- how they are shown and kept out -----------------------------------------------------------


def test_masks_show_the_end_only() -> None:
    assert mask("sk-12345678a3f") == "…a3f"
    assert mask("short") == "…"
    assert "12345678" not in repr(Key("sk-12345678a3f", "OPENAI_API_KEY"))


def test_what_was_loaded_is_redacted_exactly() -> None:
    Secrets({"OPENAI_API_KEY": "an-unusual.key/42"}, use_keyring=False).find("openai")
    assert redact("sent an-unusual.key/42 twice: an-unusual.key/42") == "sent [redacted] twice: [redacted]"
    assert redact("an-unusualXkey/42") == "an-unusualXkey/42"


def test_longer_values_are_replaced_before_their_parts() -> None:
    remember("abcdefgh")
    remember("abcdefgh-and-more")
    assert redact("<abcdefgh-and-more> <abcdefgh>") == "<[redacted]> <[redacted]>"


def test_short_values_would_mangle_texts() -> None:
    remember("the")
    assert redact("the tides") == "the tides"


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcDEF123_456-7890abcdef",
        "sk-ant-api03-abcdefghijklmnop",
        "gsk_abcdefghijklmnopqrstuv",
        "hf_abcdefghijklmnopqrstuvwx",
        "AIzaSyA-abcdefghijklmnopqrstuvwxyz01234",
        "AKIAABCDEFGHIJKLMNOP",
        "ghp_abcdefghijklmnopqrstuvwxyz0123",
        "github_pat_11ABCDEFG0abcdefghijkl",
        "xoxb-1234567890-abcdef",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLWhlcmU",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_well_known_kinds_of_keys(secret: str) -> None:
    assert redact(f"key={secret}, done") == "key=[redacted], done"


def test_headers_and_addresses() -> None:
    assert redact("Authorization: Bearer abc.def-123456") == "Authorization: Bearer [redacted]"
    assert redact("postgresql://me:hunter22@db/x") == "postgresql://[redacted]@db/x"


@pytest.mark.parametrize(
    "text",
    [
        "a task-oriented agent asks for risk-averse-but-long-hyphenated-words",
        "https://example.com/path?x=1",
        "time 12:30:45 at node:8080",
        "the skeleton key",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text) == text


def test_redaction_is_quick_on_long_lines() -> None:
    for number in range(20):
        remember(f"secret-value-{number:04d}")
    line = "://a:b sk- Bearer x eyJ." * 3_000
    start = time.perf_counter()
    redact(line)
    assert time.perf_counter() - start < 1


def test_variables_that_a_run_takes_are_scrubbed_if_their_name_says_so() -> None:
    given = {"DEPLOY_TOKEN": "tk-4711-deploy-me", "REGION": "north-by-northwest"}
    assert secrets.remember_variables(given) == given
    assert secrets.redact("tk-4711-deploy-me to north-by-northwest").endswith("to north-by-northwest")
    assert "4711-deploy" not in secrets.redact("token tk-4711-deploy-me")


@pytest.mark.parametrize(
    "name",
    [
        "GITHUB_TOKEN", "OPENAI_API_KEY", "APIKEY", "MY_KEYS", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD",
        "DB_PASS", "GPG_PASSPHRASE", "GITLAB_PAT", "HTTP_AUTHORIZATION", "MYSQL_PWD", "SENTRY_DSN",
    ],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert secrets.SECRET_VARIABLE.search(name)


@pytest.mark.parametrize(
    "name", ["AUTHOR", "PWD", "OLDPWD", "PATH", "KEYBOARD_LAYOUT", "PASSENGER_NAME", "REGION", "COMPASS_ROSE"]
)
def test_names_of_no_secrets(name: str) -> None:
    assert not secrets.SECRET_VARIABLE.search(name)


def test_a_path_says_only_where_a_secret_is() -> None:
    secrets.remember_variables({"SSH_KEY": "/home/ada/.ssh/id_ed25519"})
    assert redact("reads /home/ada/.ssh/id_ed25519") == "reads /home/ada/.ssh/id_ed25519"


def test_what_looks_like_a_key_is_one_whatever_its_name() -> None:
    address = "postgresql://ada:hunt%21er22@db.internal/x"
    secrets.remember_variables({"DATABASE": address})
    assert secrets.conceal(f"to {address} now") == "to [redacted] now"
    assert "er22" not in secrets.conceal("password=hunt!er22 and hunt%21er22")


def test_a_key_of_several_lines_is_found_line_by_line_and_quoted() -> None:
    body = ["MIIEvQIBADANBgkqhkiG9w0BAQ", "EFAASCBKcwggSjAgEAAoIBAQDX"]
    key = "\n".join(["-----BEGIN PRIVATE KEY-----", *body, "-----END PRIVATE KEY-----"])
    remember(key)
    assert secrets.conceal(f"<{key}>") == "<[redacted]>"
    assert secrets.conceal(f"line 2 of it: {body[0]}") == "line 2 of it: [redacted]"
    assert secrets.holds_secret(b'{"text":"' + body[1].encode() + b'"}')


def test_only_what_was_loaded_is_concealed() -> None:
    remember("loaded-secret-42")
    assert (
        secrets.conceal("sk-abcdefghijklmnopqrstuv loaded-secret-42")
        == "sk-abcdefghijklmnopqrstuv [redacted]"
    )
    assert secrets.holds_secret(b'"a loaded-secret-42"')
    assert not secrets.holds_secret(b'"sk-abcdefghijklmnopqrstuv"')


def test_a_secret_with_quotes_is_found_in_json() -> None:
    remember('quo"ted\\secret\t!')
    assert secrets.holds_secret(b'{"x":"quo\\"ted\\\\secret\\t!"}')


def test_looking_for_many_secrets_in_a_long_text_is_quick() -> None:
    for number in range(50):
        remember(f"secret-value-{number:04d}-and-more")
    data = b"secret-value without its number, " * 60_000
    start = time.perf_counter()
    assert not secrets.holds_secret(data)
    assert time.perf_counter() - start < 1
