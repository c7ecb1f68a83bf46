"""`aethermind models`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import click

from aethermind import bootstrap
from aethermind.cli import streams, text
from aethermind.cli.lanes import lanes_of, show_lanes
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.rows import print_page, row_object
from aethermind.cli.session import ask, compose
from aethermind.domain.usage import format_usd
from aethermind.engine.lane import LaneState
from aethermind.engine.ports import ModelInfo
from aethermind.infra.sanitize import clean_line

Json = Any
MOST_FOUND = 50
"""Further models of one endpoint that are listed, of those that it says it has."""


class Probe(Protocol):
    """How an endpoint answered, as `bootstrap.probe` tells it."""

    @property
    def provider(self) -> str: ...

    @property
    def problem(self) -> str | None: ...

    @property
    def models(self) -> tuple[str, ...] | None: ...


@verb("models")
@click.option("--check", is_flag=True, help="Ask the endpoints what they have (network; nothing is billed).")
@as_json
@click.pass_obj
def command(given: Given, check: bool, as_json: bool) -> int:
    """List models, and what `fast` and `smart` mean. Prices are for a million tokens.

    With --check each endpoint that has a key is asked whether it answers, and for its models.
    """
    composition = compose(given)
    answers = []
    if check:
        asyncio.run(composition.models.discover())
        answers = asyncio.run(bootstrap.probe(composition))
    probes: dict[str, Probe] = {found.provider: found for found in answers}
    there = given.connect is not None
    rows = ask(given, lambda client: client.models()) if there else composition.models.list()
    rows += [ModelInfo(id=name, provider=name.partition(":")[0]) for name in _found(rows, probes.values())]
    lanes = {state.lane: state for state in lanes_of(composition)}
    if as_json:
        print_page(_object(row, probes, lanes) for row in rows)
        return 0
    heads = ["MODEL", "ALIASES", "USABLE", "INPUT/M", "OUTPUT/M", "CONTEXT", ""]
    text.show_table(heads, [_cells(row, probes) for row in rows], right=(3, 4, 5))
    for probe in answers:
        unused = probe.provider == "ollama" and not any(row.provider == "ollama" for row in rows)
        if probe.problem is not None and not unused:
            repair = f" ({probe.hint})" if probe.hint else ""
            streams.note(clean_line(f"{probe.provider} at {probe.host}: {probe.problem}{repair}"))
    show_lanes(lanes.values())
    return 0


def _found(rows: list[ModelInfo], probes: Iterable[Probe]) -> list[str]:
    """What endpoints have besides what is known here."""
    known = {row.id for row in rows}
    return [
        name
        for probe in probes
        for name in [f"{probe.provider}:{model}" for model in (probe.models or ())[:MOST_FOUND]]
        if name not in known
    ]


def _answers(row: ModelInfo, probes: Mapping[str, Probe]) -> tuple[bool | None, bool | None]:
    """Whether its endpoint answers, and whether it has the model; None: not asked, or it does not say."""
    probe = probes.get(row.provider)
    if probe is None:
        return None, None
    if probe.problem is not None or probe.models is None:
        return probe.problem is None, None
    return True, row.id.partition(":")[2].removesuffix(":latest") in probe.models


def _object(row: ModelInfo, probes: Mapping[str, Probe], lanes: Mapping[str, LaneState]) -> dict[str, Json]:
    reachable, listed = _answers(row, probes)
    probe, lane = probes.get(row.provider), lanes.get(row.id)
    return {
        **row_object(row),
        "configured": row.configured or bool(reachable),
        "reachable": reachable,
        "listed": listed,
        "problem": probe.problem if probe is not None else None,
        "lane": row_object(lane) if lane is not None else None,
    }


def _cells(row: ModelInfo, probes: Mapping[str, Probe]) -> list[str]:
    reachable, listed = _answers(row, probes)
    usable = "yes" if row.configured or reachable else "no"
    reason = row.reason
    if reachable is False:
        usable, reason = "no", "does not answer"
    elif listed is False:
        usable, reason = "?", f"not in the list of {row.provider}"
    elif listed:
        reason = ", ".join(filter(None, (reason, "answers")))
    return [
        clean_line(row.id),
        ", ".join(row.aliases),
        usable,
        _price(row.input_price),
        _price(row.output_price),
        text.tokens(row.context_window) if row.context_window else "",
        reason,
    ]


def _price(micro_usd: int | None) -> str:
    return "unpriced" if micro_usd is None else format_usd(micro_usd, places=2)
