from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from aethermind.definitions.data import data_dir
from aethermind.definitions.loader import load_file, load_text
from aethermind.definitions.schema import workflow_json_schema
from aethermind.definitions.source import decode, parse
from aethermind.definitions.templates import copy_of, find_workflow, samples, starter
from aethermind.domain.errors import InvalidError, NotFoundError

FLOW = "name: {name}\ndescription: About {name}.\nsteps: [{{id: a, value: 1}}]\n"


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FLOW.format(name=path.stem), encoding="utf-8")
    return path


def test_the_starter_is_a_valid_workflow() -> None:
    text = starter("my-flow", schema="/somewhere/schema.json")
    assert text.startswith("# yaml-language-server: $schema=/somewhere/schema.json\nname: my-flow\n")
    flow = load_text(text).definition
    assert [s.id for s in flow.steps] == ["plan", "answers", "brief"]
    assert flow.steps[2].references == ("answers",)
    assert starter("x").startswith("name: x\n")


@pytest.mark.parametrize("name", ["", "no", "../x", "a b", "1st", "x.yaml", "é"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(InvalidError):
        starter(name)


def test_a_copy_of_a_sample_has_a_name_of_its_own() -> None:
    text = (
        "# yaml-language-server: $schema=x\n# About.\nname: old\nsteps:\n  - {id: a, value: {name: inner}}\n"
    )
    assert copy_of(text, "new") == "# About.\nname: new\nsteps:\n  - {id: a, value: {name: inner}}\n"
    assert copy_of(text, "new", schema="y").startswith(
        "# yaml-language-server: $schema=y\n# About.\nname: new"
    )


def test_where_a_name_is_looked_up(tmp_path: Path) -> None:
    mine, shipped = tmp_path / "mine", tmp_path / "shipped"
    here = put(tmp_path / "cwd/both.yaml")
    put(tmp_path / "cwd/workflows/both.yaml")
    below = put(tmp_path / "cwd/workflows/below.yml")
    own = put(mine / "own.yaml")
    put(shipped / "own.yaml")
    sample = put(shipped / "sample.yaml")
    put(shipped / "sample.sim.yaml")

    def find(name: str) -> Path:
        return find_workflow(name, tmp_path / "cwd", [mine, shipped, tmp_path / "none"])

    assert find("both") == here
    assert find("below") == below
    assert find("own") == own
    assert find("sample") == sample
    assert find("both.yaml") == here
    assert find("./workflows/below.yml") == below
    assert find(str(sample)) == sample
    for name, fragment in [
        ("sampel", "there is no workflow `sampel` (did you mean `sample`?)"),
        ("smaple.yaml", "there is no file smaple.yaml (did you mean `sample`?)"),
        ("zzz", "(known: both, below, own, sample)"),
        ("", "is no workflow"),
        ("a\0b", "is no workflow"),
        ("x" * 400, "there is no workflow"),
    ]:
        with pytest.raises(NotFoundError) as caught:
            find(name)
        assert fragment in caught.value.line()
    with pytest.raises(InvalidError, match="is a directory"):
        find("./workflows")


def test_samples_are_listed(tmp_path: Path) -> None:
    put(tmp_path / "b.yaml")
    put(tmp_path / "a.yaml")
    put(tmp_path / "a.sim.yaml")
    (tmp_path / "broken.yaml").write_text("[", encoding="utf-8")
    (tmp_path / "README.md").write_text("x", encoding="utf-8")
    assert [(s.name, s.description) for s in samples(tmp_path)] == [("a", "About a."), ("b", "About b.")]
    assert samples(tmp_path / "none") == []


def test_what_ships_with_the_program_loads() -> None:
    found = samples(data_dir("sample_workflows"))
    assert found
    for sample in found:
        loaded = load_file(sample.path)
        assert loaded.definition.name
        assert sample.description
        assert loaded.sim, f"{sample.name} has no replies"


def test_what_does_not_ship_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        data_dir("nothing_of_the_kind")


VALIDATOR = jsonschema.Draft202012Validator(workflow_json_schema())


def fits(text: str) -> bool:
    return VALIDATOR.is_valid(parse(decode(text.encode(), "f")).plain_data())


def test_the_json_schema_is_one_and_takes_what_the_loader_takes() -> None:
    jsonschema.Draft202012Validator.check_schema(workflow_json_schema())
    assert fits(starter("x"))
    for sample in samples(data_dir("sample_workflows")):
        assert fits(sample.path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "text",
    [
        "steps: [{id: a, value: 1}]",
        "name: x",
        "name: x\nsteps: []",
        "name: x\nsteps: [{id: a, valu: 1}]",
        "name: x\nsteps: [{id: a-b, value: 1}]",
        "name: x\nsteps: [{id: a, run: wc}]",
        "name: x\nsteps: [{id: a, value: 1, timeout: soon}]",
        "name: x\nsteps: [{id: a, value: 1, on_error: stop}]",
        "name: x\nsteps: [{id: a, prompt: hi, model: null}]",
        "name: x\nsteps: [{id: g, steps: [{id: a}]}]",
        "name: x\nagents: {a: {modle: x}}\nsteps: [{id: a, value: 1}]",
        "name: x\nbudget: {usd: -1}\nsteps: [{id: a, value: 1}]",
    ],
)
def test_the_json_schema_refuses_what_is_wrong(text: str) -> None:
    assert not fits(text)
