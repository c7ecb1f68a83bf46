"""Which models a new user has, and why: for the first screen and the plain mode. Asks no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aethermind.infra.sanitize import clean_line

if TYPE_CHECKING:
    from aethermind.bootstrap import Composition

SIM = (
    "Simulated: answers come from a script or are made up. Nothing is called, nothing is spent; "
    "costs are what it would have been."
)


def models_told(composition: Composition) -> list[str]:
    """A line for each alias (those that mean the same for the same reason share one), then what else there
    is: providers with a key that no alias means, notes. Harmless text.
    """
    report = composition.models.describe()
    same: dict[tuple[str, str], list[str]] = {}
    for alias in report.aliases:
        provider, _, _ = alias.model.partition(":")
        shown = "a simulated model" if provider == "sim" else alias.model
        same.setdefault((shown, alias.reason.removeprefix("simulated: ")), []).append(alias.alias)
    lines = []
    for (model, reason), names in same.items():
        means = "mean" if len(names) > 1 else "means"
        lines.append(f"{' and '.join(names)} {means} {model}: {reason}")
    meant = {alias.model.partition(":")[0] for alias in report.aliases}
    others = [p for p in report.providers if p.ready and p.provider not in meant | {"sim"}]
    lines += [f"also ready: {p.provider}{f' (key {p.key} from {p.origin})' if p.key else ''}" for p in others]
    lines += report.notes
    if meant == {"sim"} and not others:
        hints = [p.hint for p in report.providers if p.provider in {"openai", "anthropic"} and p.hint]
        lines.append(f"for real models: {'; or '.join(hints)}")
    return [clean_line(line) for line in lines]


def simulated(composition: Composition) -> bool:
    """Whether every alias means a simulated model."""
    return all(alias.model.startswith("sim:") for alias in composition.models.describe().aliases)
