"""`run --watch`: after the run, wait for saved edits of its files and run what they changed.

Rules
- While it waits no engine is open, so that others may answer, resume or look at the run meanwhile.
- What is compared is content: a file that is only touched, or saved as it was, changes nothing. An edit made
  while the run was under way is seen as soon as it rests.
- An edit of the workflow or of what it includes goes on with the same run (`Client.resume_edited`). What a
  run can't change afterwards (its script of simulated replies, its inputs, one model for all) makes a new
  run, which takes over what is done.
"""

from __future__ import annotations

import hashlib
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypedDict

from aethermind import bootstrap
from aethermind.cli import consent, editing, errors, sources, streams
from aethermind.cli.drive import INTERRUPTED
from aethermind.cli.follow import follow
from aethermind.cli.resume import go_on
from aethermind.cli.session import engine_of
from aethermind.definitions.edited import done
from aethermind.definitions.loader import LoadedWorkflow, sim_path
from aethermind.domain.errors import AethermindError, BusyError, InvalidError
from aethermind.domain.ids import static_path
from aethermind.domain.workflow import WorkflowDef
from aethermind.engine.hosting import EngineThread
from aethermind.infra.sanitize import clean_line

Json = Any
POLL_S = 0.5
SETTLE_S = 0.1
"""An editor may write a file in several steps: it is read when it has been still for so long."""


class Shown(TypedDict):
    """How runs are shown, as given to `run`."""

    plain: bool
    quiet: bool
    as_json: bool


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


class Watch:
    """One file and its newest run, until Ctrl-C."""

    def __init__(
        self,
        composition: bootstrap.Composition,
        run_id: str,
        loaded: LoadedWorkflow,
        code: int,
        *,
        cwd: str,
        overrides: Mapping[str, str],
        model: str | None,
        budget_micro_usd: int | None,
        trust: bool,
        files: Files,
        shown: Shown,
    ) -> None:
        assert loaded.path is not None
        self._composition = composition
        self._run_id = run_id
        self._cwd = cwd
        self._path = loaded.path
        self._code = code
        self._overrides = overrides
        self._model = model
        self._budget = budget_micro_usd
        self._trust = trust
        self._files = files
        self._shown = shown
        self._told = ""
        """The last line that was said of an edit that can't be run: it is not said twice."""
        self._again = False
        """The edit could not be run for a reason that passes."""

    def until_stopped(self) -> int:
        """Watch until Ctrl-C; returns the exit code of the last run."""
        self._say(f"watching {Path(self._path).name}: save it to run what changed; Ctrl-C ends")
        try:
            while self._wait():
                code = self._round()
                if code == INTERRUPTED:
                    return code
                if code is not None:
                    self._code = code
                    self._say("watching; Ctrl-C ends")
        except KeyboardInterrupt:  # between waiting and a run
            pass
        return self._code

    def _wait(self) -> bool:
        """Until something was saved; False: it is to end."""
        with _interrupts() as stopped:
            while not stopped.wait(POLL_S):
                if self._files.changed():
                    while not stopped.wait(SETTLE_S) and self._files.changed():
                        pass
                    return not stopped.is_set()
                if self._again:
                    return True
        return False

    def _round(self) -> int | None:
        """Run what was edited; the exit code, or None if nothing ran."""
        self._again = False
        try:
            loaded = sources.read(self._composition, self._path, self._overrides, cwd=self._cwd)
        except AethermindError as error:
            self._files.add(_places(error, self._path, self._cwd))
            self._complain(error)
            return None
        self._files = files_of(loaded)
        try:
            with engine_of(self._composition) as engine:
                code = self._run(engine, loaded)
        except AethermindError as error:
            self._again = isinstance(error, BusyError)
            self._complain(error)
            return None
        self._told = ""
        return code

    def _run(self, engine: EngineThread, loaded: LoadedWorkflow) -> int | None:
        run = engine.call(lambda client: client.run(self._run_id)).result()
        definition = loaded.definition
        simulated = run.created.simulated
        replies = changed_replies(run.created.sim, loaded.sim) if simulated else set()
        if not replies and sources.same(run.definition, definition):
            self._say("saved, and nothing that this run does has changed")
            return None
        if not (replies or self._model or sources.new_inputs(run, definition)):
            first = editing.adopting(
                engine,
                self._composition,
                run,
                loaded,
                overrides=self._overrides,
                trust=self._trust,
                quiet=self._shown["quiet"],
            )
            return go_on(engine, self._composition, run, first=first, **self._shown)
        consent.check_trust(engine, self._composition, loaded, trust=self._trust)
        inputs = sources.inputs_for(run, definition, {})
        kept = engine.call(lambda client: client.edited(run.id, definition)).result()
        again = downstream(definition, replies)
        adopted = {
            name: run.nodes[name].output
            for name in done(run, kept)
            if name not in again and run.nodes[name].status == "succeeded"
        }
        request = editing.fork_request(
            self._composition,
            run,
            loaded,
            inputs,
            adopted,
            model=self._model,
            budget_micro_usd=self._budget,
        )
        self._run_id = engine.call(lambda client: client.start_run(request)).result()
        if not self._shown["quiet"]:
            editing.tell(definition, adopted, fork_of=run.id)
        return follow(engine, self._run_id, **self._shown)

    def _say(self, text: str) -> None:
        if not self._shown["quiet"]:
            streams.note(clean_line(text))

    def _complain(self, error: AethermindError) -> None:
        line = error.line()
        if line != self._told:
            errors.report(error)
            self._told = line


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


def _places(error: AethermindError, path: str, cwd: str) -> list[Path]:
    """Where an edit that can't be run may be mended: the file that is wrong, or one that is missing."""
    directories = [Path(path).parent, Path(cwd)]
    named = error.file if isinstance(error, InvalidError) else None
    files = [directory / named for directory in directories] if named else []
    return [*directories, *(file for file in files if file.is_file())]


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Set by Ctrl-C and SIGTERM; nothing is cut off in the middle."""
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
