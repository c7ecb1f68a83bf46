"""Programs of no known format: what they print is the answer (`text`), or fields of JSON lines are (`jsonl`).
They have no terminal marker but their own end, with exit code 0."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from aethermind.engine.ports import ChatEvent, Finished, TextDelta
from aethermind.infra.providers.cli_reading import Answer, cut, object_of, reported_cost, text_of
from aethermind.infra.providers.conversation import usage_of
from aethermind.infra.sanitize import clean

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


class TextReader:
    """See `CliReader`. Each line is text; colours are left out."""

    def __init__(self) -> None:
        self.ended = False
        self.complaint = ""
        self.code = ""
        self._lines: list[str] = []

    def feed(self, line: bytes) -> Iterator[ChatEvent]:
        text = clean(_COLOURS.sub("", line.decode(errors="replace").rstrip("\r")))
        before = "\n" if self._lines else ""
        self._lines.append(text)
        yield TextDelta(before + text)

    def left(self) -> None:
        self.ended = True

    def finish(self) -> Finished:
        return Finished(reason="stop", text="\n".join(self._lines).strip("\n"))


class JsonlReader:
    """See `CliReader`. `fields`: what (`config_file.CLI_FIELDS`) → its path in a line (`message.0.text`).
    `text` is added to the answer, `result` is all of it, `cost` is in dollars."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.ended = False
        self.complaint = ""
        self.code = ""
        self._paths = {name: path.split(".") for name, path in fields.items()}
        self._answer = Answer()
        self._found: dict[str, Any] = {}

    def feed(self, line: bytes) -> Iterator[ChatEvent]:
        event = object_of(line)
        for name, path in self._paths.items():
            value = _at(event, path)
            if value is None:
                continue
            if name == "text":
                yield from self._answer.say(text_of(value))
            elif name == "error":
                self.complaint = cut(str(value))
            else:
                self._found[name] = value

    def left(self) -> None:
        self.ended = True

    def finish(self) -> Finished:
        found = self._found
        return Finished(
            reason="stop",
            usage=usage_of(
                input_tokens=found.get("input_tokens"),
                cached=found.get("cached_input_tokens"),
                output_tokens=found.get("output_tokens"),
                reasoning=found.get("reasoning_tokens"),
            ),
            response_id=str(found["session"]) if "session" in found else None,
            model=str(found["model"]) if "model" in found else None,
            cost=reported_cost(found.get("cost")),
            text=text_of(found["result"]) if "result" in found else None,
        )


def _at(value: Any, path: list[str]) -> Any:
    for step in path:
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict):
            value = value.get(step)
        else:
            return None
    return value
