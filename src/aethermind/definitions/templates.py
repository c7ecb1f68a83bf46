"""New workflow files, the samples, and what a NAME means."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from aethermind.definitions.hints import closest, did_you_mean, show
from aethermind.definitions.nodes import Scalar
from aethermind.definitions.source import decode, parse_mapping, read_bytes
from aethermind.domain.errors import AethermindError, InvalidError, NotFoundError

SUFFIXES = (".yaml", ".yml")

_SCHEMA_LINE = "# yaml-language-server: $schema={schema}\n"
_STARTER = """\
name: {name}
description: What this workflow does, in one line.

inputs:
  topic: string                  # number integer boolean, [string], a|b|c, string? = optional

# defaults: {{model: smart, timeout: 10m}}
# budget: {{usd: 0.50}}            # the run waits for you before it would cost more

agents:
  writer:
    model: smart                 # an alias, or provider:model
    instructions: You write short and plain.

steps:
  - id: plan
    agent: writer
    prompt: "Name three questions worth asking about {{{{ inputs.topic }}}}."
    output: {{questions: [string]}}

  - id: answers                  # one answer per question, side by side
    for_each: "{{{{ plan.questions }}}}"
    agent: writer
    prompt: "Answer in two sentences: {{{{ item }}}}"

  - id: brief
    agent: writer
    prompt: |
      Write one paragraph on {{{{ inputs.topic }}}} from these notes:
      {{% for answer in answers %}}
      - {{{{ answer }}}}
      {{% endfor %}}

outputs:
  brief: "{{{{ brief }}}}"
"""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow that ships with the program."""

    name: str
    """How it is called: the file's name without its suffix."""
    description: str
    path: Path


def starter(name: str, *, schema: str | None = None) -> str:
    """The text of a new workflow file. `schema`: path or address of the JSON Schema, for editors.

    Raises `InvalidError` for a name that cannot be one.
    """
    check_name(name)
    head = _SCHEMA_LINE.format(schema=schema) if schema else ""
    return head + _STARTER.format(name=name)


def copy_of(text: str, name: str, *, schema: str | None = None) -> str:
    """The text of a sample under another name."""
    check_name(name)
    body = re.sub(r"\A# yaml-language-server:.*\n", "", text)
    renamed = re.sub(r"(?m)^name:.*$", f"name: {name}", body, count=1)
    return (_SCHEMA_LINE.format(schema=schema) if schema else "") + renamed


def check_name(name: str) -> None:
    """A name that is also a file's."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,99}", name) or name.lower() in {
        "yes",
        "no",
        "on",
        "off",
        "true",
        "false",
        "null",
    }:
        raise InvalidError(f"`{show(name)}` cannot be a workflow's name", hint="letters, digits, _ and -")


def find_workflow(name: str, cwd: Path, dirs: Sequence[Path]) -> Path:
    """The file that FILE or NAME means: a path, else NAME in `cwd`, `cwd/workflows` and then in `dirs`.

    Raises `NotFoundError` with a did-you-mean.
    """
    if not name or "\0" in name or len(name) > 1_000:
        raise NotFoundError(f"`{show(name)}` is no workflow")
    given = Path(os.path.expanduser(name))  # noqa: PTH111  # pathlib's raises for an unknown user
    path = cwd / given
    is_path = "/" in name or name.endswith((*SUFFIXES, ".json"))
    mode = _mode(path)
    if is_path and stat.S_ISDIR(mode):
        raise InvalidError(f"{show(name, 200)} is a directory, not a workflow file")
    if is_path and mode:
        return given if given.is_absolute() or cwd == Path.cwd() else path
    places = [cwd, cwd / "workflows", *dirs]
    if not is_path:
        for place in places:
            for suffix in SUFFIXES:
                if _is_file(place / f"{name}{suffix}"):
                    return place / f"{name}{suffix}"
    known = dict.fromkeys(found.stem for place in places for found in _workflow_files(place))
    what = f"there is no file {show(name, 200)}" if is_path else f"there is no workflow `{show(name)}`"
    stem = Path(name).stem if is_path else name
    near = closest(stem, known)
    hint = f"did you mean `{near}`?" if near else did_you_mean(stem, known) or "aethermind samples"
    raise NotFoundError(what, hint=hint)


def _mode(path: Path) -> int:
    """0 if there is nothing."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def _is_file(path: Path) -> bool:
    return stat.S_ISREG(_mode(path))


def _workflow_files(directory: Path) -> Iterator[Path]:
    try:
        found = sorted(directory.iterdir())[:1_000]
    except OSError:
        return
    for path in found:
        if path.suffix in SUFFIXES and not path.stem.endswith(".sim") and _is_file(path):
            yield path


def copies(source: Path, target: Path, *, schema: str | None = None) -> dict[Path, str]:
    """What a copy of a workflow under another name is made of: path → text. With it go its simulated
    replies and the files that it includes (prompts, other workflows), which keep their names; one that is
    there already with the same text is left out. Raises `InvalidError` for one that differs.
    """
    from aethermind.definitions.loader import load_file, sim_path

    files = {target: copy_of(source.read_text(encoding="utf-8"), target.stem, schema=schema)}
    if sim_path(source).is_file():
        files[sim_path(target)] = sim_path(source).read_text(encoding="utf-8")
    home = source.resolve().parent
    for name in load_file(source).files:
        included = Path(name)
        if not included.is_relative_to(home):
            continue  # found in the working directory, and there it stays
        text = included.read_text(encoding="utf-8")
        beside = target.parent / included.relative_to(home)
        if not beside.exists():
            files[beside] = text
        elif beside.resolve() != included and beside.read_text(encoding="utf-8", errors="replace") != text:
            raise InvalidError(f"{beside} is there already, and is another file than the copy needs")
    return files


def samples(directory: Path) -> list[Sample]:
    """What ships with the program, by name. Files that cannot be read are left out."""
    out = []
    for path in _workflow_files(directory):
        try:
            root = parse_mapping(decode(read_bytes(path, path.name), path.name), "workflow")
        except AethermindError:
            continue
        said = root.entries.get("description")
        description = said.text.strip() if isinstance(said, Scalar) else ""
        out.append(Sample(name=path.stem, description=" ".join(description.split()), path=path))
    return out
