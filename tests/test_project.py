"""The project as a stranger gets it: the locks, the wheel, and what `make` says when something is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
RUN_LOCK, DEV_LOCK = ROOT / "requirements.lock", ROOT / "requirements-dev.lock"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "adr"
    titles = [path.read_text().partition("\n")[0].removeprefix("# ") for path in sorted(folder.glob("0*.md"))]
    listed = re.findall(r"^(\d+)\. \[(.+)\]\((.+)\)$", (folder / "README.md").read_text(), re.MULTILINE)
    assert [f"{number}. {title}" for number, title, _ in listed] == titles
    assert [name for _, _, name in listed] == [path.name for path in sorted(folder.glob("0*.md"))]


def test_what_the_architecture_names_is_there() -> None:
    _, table = (ROOT / "docs" / "architecture.md").read_text().split("## Where to find")
    named = [name for name in re.findall(r"`([^` ]+)`", table) if "/" in name or name.endswith(".py")]
    assert len(named) > 30
    for name in named:
        places = [name, f"src/aethermind/{name}", f"src/aethermind/infra/stores/{name}"]
        assert any(list(ROOT.glob(place)) for place in places), name


def test_the_reference_of_events_says_what_the_code_says() -> None:
    """Mended by `python docs/reference.py`."""
    subprocess.run([sys.executable, ROOT / "docs" / "reference.py", "--check"], check=True, cwd=ROOT)


# ------------------------------------------------------------------------------ locks


def pins(lock: Path) -> dict[str, str]:
    """Canonical name → version, markers left out."""
    found = re.findall(r"^([\w.-]+)==(\S+)", lock.read_text(), flags=re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


@pytest.mark.parametrize("lock", [RUN_LOCK, DEV_LOCK], ids=lambda path: path.name)
def test_a_lock_holds_versions_and_hashes_alone(lock: Path) -> None:
    pin = r"[\w.-]+==[\w.!+]+(?: ; [\w .'\"<>=!()]+)? \\"
    digest = r"    --hash=sha256:[0-9a-f]{64}(?: \\)?"
    strange = [line for line in lock.read_text().splitlines() if not re.fullmatch(f"{pin}|{digest}", line)]
    assert not strange


def test_the_locks_satisfy_the_project() -> None:
    run, dev = pins(RUN_LOCK), pins(DEV_LOCK)
    assert run.items() <= dev.items(), "the dev lock is the run lock and more: make lock"
    project = PROJECT["project"]
    wanted = {
        RUN_LOCK: project["dependencies"] + PROJECT["build-system"]["requires"],
        DEV_LOCK: project["optional-dependencies"]["dev"],
    }
    for lock, requirements in wanted.items():
        for requirement in map(Requirement, requirements):
            version = pins(lock).get(canonicalize_name(requirement.name))
            assert version is not None, f"{requirement} is not in {lock.name}: make lock"
            assert requirement.specifier.contains(version), f"{requirement} but {version} in {lock.name}"


# ------------------------------------------------------------------------------ wheel


def test_the_wheel_carries_themes_and_samples(tmp_path: Path) -> None:
    program = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", program, tmp_path], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("themes", "sample_workflows"):
        files = [
            path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts
        ]
        assert files
        assert {f"aethermind/_data/{path.relative_to(ROOT).as_posix()}" for path in files} <= inside
    assert "aethermind/py.typed" in inside
    assert all(name.startswith(("aethermind/", "aethermind-")) for name in inside)


# ------------------------------------------------------------------------------ make without a Python


def fake_python(folder: Path, name: str, *, version: tuple[int, int], venv: bool) -> None:
    """An interpreter that answers the questions which `.ci/environment` asks, and can do nothing else."""
    script = folder / name
    script.write_text(
        "#!/bin/sh\n"
        'case "$2" in\n'
        f"*version_info\\ \\<*) exit {int(version < (3, 11))} ;;\n"
        f"*ensurepip*) exit {int(not venv)} ;;\n"
        f"*'%d.%d'*) echo {version[0]}.{version[1]} ;;\n"
        "*) exit 3 ;;\n"
        "esac\n"
    )
    script.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout without an environment, in a path with a space, and a PATH that holds no Python."""
    checkout = tmp_path / "a checkout"
    shutil.copytree(ROOT / ".ci", checkout / ".ci")
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        shutil.copy(ROOT / name, checkout)
    (tmp_path / "bin").mkdir()
    for tool in ("apt-get", "cat", "cmp", "dirname", "make", "mkdir", "rm", "sh"):
        target = shutil.which(tool) or "/bin/true"
        (tmp_path / "bin" / tool).symlink_to(target)
    return checkout


def make_run(checkout: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "run"],
        env={"PATH": str(checkout.parent / "bin")} | environment,
        cwd=checkout,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_without_python_prints_the_repair(checkout: Path) -> None:
    fake_python(checkout.parent / "bin", "python3", version=(3, 9), venv=True)
    done = make_run(checkout)
    assert done.returncode != 0
    assert done.stdout == ""
    assert "needs Python 3.11 or later" in done.stderr
    assert "Fix: sudo apt-get install python3 python3-venv" in done.stderr


def test_make_without_venv_names_the_package(checkout: Path) -> None:
    fake_python(checkout.parent / "bin", "python3.12", version=(3, 12), venv=False)
    done = make_run(checkout)
    assert done.returncode != 0
    assert "Fix: sudo apt-get install python3.12-venv" in done.stderr


def test_make_takes_the_first_python_that_works_and_repairs_what_is_half_made(checkout: Path) -> None:
    bin = checkout.parent / "bin"
    (bin / "python3.14").write_text("#!/bin/sh\nexit 127\n")  # a version manager's shim without its version
    (bin / "python3.14").chmod(0o755)
    fake_python(bin, "python3.13", version=(3, 13), venv=False)
    (bin / "python3").symlink_to(sys.executable)
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (checkout / ".venv" / "made-by-make").touch()  # and no stamp: it was interrupted
    (checkout / ".venv" / "left-over").touch()
    done = make_run(checkout, PIP_NO_INDEX="1", PIP_FIND_LINKS=os.devnull, PIP_CONFIG_FILE=os.devnull)
    # No index to install from, so it ends in the second stage, says what pip said, and leaves no stamp.
    assert "1/3 environment: making .venv with Python" in done.stderr
    assert "2/3 packages: installing" in done.stderr
    assert "No matching distribution found" in done.stderr
    assert done.returncode != 0
    assert not (checkout / ".venv" / "left-over").exists()
    assert not list((checkout / ".venv").glob("stamp*"))


def test_make_deletes_no_environment_that_it_did_not_make(checkout: Path) -> None:
    own = checkout / ".venv" / "bin"
    own.mkdir(parents=True)
    fake_python(own, "python", version=(3, 12), venv=True)
    done = make_run(checkout)
    assert "1/3 environment: .venv" in done.stderr
    assert "This failed: .venv/bin/python -m pip" in done.stderr  # this one can install nothing
    assert (own / "python").exists()
    assert done.returncode != 0
