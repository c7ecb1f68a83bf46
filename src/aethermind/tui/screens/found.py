"""Workflows that can be started from here, found without loading them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from aethermind.domain.errors import InvalidError
from aethermind.infra.sanitize import clean_line

if TYPE_CHECKING:
    from aethermind.tui.context import Context

SUFFIXES = (".yaml", ".yml", ".json")
_HEAD = 32_000
"""Bytes of a file that are looked at."""
_MOST = 500
"""Files of one directory."""
_STEPS = re.compile(r"""^(?:steps|["']steps["']|\s*"steps")\s*:""", re.MULTILINE)
_FIELD = re.compile(r"""^(?:\{?\s*"|)(name|description)"?\s*:\s*(.*)$""", re.MULTILINE)


class Found(NamedTuple):
    """A file that looks like a workflow."""

    name: str
    """What `run` is told: the file's name without its suffix."""
    path: Path
    place: str
    """Where it was found, in a word."""
    title: str
    """Its `name:`."""
    description: str


def workflows(context: Context) -> list[Found]:
    """In the order in which a NAME is looked up; of two with one name the first counts."""
    found: dict[str, Found] = {}
    for place, directory in directories(context.composition):
        for flow in in_directory(directory, place):
            found.setdefault(flow.name, flow)
    return list(found.values())


def workflow_names(context: Context) -> Iterable[str]:
    return [flow.name for flow in workflows(context)]


def find(context: Context, name: str) -> Found | None:
    """By name, or by the path of a file."""
    for flow in workflows(context):
        if flow.name == name:
            return flow
    path = Path(name).expanduser()
    if path.is_file():
        return Found(path.stem, path, str(path.parent), path.stem, "")
    return None


def directories(composition: Any) -> list[tuple[str, Path]]:
    """(in a word, where)"""
    cwd = Path.cwd()
    places = [("here", cwd), ("./workflows", cwd / "workflows")]
    samples = composition.samples_dir
    return places + [("sample" if d == samples else "yours", Path(d)) for d in composition.workflow_dirs]


def in_directory(directory: Path, place: str) -> Sequence[Found]:
    try:
        changed = directory.stat().st_mtime_ns
    except OSError:
        return ()
    return _read_directory(directory, changed, place)


@lru_cache(32)
def _read_directory(directory: Path, changed: int, place: str) -> tuple[Found, ...]:
    found = []
    try:
        paths = sorted(p for p in directory.iterdir() if p.suffix in SUFFIXES)
    except OSError:
        return ()
    for path in paths[:_MOST]:
        if path.name.endswith((".sim.yaml", ".sim.yml")):
            continue
        try:
            with path.open("rb") as file:
                head = file.read(_HEAD).decode("utf-8", "replace")
        except OSError:
            continue
        if _STEPS.search(head) is None:
            continue
        fields = {m[1]: _value(m[2], head[m.end() :]) for m in reversed(list(_FIELD.finditer(head)))}
        title, description = fields.get("name", path.stem), fields.get("description", "")
        found.append(Found(path.stem, path, place, title, description))
    return tuple(found)


def _value(text: str, rest: str) -> str:
    """A scalar as it is mostly written: plain, quoted, or folded over the following lines."""
    text = text.strip().rstrip(",")
    if text[:1] in {">", "|"}:
        lines = []
        for following in rest.splitlines()[1:]:
            if following.strip() and not following.startswith((" ", "\t")):
                break
            lines.append(following.strip())
        text = " ".join(part for part in lines if part)
    elif text[:1] in {'"', "'"}:
        text = text[1:].partition(text[0])[0]
    else:
        text = text.partition(" #")[0]
    return clean_line(text.strip())


def new_workflow(name: str, source: Path | None) -> Path:
    """Write NAME.yaml into ./workflows if there is one, else here: a copy of `source` with its simulated
    replies, or a small one to begin with. Raises `InvalidError`; nothing is overwritten.
    """
    from aethermind.definitions import templates

    stem = name.strip().removesuffix(".yaml")
    folder = Path("workflows") if Path("workflows").is_dir() else Path()
    path = folder / f"{stem}.yaml"
    files: dict[Path, str] = {}
    if source is None:
        files[path] = templates.starter(stem)
    else:
        files = templates.copies(source, path)
    for target in files:
        if target.exists():
            raise InvalidError(f"{target} is there already", hint="choose another name")
    for target, text in files.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    return path
