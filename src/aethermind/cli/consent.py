"""What a person is asked before a run starts: may the file start programs, and may it cost money."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from aethermind import bootstrap
from aethermind.cli import streams, text
from aethermind.cli.asking import confirm
from aethermind.cli.session import user
from aethermind.definitions.loader import LoadedWorkflow
from aethermind.domain.errors import DeniedError, InvalidError
from aethermind.domain.journal import PROGRAMS
from aethermind.domain.usage import Usage
from aethermind.engine.client import RunRequest
from aethermind.engine.consent import ran_before
from aethermind.engine.costing import ASSUMED_ITEMS, CostRange
from aethermind.engine.hosting import EngineThread
from aethermind.infra.sanitize import clean_line

SHOWN = 12
"""Lines of what a file starts."""


def check_trust(
    engine: EngineThread, composition: bootstrap.Composition, loaded: LoadedWorkflow, *, trust: bool
) -> None:
    """Nothing that starts programs runs unless somebody said so. Raises `DeniedError`."""
    path = loaded.path
    if not loaded.needs_trust or trust or path is None or ships_with_us(composition, path):
        return
    if engine.call(lambda client: client.trusted(path, loaded.content_hash)).result():
        return
    shown = _shown(path)
    if streams.can_ask():
        streams.note(clean_line(f"{shown} starts programs on this machine:"))
        for line in loaded.needs_trust[:SHOWN]:
            streams.note(f"  {clean_line(line)}")
        if len(loaded.needs_trust) > SHOWN:
            streams.note(f"  … and {len(loaded.needs_trust) - SHOWN} more")
        if confirm("Run it, now and as long as it stays as it is?"):
            engine.call(lambda client: client.trust(path, loaded.content_hash, by=user())).result()
            return
        raise DeniedError(f"{shown} was not trusted")
    first = loaded.needs_trust[0]
    more = f" and {len(loaded.needs_trust) - 1} more" if len(loaded.needs_trust) > 1 else ""
    raise DeniedError(
        f"{shown} is not trusted, and it starts programs: {first}{more}",
        hint=f"aethermind trust {shown}, or --trust",
    )


def ships_with_us(composition: bootstrap.Composition, path: str) -> bool:
    """Whether this is one of the product's own samples."""
    if not Path(path).is_absolute():  # it is registered, and no file
        return False
    try:
        return Path(path).resolve().is_relative_to(composition.samples_dir.resolve())
    except OSError:
        return False


def check_cost(engine: EngineThread, request: RunRequest, models: str, costs: CostRange) -> None:
    """On a terminal, the first time that a file runs on priced models: ask. Raises `DeniedError`."""
    if not (costs.high or costs.unpriced) or not streams.can_ask():
        return
    if engine.call(lambda client: ran_before(client, request.definition.name, request.source)).result():
        return
    if not confirm(f"{models}, {range_text(costs)}: go?"):
        raise DeniedError("not started: nothing was spent", hint="--sim runs it on simulated models")


Meanings = Callable[[bootstrap.Composition, RunRequest], Mapping[str, tuple[str, ...]]]


def check_prices(composition: bootstrap.Composition, request: RunRequest, meanings: Meanings) -> None:
    """With a budget nothing is started, and so nothing paid, while a model's price is unknown. `meanings`: of
    the models that the run may ask. Raises `InvalidError`; the engine looks again before each call."""
    terms = request.definition.budget
    if (request.budget_micro_usd is None and terms is None) or request.simulated:
        return
    if composition.is_abroad:  # what models mean and cost there, only the engine knows
        return
    if terms is not None and terms.unpriced == "allow":
        return
    prices = composition.models.prices
    now = bootstrap.wall_clock()()
    for full in (name for chain in meanings(composition, request).values() for name in chain):
        provider, _, model = full.partition(":")
        if provider == PROGRAMS:
            said, mend = "says only in the end what it cost", ""
        elif prices.cost(provider, model, Usage(input_tokens=1, output_tokens=1), at=now).micro_usd is None:
            table = f'[providers.{provider}.prices."{model}"]'
            said = "has no known price"
            mend = (
                f"in config.toml: {table} with input and output, in USD per million tokens; or in the file: "
            )
        else:
            continue
        raise InvalidError(
            f"{full} {said}, so the budget can't be kept", hint=f"{mend}budget: {{unpriced: allow}}"
        )


def range_text(costs: CostRange) -> str:
    """`estimated $0.0040–0.0300`, and what it leaves open."""
    if not costs.prompts:
        return "no model calls"
    parts = []
    if costs.unpriced < costs.prompts:
        high = text.money(costs.high).removeprefix("$")
        parts.append(f"estimated {text.money(costs.low)}–{high}")
    if costs.unpriced:
        parts.append(f"{costs.unpriced} of {costs.prompts} prompts on models whose price is unknown")
    if costs.seen:
        parts.append("narrowed by earlier runs")
    if costs.assumed:
        parts.append(f"fan-outs counted as up to {ASSUMED_ITEMS} items")
    return ", ".join(parts)


def _shown(path: str) -> str:
    """The path as one would type it here."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path
