"""The promises of the layout, checked: imports go one way, the domain is pure, the start is lean.

Each checker is first shown something wrong, so that its silence means something.
"""

from __future__ import annotations

import ast
import io
import os
import re
import shutil
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "aethermind"

CONTRACTS = {
    "Layers",
    "Only bootstrap sees the adapters",
    "The domain is pure",
    "The engine knows no adapter and no screen",
}


def modules_of(*folders: Path) -> list[Path]:
    return sorted(
        path for folder in folders for path in folder.rglob("*.py") if "__snapshots__" not in path.parts
    )


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# ------------------------------------------------------------------------------ import contracts


def lint_imports(source: Path) -> tuple[int, dict[str, bool]]:
    """Exit code of import-linter over the package below `source`, and what became of each contract."""
    program = "import sys; from importlinter.cli import lint_imports_command as run; run(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", program, "--no-logo", "--no-cache", "--config", ROOT / "pyproject.toml"],
        env=os.environ | {"PYTHONPATH": str(source), "COLUMNS": "200"},
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    verdicts = re.findall(r"^(.+?) (KEPT|BROKEN)\b", done.stdout, flags=re.MULTILINE)
    assert {name for name, _ in verdicts} == CONTRACTS, done.stdout + done.stderr
    return done.returncode, {name: verdict == "KEPT" for name, verdict in verdicts}


def test_imports_go_one_way() -> None:
    code, kept = lint_imports(ROOT / "src")
    assert all(kept.values()), f"broken: {[name for name in kept if not kept[name]]}; see `lint-imports`"
    assert code == 0


def test_each_contract_notices_its_breach(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "aethermind", ignore=shutil.ignore_patterns("__pycache__"))
    breaches = {
        "domain/breach.py": "import time",  # the domain is pure
        "engine/breach.py": "import sqlite3",  # the engine knows no adapter
        "tui/breach.py": "from aethermind.infra import stores",  # only bootstrap sees the adapters
        "definitions/breach.py": "from aethermind import cli",  # layers
    }
    for path, line in breaches.items():
        (tmp_path / "aethermind" / path).write_text(line + "\n")
    code, kept = lint_imports(tmp_path)
    assert not any(kept.values())
    assert code == 1


# ------------------------------------------------------------------------------ the domain is pure

PURE_MODULES = {
    "__future__",
    "abc",
    "bisect",
    "collections",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "graphlib",
    "hashlib",
    "heapq",
    "itertools",
    "json",
    "math",
    "operator",
    "re",
    "string",
    "textwrap",
    "types",
    "typing",
    "unicodedata",
    # The one library: records that are quick to make and to write.
    "msgspec",
}
# Reading the world, writing to it, or depending on where an object lies in memory.
IMPURE_CALLS = {"breakpoint", "eval", "exec", "hash", "id", "input", "open", "print", "__import__"}
IMPURE_METHODS = {"now", "today", "utcnow"}  # of date and datetime


def impurities(source: str) -> Iterator[str]:
    """What a module of the domain may not contain, as `line: what`."""
    tree = ast.parse(source)
    in_hash = {
        node
        for method in ast.walk(tree)
        if isinstance(method, ast.FunctionDef) and method.name == "__hash__"
        for node in ast.walk(method)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found = [alias.name for alias in names if alias.name.partition(".")[0] not in PURE_MODULES]
            case ast.ImportFrom(module=module, level=level):
                name = module or ""
                own = level == 0 and (name == "aethermind.domain" or name.startswith("aethermind.domain."))
                found = [] if own or name.partition(".")[0] in PURE_MODULES else [name or "a relative import"]
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS:
                found = [] if name == "hash" and node in in_hash else [f"{name}()"]
            case ast.Call(func=ast.Attribute(attr=name)) if name in IMPURE_METHODS:
                found = [f".{name}()"]
            case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
                found = ["async"]
            case ast.Global():
                found = ["global"]
            case _:
                continue
        yield from (f"{node.lineno}: {what}" for what in found)


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import os.path",
        "import pydantic",
        "from random import Random",
        "from aethermind.engine import ports",
        "from . import run",
        "from datetime import datetime\nat = datetime.now()",
        "async def f(): ...",
        "key = hash('step')",
        "print('done')",
    ],
)
def test_impurities_are_noticed(source: str) -> None:
    assert list(impurities(source))


def test_the_domain_is_pure() -> None:
    modules = modules_of(PACKAGE / "domain")
    assert modules
    found = [f"{short(path)}:{what}" for path in modules for what in impurities(path.read_text())]
    assert not found


# ------------------------------------------------------------------------------ the start is lean


