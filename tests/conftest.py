"""What holds for every test: no network beyond loopback, no user data touched, known seeds.

The limit on a test's time and the treatment of warnings stand in `pyproject.toml`.
"""

from __future__ import annotations

import os
import random
import secrets
import tempfile
import zlib
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest

from tests.guard import sitecustomize as guard

SEED = "AETHERMIND_TEST_SEED"
REFUSED = "refused-connections"

# What a developer's shell may hold and a test must neither use nor depend on.
FOREIGN = (
    "AETHERMIND_CONFIG",
    "AETHERMIND_HOME",
    "AETHERMIND_STORE",
    "AETHERMIND_TOKEN",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_BASE_URL",
    "CLICOLOR_FORCE",
    "COLORTERM",
    "COLUMNS",
    "FORCE_COLOR",
    "LINES",
    "NO_COLOR",
    "OLLAMA_HOST",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_ORG_ID",
    "OPENAI_PROJECT_ID",
    *(scheme + "_proxy" for scheme in ("all", "http", "https", "no")),
    *(scheme + "_PROXY" for scheme in ("ALL", "HTTP", "HTTPS", "NO")),
)

_homes: list[Path] = []
_seen_refusals = 0


def pytest_configure(config: pytest.Config) -> None:
    for name in FOREIGN:
        os.environ.pop(name, None)
    if not os.environ.get("CI"):  # there Hypothesis takes its own profile, without randomness and deadlines
        hypothesis.settings.register_profile("patient", deadline=None, print_blob=True)
        hypothesis.settings.load_profile(config.getoption("--hypothesis-profile") or "patient")
    os.environ.setdefault(SEED, str(secrets.randbelow(2**32)))  # workers of xdist inherit it
    base = Path(tempfile.mkdtemp(prefix="aethermind-tests-"))
    _homes.append(base)
    os.environ |= {
        guard.LOG: str(base / REFUSED),
        # Python children install the guard at their start.
        "PYTHONPATH": os.pathsep.join([str(Path(guard.__file__).parent), *_inherited_pythonpath()]),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "XDG_CACHE_HOME": str(base / "cache"),
        "XDG_CONFIG_HOME": str(base / "config"),
        "XDG_DATA_HOME": str(base / "data"),
        "XDG_STATE_HOME": str(base / "state"),
    }


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process has loaded it conceals until its end: not so between tests."""
    from aethermind.infra import secrets as loaded

    monkeypatch.setattr(loaded, "_registry", loaded._Registry())


def pytest_unconfigure(config: pytest.Config) -> None:
    import shutil

    while _homes:
        shutil.rmtree(_homes.pop(), ignore_errors=True)


def pytest_report_header(config: pytest.Config) -> str:
    return f"seed: {os.environ[SEED]} ({SEED}=… repeats it)"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    seed = seed_of(item)
    random.seed(seed)
    item.add_report_section("setup", "seed", f"{SEED}={os.environ[SEED]} gives this test the seed {seed}")
    # A data directory of its own, not made yet: as on a machine that has never seen the program.
    os.environ["AETHERMIND_HOME"] = str(_homes[0] / f"home-{zlib.crc32(item.nodeid.encode()):08x}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    yield
    _fail_if_network_was_reached()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    yield
    _fail_if_network_was_reached()


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """An integer that depends on the session's seed and the test's name alone."""
    return seed_of(request.node)


@pytest.fixture
def rng(seed: int) -> random.Random:
    """Randomness that a failing test repeats with the session's seed."""
    return random.Random(seed)


def seed_of(item: pytest.Item) -> int:
    return zlib.crc32(item.nodeid.encode(), int(os.environ[SEED]))


def _inherited_pythonpath() -> list[str]:
    return [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]


def _fail_if_network_was_reached() -> None:
    global _seen_refusals
    try:
        refusals = (_homes[0] / REFUSED).read_text().splitlines()
    except FileNotFoundError:
        return
    new, _seen_refusals = refusals[_seen_refusals:], len(refusals)
    if new:
        pytest.fail("\n".join(new), pytrace=False)
