"""`aethermind doctor`."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import sqlite3
import stat
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from aethermind import __version__, bootstrap
from aethermind.cli import engine_told, streams, text
from aethermind.cli.budget import day_line
from aethermind.cli.lanes import lane_line
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.session import compose, engine_of
from aethermind.domain.errors import AethermindError
from aethermind.engine.queries import RunFilter
from aethermind.infra.sanitize import clean_line

Json = Any


@dataclass
class Findings:
    """What was found: facts by section, and problems with their repair."""

    facts: dict[str, dict[str, Json]] = field(default_factory=dict)
    problems: list[dict[str, str | None]] = field(default_factory=list)

    def problem(self, what: str, repair: str | None) -> None:
        self.problems.append({"problem": what, "repair": repair})

    def note(self, what: str) -> None:
        notes = self.facts.setdefault("notes", {})
        notes[str(len(notes) + 1)] = what

    def failed(self, error: AethermindError) -> None:
        line = error.line()
        self.problem(line.removesuffix(f" ({error.hint})") if error.hint else line, error.hint)


@verb("doctor")
@click.option("--check", is_flag=True, help="Also ask the providers whether they answer (network).")
@as_json
@click.pass_obj
def command(given: Given, check: bool, as_json: bool) -> int:
    """Tell what is configured, what `fast` and `smart` mean and why, and how to repair what is wrong.

    Exits 1 if there is a problem. Nothing is sent anywhere without --check, and nothing is billed with it.
    """
    found = Findings()
    _program(found)
    try:
        composition = compose(given)
    except AethermindError as error:
        found.failed(error)
    else:
        if check:
            asyncio.run(composition.models.discover())
        _data(found, composition)
        _models(found, composition)
        if check:
            _network(found, composition)
    if as_json:
        streams.say(text.json_line({**found.facts, "problems": found.problems}))
    else:
        _print(found)
    return 1 if found.problems else 0


def _program(found: Findings) -> None:
    found.facts["program"] = {
        "aethermind": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "sqlite": sqlite3.sqlite_version,
    }
    found.facts["terminal"] = {
        "kind": os.environ.get("TERM") or "none",
        "size": "×".join(map(str, shutil.get_terminal_size())),
        "interactive": streams.on_terminal(),
        "unicode": streams.unicode_fits(streams.OUT),
        "colours": streams.colours(streams.OUT),
    }


def _data(found: Findings, composition: bootstrap.Composition) -> None:
    config, home, database = composition.config, composition.home, composition.database
    facts: dict[str, Json] = {
        "config": f"{config.path}{'' if config.path.exists() else ' (none)'}",
        "home": str(home),
        "database": str(database),
        "workflows": str(config.workflows),
    }
    found.facts["data"] = facts
    day = config.budget.day_micro_usd
    none = "no end (set one: [budget] day = 5.00 in config.toml, or aethermind budget today USD)"
    found.facts["budget"] = {"day": none if day is None else f"{text.money(day)} of all runs, per UTC day"}
    if home.exists():
        _check_home(found, home)
    if not database.exists():
        facts["database"] += " (made by the first run)"
        facts["engine"] = "none"
        return
    facts["bytes"] = sum(part.stat().st_size for part in home.glob(f"{database.name}*"))
    try:
        facts["engine"] = bootstrap.engine_owner(composition) or "none"
        with engine_of(composition, look=True) as engine:
            unfinished = RunFilter(unfinished=True)
            page = engine.call(lambda client: client.runs(unfinished, limit=100)).result()
            today = engine.call(lambda client: client.day_budget()).result()
            lanes = engine.call(lambda client: client.lanes()).result()
    except AethermindError as error:
        found.failed(error)
        return
    facts["unfinished_runs"] = len(page.items)
    engine_facts, problem = engine_told.facts_of(composition)
    if engine_facts:
        found.facts["engine"] = engine_facts
    if problem is not None:
        found.problem(*problem)
    found.facts["budget"]["today"] = day_line(today)
    now = int(time.time() * 1000)
    for lane in lanes:
        if lane.state == "closed":
            found.facts.setdefault("waits", {})[lane.lane] = lane_line(lane, now)
    for row in page.items[:5]:
        if row.status == "interrupted":
            found.note(f"run {row.id} ({row.workflow}) is interrupted: aethermind resume {row.id}")


def _check_home(found: Findings, home: Path) -> None:
    mode = stat.S_IMODE(home.stat().st_mode)
    if mode & 0o077:
        found.problem(f"others may look into {home} (mode {mode:04o})", f"chmod 700 {home}")
    if not os.access(home, os.W_OK | os.X_OK):
        found.problem(f"{home} cannot be written to", "set AETHERMIND_HOME to a directory of your own")
    free = shutil.disk_usage(home).free
    if free < 100 << 20:
        found.problem(f"only {free >> 20} MiB are free on the disk of {home}", "free some space")


def _models(found: Findings, composition: bootstrap.Composition) -> None:
    report = composition.models.describe()
    found.facts["aliases"] = {a.alias: f"{a.model} ({a.reason})" for a in report.aliases}
    found.facts["providers"] = {
        p.provider: (f"ready: {_key(p.key, p.origin)}" if p.ready else f"not ready: {p.hint}")
        for p in report.providers
    }
    found.facts["keyring"] = {"state": report.keyring}
    for note in report.notes:
        found.note(note)
    ready = {p.provider: p for p in report.providers}
    for alias in report.aliases:
        provider = ready.get(alias.model.partition(":")[0])
        if provider is None:
            found.problem(f"{alias.alias} means {alias.model}, a provider that is not there", None)
        elif not provider.ready:
            found.problem(f"{alias.alias} means {alias.model}, which has no key", provider.hint)


def _key(masked: str | None, origin: str) -> str:
    return f"key {masked} from {origin}" if masked else "needs no key"


def _network(found: Findings, composition: bootstrap.Composition) -> None:
    facts = found.facts["network"] = {}
    for probe in asyncio.run(bootstrap.probe(composition)):
        facts[probe.provider] = f"{probe.host}: {probe.problem or 'answers'} ({text.took(probe.took_ms)})"
        local = probe.provider == "ollama" and not composition.models.describe().ollama_models
        if probe.problem is not None and not local:
            found.problem(f"{probe.provider}: {probe.problem}", probe.hint)


def _print(found: Findings) -> None:
    for section, facts in found.facts.items():
        streams.say(section)
        width = max((len(name) for name in facts), default=0)
        for name, value in facts.items():
            told = {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value
            streams.say(clean_line(f"  {name.ljust(width)}  {told}"))
    streams.say()
    if not found.problems:
        streams.say("no problems")
    for item in found.problems:
        repair = f": {item['repair']}" if item["repair"] else ""
        streams.say(text.marked("failed", clean_line(str(item["problem"]) + repair), streams.OUT))
