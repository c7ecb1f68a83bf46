"""Tools that a provider uses itself (a coding agent): told in the trace as tools of the call, not carried out
here. Rules: what cannot be told any more (the attempt is over) is left out; nothing depends on it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, assert_never

from aethermind.domain.events import AnyEvent, ToolFinished, ToolStarted
from aethermind.engine.live import Note
from aethermind.engine.own_tools import ToolBegan, ToolEnded
from aethermind.engine.reply import recordable

if TYPE_CHECKING:
    from aethermind.engine.calls import Calls
    from aethermind.engine.opened import Opened

Json = Any
MOST = 2_000
"""Tools of one call that are told; an agent that goes on for ever must not fill the log."""


def tell(calls: Calls, opened: Opened, event: ToolBegan | ToolEnded) -> None:
    """Have it recorded, without waiting."""
    fact: AnyEvent
    id_ = recordable(event.id)
    match event:
        case ToolBegan():
            if id_ in opened.tools or len(opened.tools) >= MOST:
                return
            opened.tools[id_] = True
            fact = ToolStarted(
                step=calls.node.path,
                attempt=calls.attempt,
                call=opened.number,
                tool_call_id=id_,
                tool=recordable(event.name),
                arguments=_scrubbed(calls, recordable(event.arguments)),
                effect="command",
            )
        case ToolEnded():
            if not opened.tools.get(id_):
                return
            opened.tools[id_] = False
            fact = ToolFinished(
                step=calls.node.path,
                attempt=calls.attempt,
                call=opened.number,
                tool_call_id=id_,
                result=calls.scrub(event.text),
                is_error=event.is_error,
            )
        case _:
            assert_never(event)
    calls.live.post(Note((fact,)))


def _scrubbed(calls: Calls, arguments: Json) -> Json:
    text = json.dumps(arguments, ensure_ascii=False)
    scrubbed = calls.scrub(text)
    if scrubbed == text:
        return arguments
    try:
        return json.loads(scrubbed)
    except ValueError:
        return {"input": scrubbed}
