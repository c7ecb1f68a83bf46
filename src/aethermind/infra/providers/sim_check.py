"""Problems of a `.sim.yaml`, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aethermind.domain.ids import static_id
from aethermind.infra.providers.durations import parse_ms
from aethermind.infra.providers.names import did_you_mean
from aethermind.infra.providers.sim_script import (
    NAMED_ERRORS,
    RUN_KEYS,
    STEP_KEYS,
    USAGE_KEYS,
    is_entry,
    steps_in,
)


def check_sim(data: object, *, steps: Mapping[str, object] | list[str] | None = None) -> list[str]:
    """What is wrong with the content of a `.sim.yaml`, each problem one line that begins with its place:
    `steps.plan.errors[0]: …`. Empty: all is well. `steps`: the workflow's step ids, to find misspelt ones."""
    return list(_problems(data, steps))


def _problems(data: Any, known: Mapping[str, object] | list[str] | None) -> Iterator[str]:
    if not isinstance(data, Mapping):
        yield "a script is a mapping of steps to replies"
        return
    yield from _pace("", data)
    if "seed" in data and not _whole(data["seed"]):
        yield f"seed: a whole number is wanted, not {data['seed']!r:.40}"
    if "steps" in data:
        if not isinstance(data["steps"], Mapping):
            yield "steps: a mapping of steps to replies is wanted"
            return
        for name in data:
            if name not in RUN_KEYS:
                yield f"{name}: unknown key{_hint(str(name), RUN_KEYS)}"
    entries: Mapping[Any, object] = steps_in(data)
    for name, entry in entries.items():
        place = f"steps.{name}" if "steps" in data else str(name)
        if not isinstance(name, str):
            yield f"{place}: a step's name is text"
            continue
        if known is not None and _base(name) not in known:
            yield f"{place}: no such step{_hint(_base(name), [str(step) for step in known])}"
        yield from _entry(place, entry)


def _entry(place: str, entry: object) -> Iterator[str]:
    if isinstance(entry, list):
        if not entry:
            yield f"{place}: an empty list of replies"
        return
    if not isinstance(entry, Mapping):
        return
    if not is_entry(entry):
        # A mapping with one foreign key is a JSON reply; beside `reply` it is a slip.
        if {"reply", "replies"} & set(entry):
            for name in entry:
                if name not in STEP_KEYS:
                    yield f"{place}.{name}: unknown key{_hint(str(name), STEP_KEYS)}"
        return
    yield from _pace(f"{place}.", entry)
    if "reply" in entry and "replies" in entry:
        yield f"{place}: reply and replies exclude each other"
    if "replies" in entry and (not isinstance(entry["replies"], list) or not entry["replies"]):
        yield f"{place}.replies: a list with at least one reply is wanted"
    yield from _digests(place, entry)
    yield from _errors(f"{place}.errors", entry.get("errors"))
    at = entry.get("errors_at")
    if at is not None and not isinstance(at, Mapping):
        yield f'{place}.errors_at: a mapping such as {{"sections[2]": [429]}} is wanted'
    elif at is not None:
        for name, errors in at.items():
            yield from _errors(f"{place}.errors_at.{name}", errors)
    yield from _usage(f"{place}.usage", entry.get("usage"))


def _digests(place: str, entry: Mapping[Any, Any]) -> Iterator[str]:
    if "prompt_digest" not in entry:
        return
    known, replies = entry["prompt_digest"], entry.get("replies")
    if isinstance(replies, list):
        if not isinstance(known, list) or len(known) != len(replies) or not all(map(_text, known)):
            yield f"{place}.prompt_digest: a list of texts is wanted, one for each of `replies`"
    elif "reply" not in entry or not _text(known):
        yield f"{place}.prompt_digest: a text beside `reply`, or a list beside `replies`, is wanted"


def _text(value: object) -> bool:
    return isinstance(value, str)


def _pace(prefix: str, data: Mapping[Any, Any]) -> Iterator[str]:
    if data.get("delay") is not None:
        try:
            parse_ms(data["delay"])
        except ValueError as error:
            yield f"{prefix}delay: {error}"
    speed = data.get("tokens_per_second")
    if speed is not None and (isinstance(speed, bool) or not isinstance(speed, int | float) or not speed > 0):
        yield f"{prefix}tokens_per_second: a positive number is wanted, not {speed!r:.40}"


def _errors(place: str, errors: object) -> Iterator[str]:
    if errors is None:
        return
    if not isinstance(errors, list):
        yield f"{place}: a list is wanted, such as [429, timeout]"
        return
    for index, error in enumerate(errors):
        if error is None or error in NAMED_ERRORS or (_whole(error) and 400 <= error <= 599):
            continue
        wanted = "a status from 400 to 599, timeout, drop or null"
        yield f"{place}[{index}]: {wanted} is wanted, not {error!r:.40}"


def _usage(place: str, usage: object) -> Iterator[str]:
    if usage is None:
        return
    if not isinstance(usage, Mapping):
        yield f"{place}: a mapping of token counts is wanted"
        return
    for name, count in usage.items():
        if name not in USAGE_KEYS:
            yield f"{place}.{name}: unknown key{_hint(str(name), USAGE_KEYS)}"
        elif not _whole(count) or count < 0:
            yield f"{place}.{name}: a whole number from 0 on is wanted, not {count!r:.40}"


def _base(name: str) -> str:
    return static_id(name)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _hint(word: str, options: Any) -> str:
    hint = did_you_mean(word, options)
    return f" ({hint})" if hint else ""
