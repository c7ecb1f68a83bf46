"""What holds for every sample before it runs: it loads, explains itself, and has a script that fits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from aethermind.definitions.loader import LoadedWorkflow, load_file
from aethermind.domain.workflow import Group, Prompt, StepDef, SubWorkflow
from tests.samples.conftest import SAMPLES

FILES = sorted(path for path in SAMPLES.glob("*.yaml") if not path.name.endswith(".sim.yaml"))
NAMES = [path.stem for path in FILES]
START_COMMANDS = {"fix-until-green", "nightly-check", "release-notes", "tool-desk"}


@pytest.fixture(params=FILES, ids=NAMES)
def file(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
def loaded(file: Path) -> LoadedWorkflow:
    return load_file(file)


def steps_of(steps: tuple[StepDef, ...], prefix: str = "") -> dict[str, StepDef]:
    """Path without instances → step."""
    out: dict[str, StepDef] = {}
    for step in steps:
        path = prefix + step.id
        out[path] = step
        if isinstance(step.action, Group):
            out |= steps_of(step.action.steps, f"{path}/")
        elif isinstance(step.action, SubWorkflow):
            out |= steps_of(step.action.workflow.steps, f"{path}/")
    return out


def test_what_there_is() -> None:
    assert set(NAMES) >= {
        "document-sections",
        "fix-until-green",
        "improve-until",
        "interview",
        "launch-kit",
        "many-steps",
        "nightly-check",
        "release-notes",
        "research-brief",
        "review-diff",
        "tool-desk",
        "triage-log",
    }


def test_every_script_belongs_to_a_sample() -> None:
    scripts = {path.name.removesuffix(".sim.yaml") for path in SAMPLES.glob("*.sim.yaml")}
    assert scripts == set(NAMES)


def test_it_is_called_like_its_file(loaded: LoadedWorkflow, file: Path) -> None:
    assert loaded.definition.name == file.stem


def test_its_description_is_one_short_line(loaded: LoadedWorkflow) -> None:
    description = loaded.definition.description
    assert description.endswith(".")
    assert "\n" not in description
    assert 20 <= len(description) <= 80


def test_every_input_has_a_default(loaded: LoadedWorkflow) -> None:
    assert [name for name, each in loaded.definition.inputs.items() if each.required] == []


def test_it_needs_trust_only_where_it_says_so(loaded: LoadedWorkflow, file: Path) -> None:
    assert bool(loaded.needs_trust) == (file.stem in START_COMMANDS)
    assert ("asks for trust" in file.read_text()) == (file.stem in START_COMMANDS)


def test_it_begins_with_what_it_shows_and_how_it_is_run(file: Path) -> None:
    comment = re.match(r"(?:#.*\n)+", file.read_text())
    assert comment is not None
    assert "# Shows: " in comment[0]
    commands = re.findall(r"aethermind run (\S+)(.*)", comment[0])
    assert commands
    assert {name for name, _ in commands} == {file.stem}
    inputs = load_file(file).definition.inputs
    used = {name for _, rest in commands for name in re.findall(r"-i (\w+)=", rest)}
    assert used <= set(inputs)


def test_its_lines_fit_a_screen(file: Path) -> None:
    for path in (file, file.with_name(f"{file.stem}.sim.yaml")):
        long = [n for n, line in enumerate(path.read_text().splitlines(), 1) if len(line) > 110]
        assert long == [], path.name


def test_its_script_is_plain_yaml(loaded: LoadedWorkflow, file: Path) -> None:
    data = yaml.safe_load(file.with_name(f"{file.stem}.sim.yaml").read_text())
    assert data == loaded.sim


def test_it_names_no_vendor(loaded: LoadedWorkflow) -> None:
    """The same file runs on whatever the user has."""
    models = {
        model
        for step in steps_of(loaded.definition.steps).values()
        if isinstance(step.action, Prompt)
        for model in step.action.models
    }
    models |= {model for agent in loaded.definition.agents.values() for model in agent.models}
    assert models <= {"smart", "fast"}