def imported_by(*arguments: str, cwd: Path) -> tuple[set[str], str]:
    """Modules that this command imports, in whatever process of its own, and its stdout.

    The interpreter reports each import itself, so a fork or an early exit hides nothing.
    """
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        env=os.environ | {"PYTHONPROFILEIMPORTTIME": "1"},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert done.returncode == 0, "\n".join(said)
    names = re.findall(r"^import time: +\d+ \| +\d+ \| +(\S+)", done.stderr, flags=re.MULTILINE)
    return set(names), done.stdout


def test_version_needs_no_more_than_the_interpreter(tmp_path: Path) -> None:
    modules, output = imported_by("-m", "aethermind", "--version", cwd=tmp_path)
    assert "0.1.0" in output
    assert "aethermind" in modules
    assert not modules & {"asyncio", "click", "msgspec", "pydantic", "rich", "sqlite3", "textual"}


def test_the_package_opens_no_door_before_it_is_used(tmp_path: Path) -> None:
    modules, _ = imported_by("-c", "import aethermind", cwd=tmp_path)
    assert {name for name in modules if name.partition(".")[0] == "aethermind"} == {"aethermind"}


def test_run_imports_no_screen_and_no_model_sdk(tmp_path: Path) -> None:
    (tmp_path / "hi.yaml").write_text(
        "name: hi\n"
        "inputs: {who: string}\n"
        'steps: [{id: greet, prompt: "Say hi to {{ inputs.who }}"}]\n'
        'outputs: {greeting: "{{ greet }}"}\n'
    )
    modules, output = imported_by(
        "-m", "aethermind", "run", "hi.yaml", "-i", "who=Ada", "--sim", cwd=tmp_path
    )
    assert output.strip()
    assert {"aethermind.bootstrap", "aethermind.engine.scheduler"} <= modules  # it did run
    assert not modules & {"anthropic", "genai_prices", "httpx2", "keyring", "mcp", "openai", "textual"}


# ------------------------------------------------------------------------------ files stay small

LIMIT = 400
LONG = {
    "src/aethermind/domain/events.py": "the closed union of events, read as one list",
}
"""Path → why this file may have more lines than others."""


def test_files_stay_small() -> None:
    files = modules_of(*(ROOT / name for name in ("bench", "docs", "src", "tests")))
    files += [path for kind in ("*.sql", "*.tcss") for path in PACKAGE.rglob(kind)]
    long = {short(path) for path in files if len(path.read_text().splitlines()) > LIMIT}
    assert long == set(LONG), "split it, or give the reason in LONG (and take out what has become short)"
    assert all(LONG.values())


def test_names_say_what_is_inside() -> None:
    modules = modules_of(PACKAGE)
    vague = {"base", "common", "core", "helpers", "misc", "utils"}
    assert not [short(path) for path in modules if path.stem in vague or path.parent.name in vague]
    classes = [
        node.name
        for path in modules
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    ]
    assert classes
    assert not [name for name in classes if re.search(r"Manager$|^Abstract|^I[A-Z][a-z]", name)]


# ------------------------------------------------------------------------------ exceptions to the rules

DIRECTIVE = re.compile(
    r"#?\s*(?:(?:ruff:\s*)?noqa(?::\s*[A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*)?|type:\s*ignore(?:\[[\w,\s-]*\])?|mypy:\s*\S+)"
)


def unreasoned(source: str) -> Iterator[int]:
    """Lines of comments that switch a check off without a code or without saying why."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT or not (directives := DIRECTIVE.findall(token.string)):
            continue
        reason = re.sub(r"[\W_]+", " ", DIRECTIVE.sub(" ", token.string)).split()
        if len(reason) < 2 or any(
            part.strip("# ") in {"noqa", "type: ignore", "type:ignore"} for part in directives
        ):
            yield token.start[0]


@pytest.mark.parametrize(
    "line",
    [
        "x = 1  # noqa",
        "x = 1  # noqa: E731",
        "x = 1  # noqa: E731, S101",
        "x = 1  # type: ignore",
        "x = 1  # type: ignore[assignment]",
        "x = 1  # type: ignore  # the library lies",
        "# ruff: noqa: E501",
        "# mypy: ignore-errors",
    ],
)
def test_a_missing_reason_is_noticed(line: str) -> None:
    assert list(unreasoned(line + "\n"))


def test_a_given_reason_is_enough() -> None:
    assert not list(unreasoned("x = 1  # noqa: E731 - a table of lambdas reads better\n"))
    assert not list(unreasoned("x = 1  # type: ignore[assignment]  # the stubs lag behind\n"))
    assert not list(unreasoned("x = '# noqa'  # text\n"))


def test_every_exception_has_a_reason() -> None:
    files = modules_of(*(ROOT / name for name in ("bench", "docs", "src", "tests")))
    assert not [f"{short(path)}:{line}" for path in files for line in unreasoned(path.read_text())]
