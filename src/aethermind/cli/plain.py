"""The plain mode: a prompt that takes the same commands as the shell, for screen readers and terminals that
can only print lines.

Rules
- Everything is a line. Nothing moves the cursor, nothing is said by a colour or a sign alone.
- What is typed is a command of `cli.app` without the program's name. A command about a run means the one at
  hand where none is named: the last one that was started, shown or picked by its number.
- A run is followed until it is over or waits. Ctrl-C interrupts it and comes back here.
"""

from __future__ import annotations

import shlex
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import FrameType

import click

from aethermind.cli import streams, text
from aethermind.cli.app import root
from aethermind.cli.ending import waiting_line
from aethermind.cli.errors import report
from aethermind.cli.options import Given
from aethermind.cli.session import compose, engine_of
from aethermind.cli.workflows import found_in_files
from aethermind.domain import views
from aethermind.engine.client import Client
from aethermind.engine.queries import RunFilter, RunRow
from aethermind.infra.sanitize import clean_line
from aethermind.tui.models_told import SIM, models_told

Read = Callable[[str], str]
"""Asks for a line. Raises `EOFError` where there are no more."""
LISTED = 10
OF_RUN = {
    **dict.fromkeys(("cancel", "export", "fork", "logs", "pause", "resume", "retry", "show"), 1),
    **dict.fromkeys(("answer", "approve", "budget", "reject"), 2),
}
"""Commands about a run, and how many words they take: with one fewer, the run at hand is meant."""
STARTS = frozenset({"fork", "run"})
"""Commands after which the newest run is the one at hand."""
SHORT = {
    "tree": ["show", "--tree"],
    "log": ["logs"],
    "follow": ["resume"],
    "go": ["resume"],
    "cost": ["costs"],
}
LEAVE = frozenset({"bye", "exit", "q", "quit"})
HELP = """\
run NAME           start a workflow; run alone lists what there is
runs               list runs; a number then picks one and shows it
show               the run at hand: status, steps, outputs, cost (show --step STEP: one step, whole)
tree               all its steps
logs               its log (logs --level warning: only what went wrong)
follow             go on with it: what it asks is asked here
questions          what waits for you, in all runs
approve STEP       say yes; reject STEP says no; answer STEP -i name=value
retry              run what failed again
cancel  pause      stop it, or start nothing new in it
budget USD         let it cost more
costs              what was spent, by model
new NAME           a workflow of your own, as a file to edit
help COMMAND       all about one command; commands lists every one
quit               leave"""


class Left(Exception):
    """The user has gone."""


def open_plain(given: Given, *, read: Read = input) -> int:
    """Take commands until the user leaves; returns the exit code."""
    streams.be_plain(words=True)
    before = signal.signal(signal.SIGTERM, _terminated)
    try:
        return Plain(given, read).until_left()
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminated(number: int, frame: FrameType | None) -> None:
    raise Left


