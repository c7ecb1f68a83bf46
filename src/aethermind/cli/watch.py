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

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TypedDict

from aethermind import bootstrap
from aethermind.cli import consent, editing, errors, sources, streams
from aethermind.cli.follow import follow
from aethermind.cli.resume import go_on
from aethermind.cli.session import engine_of
from aethermind.cli.stopping import INTERRUPTED
from aethermind.definitions.edited import done
from aethermind.definitions.loader import LoadedWorkflow
from aethermind.definitions.saved import Files, changed_replies, downstream, files_of, places
from aethermind.domain.errors import AethermindError, BusyError
from aethermind.engine.hosting import EngineThread
from aethermind.infra.sanitize import clean_line

POLL_S = 0.5
SETTLE_S = 0.1
"""An editor may write a file in several steps: it is read when it has been still for so long."""


class Shown(TypedDict):
    """How runs are shown, as given to `run`."""

    plain: bool
    quiet: bool
    as_json: bool


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
            self._files.add(places(error, self._path, self._cwd))
            self._complain(error)
            return None
        self._files = files_of(loaded)
        try:
            with engine_of(self._composition, origin="run") as engine:
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
