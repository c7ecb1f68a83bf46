"""Files of a workflow that somebody edits while its run is looked at: which of them were saved with another
content, and what of the run that concerns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from aethermind.definitions.loader import LoadedWorkflow, sim_path
from aethermind.domain.errors import AethermindError, InvalidError
from aethermind.domain.ids import static_path
from aethermind.domain.workflow import WorkflowDef

Json = Any


class Files:
    """Files and what was in them when they were last looked at."""

    def __init__(self, known: Mapping[Path, str | None]) -> None:
        self._known = dict(known)
        self._stats: dict[Path, tuple[int, int, int] | None] = {}

    def add(self, paths: Iterable[Path]) -> None:
        """Watch these, too, as they are now."""
        for path in paths:
            self._known.setdefault(path, _digest(path))

    def changed(self) -> list[Path]:
        """What has another content than the last time, which it is compared with from now on."""
        found = []
        for path, known in self._known.items():
            stat = _stat(path)
            if path in self._stats and self._stats[path] == stat:
                continue
            self._stats[path] = stat
            digest = _digest(path)
            if digest != known:
                self._known[path] = digest
                found.append(path)
        return found


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _digest(path: Path) -> str | None:
    """Of a file's content, or of when names came and went in a directory; None if it is not there."""
    try:
        if path.is_dir():
            return str(path.stat().st_mtime_ns)
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def files_of(loaded: LoadedWorkflow) -> Files:
    """The file, what it includes, and its script of replies, as they were loaded."""
    assert loaded.path is not None
    path = Path(loaded.path)
    files = Files({path: loaded.sha256} | {Path(name): digest for name, digest in loaded.files.items()})
    files.add([sim_path(path)])
    return files


def changed_replies(before: Mapping[str, Json], after: Mapping[str, Json]) -> set[str]:
    """The steps whose simulated replies differ, as the script calls them; `*`: the pace or seed of all."""
    if before == after:
        return set()
    old, new = _by_step(before), _by_step(after)
    return {name for name in {**old, **new} if old.get(name, ...) != new.get(name, ...)}


def _by_step(script: Mapping[str, Json]) -> dict[str, Json]:
    """Replies by step, and under `*` what holds for all of them; steps may stand at the top, too."""
    if isinstance(steps := script.get("steps"), dict):
        return {**steps, "*": {key: value for key, value in script.items() if key != "steps"}}
    pace = {key: script[key] for key in ("seed", "delay", "tokens_per_second") if key in script}
    return {**{key: value for key, value in script.items() if key not in pace}, "*": pace}


def downstream(definition: WorkflowDef, replies: Iterable[str]) -> set[str]:
    """The root steps that other replies concern, and all that follow from them. A name that is no root step
    (`*`, a step within a group) may concern any.
    """
    roots = {step.id for step in definition.steps}
    again: set[str] = set()
    for name in replies:
        root = static_path(name).split("/", 1)[0]
        if root not in roots:
            return roots
        again.add(root)
    grows = bool(again)
    while grows:
        more = {step.id for step in definition.steps if step.id not in again and again & set(step.needs)}
        again |= more
        grows = bool(more)
    return again


def places(error: AethermindError, path: str, cwd: str) -> list[Path]:
    """Where an edit that can't be run may be mended: the file that is wrong, or one that is missing."""
    directories = [Path(path).parent, Path(cwd)]
    named = error.file if isinstance(error, InvalidError) else None
    files = [directory / named for directory in directories] if named else []
    return [*directories, *(file for file in files if file.is_file())]
