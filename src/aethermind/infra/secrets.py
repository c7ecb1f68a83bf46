"""Provider keys: where they are found, how they are shown, and how they are kept out of texts.

A key is looked for in the environment (the vendor's own name, then the config's `key_env`), then in the
OS keyring. The keyring is imported and asked only then, on a thread with a time limit, because a headless
machine may have none, or one that waits for a window nobody sees.

Every value that was read is registered; `redact` replaces exactly these wherever they appear, and
besides whatever looks like a well-known kind of key.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar
from urllib.parse import quote, unquote

from aethermind.domain.errors import AethermindError, InvalidError, NotFoundError
from aethermind.wire import encode_json

SERVICE = "aethermind"
"""The keyring's service name; the user name is the provider's."""

VENDOR_VARIABLES = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "ollama": "OLLAMA_API_KEY"}
"""Provider → the environment variable its vendor documents."""

T = TypeVar("T")

KEYRING_SECONDS = 30.0 if sys.platform == "darwin" else 3.0
"""macOS asks the user first; on Linux a keyring that does not answer at once waits for nobody."""

MASK = "[redacted]"
_MIN_EXACT = 8

_PATTERNS = re.compile(
    r"""
      (?<![A-Za-z0-9])(?:
        sk-[A-Za-z0-9_-]{16,}                      # OpenAI, Anthropic, OpenRouter, DeepSeek
      | gsk_[A-Za-z0-9]{20,}                       # Groq
      | xai-[A-Za-z0-9]{20,}                       # xAI
      | hf_[A-Za-z0-9]{20,}                        # Hugging Face
      | AIza[A-Za-z0-9_-]{30,}                     # Google
      | (?:AKIA|ASIA)[A-Z0-9]{16}                  # AWS
      | gh[pousr]_[A-Za-z0-9]{20,}                 # GitHub
      | github_pat_[A-Za-z0-9_]{20,}
      | glpat-[A-Za-z0-9_-]{16,}                   # GitLab
      | npm_[A-Za-z0-9]{30,}                       # npm
      | (?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,}   # Stripe
      | whsec_[A-Za-z0-9]{20,}
      | xox[abeprs]-[A-Za-z0-9-]{10,}              # Slack
      | aeth_[0-9a-f]{12}_[A-Za-z0-9_-]{20,}      # tokens of our own API
      | eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}   # JWT
      )
    | (?<=Bearer\ )[A-Za-z0-9._~+/=-]{8,}
    | (?<=://)[^/\s:@]{1,128}:[^/\s@]{1,256}(?=@)  # user:password in a URL
    | -----BEGIN\ [A-Z ]{0,20}PRIVATE\ KEY-----.{0,8192}?(?:-----END\ [A-Z ]{0,20}PRIVATE\ KEY-----|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)


def mask(value: str) -> str:
    """A key as it may be shown: `…a3f`."""
    return "…" + value[-3:] if len(value) >= _MIN_EXACT else "…"


class _Registry:
    """Secret values that this process has read. Loaded once, needed everywhere texts leave."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: frozenset[str] = frozenset()
        self._encoded: tuple[bytes, ...] = ()
        """As they stand in JSON."""
        self._exact: re.Pattern[str] | None = None

    def add(self, value: str) -> None:
        fresh = {form for form in _forms(value) if len(form) >= _MIN_EXACT} - self._values
        if not fresh:
            return
        with self._lock:
            self._values |= fresh
            longest_first = sorted(self._values, key=len, reverse=True)
            self._encoded = tuple(encode_json(form)[1:-1] for form in longest_first)
            self._exact = re.compile("|".join(map(re.escape, longest_first)))

    @property
    def known(self) -> bool:
        return bool(self._encoded)

    def holds(self, encoded: bytes) -> bool:
        """Whether JSON bytes have one of them. A search for each is far quicker than one pattern of all."""
        return any(value in encoded for value in self._encoded)

    def conceal(self, text: str) -> str:
        if self._exact is None or not any(value in text for value in self._values):
            return text
        return self._exact.sub(MASK, text)

    def redact(self, text: str) -> str:
        return _PATTERNS.sub(MASK, self.conceal(text))


_SHORTEST_LINE = 16


def _forms(value: str) -> Iterator[str]:
    """How a secret may appear: as it is, quoted for a URL, line by line, and of an address its login."""
    value = value.strip()
    yield value
    yield quote(value, safe="")
    if "\n" in value:
        for line in map(str.strip, value.splitlines()):
            if len(line) >= _SHORTEST_LINE and not line.startswith("-----"):
                yield line
    if (login := _LOGIN.search(value)) is not None:
        yield login[0]
        yield login[1]
        yield unquote(login[1])


_LOGIN = re.compile(r"(?<=://)[^/\s:@]{0,128}:([^/\s@]{1,256})(?=@)")


_registry = _Registry()


def remember(value: str) -> None:
    """Register a secret; values under 8 characters are too short to be replaced safely."""
    _registry.add(value)


SECRET_VARIABLE = re.compile(
    r"(?:\A|[_-])[A-Z0-9]*(?:KEY|TOKEN|SECRET|PASSWD|PASSWORD|PASSPHRASE|CREDENTIAL)S?(?:[_-]?\d*\Z|[_-])"
    r"|(?:\A|_)(?:AUTH|AUTHORIZATION|PASS|PAT|DSN|JWT|COOKIE)(?:\Z|_)|[A-Z0-9]_PWD\Z",
    re.IGNORECASE,
)
"""Names of variables whose values are secrets."""


def remember_variables(values: Mapping[str, str]) -> Mapping[str, str]:
    """Register the values of those variables whose names say that they are secrets, or that look like one;
    gives back all. A path is none, whatever its name: it says where the secret is."""
    for name, value in values.items():
        named = SECRET_VARIABLE.search(name) and not value.startswith(("/", "~/", "./", "../"))
        if named or _PATTERNS.search(value):
            remember(value)
    return values


def conceal(text: str) -> str:
    """`text` without any registered secret. What only looks like one stays."""
    return _registry.conceal(text)


def any_known() -> bool:
    """Whether there is anything to look for."""
    return _registry.known


def holds_secret(encoded: bytes) -> bool:
    """Whether a registered secret stands in these JSON bytes."""
    return _registry.holds(encoded)


def redact(text: str) -> str:
    """`text` without any registered secret or anything that looks like a well-known key."""
    return _registry.redact(text)


@dataclass(frozen=True, slots=True)
class Key:
    """A provider's key. `origin`: the variable it came from, or `keyring`."""

    value: str
    origin: str

    @property
    def masked(self) -> str:
        return mask(self.value)

    def __repr__(self) -> str:
        return f"Key({self.masked}, {self.origin})"


KeyringState = Literal["unasked", "ready", "absent"]


class Secrets:
    """Finds provider keys. `environ` is read at each question; nothing is written to it."""

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        key_env: Mapping[str, str] | None = None,
        use_keyring: bool = True,
        timeout: float = KEYRING_SECONDS,
    ) -> None:
        self._environ = environ
        self._key_env = dict(key_env or {})
        self._use_keyring = use_keyring
        self._timeout = timeout
        self._from_keyring: dict[str, str | None] = {}
        self.keyring: KeyringState = "unasked"

    def variables(self, provider: str) -> list[str]:
        """The environment variables that may hold this provider's key, in the order they are tried."""
        own = self._key_env.get(provider)
        vendor = VENDOR_VARIABLES.get(provider)
        return list(dict.fromkeys(name for name in (vendor, own) if name))

    def from_environment(self, provider: str) -> Key | None:
        for name in self.variables(provider):
            if value := self._environ.get(name, "").strip():
                remember(value)
                return Key(value, name)
        return None

    def find(self, provider: str) -> Key | None:
        """Environment, then keyring (asked once per provider). None: there is no key."""
        if key := self.from_environment(provider):
            return key
        if not self._use_keyring:
            return None
        if provider not in self._from_keyring:
            if self.keyring == "absent":  # one that does not answer is not asked again and again
                return None
            self._from_keyring[provider] = self._ask_keyring(provider)
        value = self._from_keyring[provider]
        if not value:
            return None
        remember(value)
        return Key(value, "keyring")

    def store(self, provider: str, value: str) -> None:
        """Put a key into the keyring. Raises `InvalidError` for an empty or impossible key, `AethermindError`
        if this machine has no keyring."""
        value = value.strip()
        if not value or any(ord(char) < 33 or ord(char) > 126 for char in value):
            raise InvalidError("a key is one line of printable ASCII characters without blanks")
        remember(value)
        import keyring

        try:
            _with_limit(lambda: keyring.set_password(SERVICE, provider, value), self._timeout)
        except Exception as error:
            raise self._no_keyring(provider, error) from error
        self._from_keyring[provider] = value
        self.keyring = "ready"

    def delete(self, provider: str) -> None:
        """Take a key out of the keyring. Raises `NotFoundError` if there is none."""
        import keyring

        try:
            _with_limit(lambda: keyring.delete_password(SERVICE, provider), self._timeout)
        except keyring.errors.PasswordDeleteError as error:
            raise NotFoundError(f"the keyring has no key for {provider}") from error
        except Exception as error:
            raise self._no_keyring(provider, error) from error
        self._from_keyring[provider] = None

    def _ask_keyring(self, provider: str) -> str | None:
        def ask() -> str | None:
            import keyring

            return keyring.get_password(SERVICE, provider)

        try:
            value = _with_limit(ask, self._timeout)
        except Exception:  # noqa: BLE001  # whatever a backend raises means that it has no key for us
            self.keyring = "absent"
            return None
        self.keyring = "ready"
        return value

    def _no_keyring(self, provider: str, error: Exception) -> AethermindError:
        self.keyring = "absent"
        names = self.variables(provider)
        instead = f"set {names[0]} in the environment" if names else "set key_env in config.toml"
        kinds = {link.__name__ for link in type(error).__mro__}
        if kinds & {"KeyringLocked", "TimeoutError"}:
            what = "does not answer" if "TimeoutError" in kinds else "is locked"
            return AethermindError(f"the keyring {what}", hint=f"unlock it and try again, or {instead}")
        return AethermindError(f"this machine has no usable keyring: {type(error).__name__}", hint=instead)


def _with_limit(call: Callable[[], T], seconds: float) -> T:
    """Run a blocking call on a daemon thread, which is left behind when it takes too long."""
    outcome: list[T] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            outcome.append(call())
        except BaseException as error:  # noqa: BLE001  # handed to the caller's thread
            failure.append(error)

    thread = threading.Thread(target=work, name="keyring", daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        raise failure[0]
    if not outcome:
        raise TimeoutError("the keyring does not answer")
    return outcome[0]