class Plain:
    """One session at the prompt."""

    def __init__(self, given: Given, read: Read) -> None:
        self._given = given
        self._read = read
        self._at_hand: str | None = None
        """The run that is meant where none is named; None: the last one."""
        self._picks: list[str] = []
        """Ids of the runs listed last, or names of workflows."""
        self._pick: Callable[[str], None] = self._show

    def until_left(self) -> int:
        try:
            self._greet()
            while True:
                self.take(self._ask("> "))
        except (EOFError, Left):
            streams.say()
        except OSError:  # the terminal is gone
            pass
        return 0

    def take(self, line: str) -> None:
        """One line that was typed. Raises `Left`."""
        try:
            words = shlex.split(line)
        except ValueError as error:
            streams.note(f"not understood: {error}")
            return
        if words and words[0] in {"aethermind", "aether"}:
            words = words[1:]
        if not words:
            self._say_where()
            return
        name, *rest = [*SHORT.get(words[0], words[:1]), *words[1:]]
        if name in LEAVE:
            raise Left
        if name.isdecimal() and not rest:
            self._choose(int(name))
        elif name in {"h", "help", "?"}:
            self._help(rest)
        elif name == "commands":
            self.command("--help")
        elif name == "questions":
            self._guarded(self._questions)
        elif name == "runs" and not rest:
            self._guarded(self._runs)
        elif name == "run" and not rest:
            self._guarded(self._workflows)
        else:
            self.command(name, *self.completed(name, rest))

    def completed(self, name: str, rest: Sequence[str]) -> list[str]:
        """The words after a command, with the run at hand put in where none is named."""
        wanted = OF_RUN.get(name)
        command = root.get_command(click.Context(root), name)
        if wanted is None or command is None or {"-h", "--help"} & set(rest):
            return list(rest)
        return [self._at_hand or "last", *rest] if _positional(command, rest) < wanted else list(rest)

    def command(self, *words: str) -> int:
        """Run one command of the shell's; returns its exit code."""
        given = replace(self._given, plain=False)
        try:
            code = root.main(list(words), prog_name="aethermind", standalone_mode=False, obj=given)
        except Left:
            raise
        except BaseException as error:  # noqa: BLE001 - as `app.main` does: whatever happens becomes one line
            code = report(error, given)
            if isinstance(error, KeyboardInterrupt | click.Abort):
                streams.note("")
        streams.OUT.flush()
        streams.ERR.flush()
        streams.CLOSED.set()  # a command that was interrupted has somebody waiting for its last word
        streams.CLOSED.clear()
        if words[0] in STARTS:
            self._at_hand = None
        return code if isinstance(code, int) else 0

    # --- looking -------------------------------------------------------------------------------

    def _greet(self) -> None:
        composition = compose(self._given)
        streams.say("Aethermind, plain mode. Type help for the commands, quit to leave.")
        for line in models_told(composition):
            streams.say(f"{line[:1].upper()}{line[1:]}.")
        if not composition.database.exists():
            streams.say(SIM)
            streams.say("No runs yet. To try it: run research-brief --sim")
            return
        self._guarded(self._runs)
        self._guarded(self._questions, quiet=True)

    def _help(self, rest: Sequence[str]) -> None:
        if rest:
            self.command(rest[0], "--help")
        else:
            streams.say(HELP)

    def _say_where(self) -> None:
        if self._at_hand is None:
            streams.say("Type a command: run, runs, show, questions, help, quit.")
        else:
            self._guarded(lambda: self._show(self._at_hand or "last"))

    def _runs(self) -> None:
        with engine_of(compose(self._given), look=True) as engine:
            page = engine.call(lambda client: client.runs(RunFilter(), limit=LISTED)).result()
        if not page.items:
            streams.say("No runs yet. To try it: run research-brief --sim")
            return
        self._offer([row.id for row in page.items], self._show)
        streams.say("Runs, newest first:")
        for number, row in enumerate(page.items, 1):
            streams.say(f"{number}. {_spoken(row)}")
        more = "; runs --limit 100 lists more" if page.next else ""
        streams.say(f"A number shows one{more}.")

    def _show(self, ref: str) -> None:
        self._at_hand = ref
        self.command("show", ref)

    def _questions(self, *, quiet: bool = False) -> None:
        async def look(client: Client) -> list[str]:
            page = await client.runs(RunFilter(unfinished=True), limit=200)
            runs = [await client.run(row.id) for row in page.items]
            return [waiting_line(run, node) for run in runs for node in views.open_questions(run)]

        with engine_of(compose(self._given), look=True) as engine:
            lines = engine.call(look).result()
        if lines:
            streams.say(f"{text.many(len(lines), 'question')} for you:")
        elif not quiet:
            streams.say("Nothing waits for you.")
        for line in lines:
            streams.say(clean_line(line))

    def _workflows(self) -> None:
        found = found_in_files(compose(self._given))
        self._offer([row["name"] for row in found], self._start)
        streams.say("Workflows:")
        for number, row in enumerate(found, 1):
            streams.say(clean_line(f"{number}. {row['name']}, {row['origin']}: {row['description']}"))
        streams.say("A number starts one; run NAME --sim starts it on simulated models.")

    def _start(self, name: str) -> None:
        self.command("run", name)

    # --- picking -------------------------------------------------------------------------------

    def _offer(self, names: list[str], pick: Callable[[str], None]) -> None:
        self._picks, self._pick = names, pick

    def _choose(self, number: int) -> None:
        if not self._picks:
            streams.note("there is no list to pick from: type runs, or run")
        elif not 1 <= number <= len(self._picks):
            streams.note(f"the list has {len(self._picks)} lines")
        else:
            self._pick(self._picks[number - 1])

    # --- the prompt ----------------------------------------------------------------------------

    def _ask(self, prompt: str) -> str:
        while True:
            try:
                return self._read(prompt)
            except KeyboardInterrupt:
                streams.note("\nquit leaves")
            except UnicodeDecodeError:
                streams.note("not understood: that is not UTF-8")

    def _guarded(self, do: Callable[..., None], *, quiet: bool = False) -> None:
        """What goes wrong is one line here, too."""
        try:
            do(quiet=True) if quiet else do()
        except Left:
            raise
        except BaseException as error:  # noqa: BLE001 - the same handler as for every command
            report(error, self._given)


def _positional(command: click.Command, words: Sequence[str]) -> int:
    """How many of these words are no options nor values of options."""
    takes = {
        name
        for param in command.params
        if isinstance(param, click.Option) and not param.is_flag and not param.count
        for name in param.opts
    }
    count = 0
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-") and len(word) > 1:
            skip = word in takes
        else:
            count += 1
    return count


def _spoken(row: RunRow) -> str:
    """`research-brief, succeeded, 18.2s, $0.0123 simulated, r_8f21`."""
    spent = row.finished_at - row.created_at if row.finished_at is not None else None
    cost = text.money(row.cost_micro_usd, unpriced=row.unpriced_calls) if row.usage.total_tokens else ""
    sim = " simulated" if row.simulated else ""
    parts = [row.workflow, row.status.replace("_", " "), text.took(spent), f"{cost}{sim}".strip(), row.error]
    return clean_line(", ".join([*(part for part in parts if part), row.id]))
