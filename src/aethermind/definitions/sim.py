"""The file `NAME.sim.yaml` beside a workflow: what its simulated models answer.

    seed: 1
    delay: 200ms
    tokens_per_second: 80
    steps:
      plan: {reply: {sections: [a, b]}, errors: [429]}
      sections: {replies: [first, second], errors_at: {"sections[1]": [timeout]}}
      polish/judge: [{score: 5}, {score: 9}]
      fix: [{tools: [{name: shell, arguments: {argv: [ls]}}]}, done]   # one for each answer of the model
      publish: a plain text
      summary: {reply: as recorded, prompt_digest: "0f1e…"}     # for this prompt alone: `export --sim`

Steps are named by id, by path (`polish/judge`) or by instance (`sections[2]`, `polish#2/judge`). A mapping
with any key that is not listed here is a JSON reply itself. The simulated provider reads the same data.
"""

from __future__ import annotations

from collections.abc import Collection

from aethermind.definitions.hints import closest, did_you_mean, show
from aethermind.definitions.nodes import Map, Node, Scalar, Seq, describe, error
from aethermind.definitions.reading import duration
from aethermind.definitions.scripts import (
    CALL_KEYS,
    NAMED_ERRORS,
    REPLY_KEYS,
    RUN_KEYS,
    STEP_KEYS,
    USAGE_KEYS,
    is_entry,
)
from aethermind.domain.ids import static_id, static_path


def check_script(root: Map, steps: Collection[str] | None) -> None:
    """A whole file. `steps`: ids and paths of the workflow's steps; None: not checked."""
    _check_pace(root)
    _whole_number(root.entries.get("seed"), "seed", low=None)
    body: Node = root
    if "steps" in root.entries:
        body = root.entries["steps"]
        for key in root.entries:
            if key not in RUN_KEYS:
                raise root.key_error(
                    key, f"unknown key `{show(key)}`", hint=did_you_mean(key, RUN_KEYS, label="keys")
                )
        if not isinstance(body, Map):
            raise error(body, f"`steps` should be a mapping of steps to replies, not {describe(body)}")
    assert isinstance(body, Map)
    for name, entry in body.entries.items():
        if body is root and name in RUN_KEYS:
            continue
        if steps is not None and static_path(name) not in steps and static_id(name) not in steps:
            hint = did_you_mean(static_path(name), steps, label="steps")
            raise body.key_error(name, f"the workflow has no step `{show(name)}`", hint=hint)
        check_entry(entry)


def check_settings(node: Node) -> None:
    """`settings: {sim: …}`: one step's entry, or a whole script."""
    if isinstance(node, Map) and "steps" in node.entries:
        check_script(node, None)
    else:
        check_entry(node)


def check_entry(node: Node) -> None:
    """What one step answers."""
    if isinstance(node, Seq):
        if not node.items:
            raise error(node, "an empty list of replies")
        _check_replies(node)
        return
    if not isinstance(node, Map):
        return
    if not is_entry(list(node.entries)):
        foreign = [key for key in node.entries if key not in STEP_KEYS]
        if foreign and {"reply", "replies"} & set(node.entries):
            hint = did_you_mean(foreign[0], STEP_KEYS, label="keys")
            raise node.key_error(foreign[0], f"unknown key `{show(foreign[0])}` beside a reply", hint=hint)
        _check_reply(node)
        return
    if "reply" in node.entries and "replies" in node.entries:
        raise node.key_error("replies", "`reply` and `replies` exclude each other")
    replies = node.entries.get("replies")
    if replies is not None and (not isinstance(replies, Seq) or not replies.items):
        raise error(replies, "`replies` should be a list with at least one reply")
    if isinstance(replies, Seq):
        _check_replies(replies)
    elif "reply" in node.entries:
        _check_reply(node.entries["reply"])
    _check_digests(node, replies)
    _check_pace(node)
    _check_errors(node.entries.get("errors"), "errors")
    at = node.entries.get("errors_at")
    if at is not None:
        if not isinstance(at, Map):
            raise error(
                at, f"`errors_at` should be a mapping, not {describe(at)}", hint='{"sections[2]": [429]}'
            )
        for name, errors in at.entries.items():
            _check_errors(errors, name)
    _check_usage(node.entries.get("usage"))


def _check_replies(replies: Seq) -> None:
    for reply in replies.items:
        _check_reply(reply)


def _check_reply(node: Node) -> None:
    """A reply may be any JSON; what is nearly a call of tools is a slip."""
    if isinstance(node, Seq):  # a conversation, or a list
        for inner in node.items:
            if isinstance(inner, Map):
                _check_reply(inner)
        return
    calls = node.entries.get("tools") if isinstance(node, Map) else None
    if not isinstance(node, Map) or not isinstance(calls, Seq) or not calls.items:
        return
    if not all(isinstance(call, Map) and "name" in call.entries for call in calls.items):
        return
    for call in calls.items:
        assert isinstance(call, Map)
        if _slip(call, CALL_KEYS):
            return
    if _slip(node, REPLY_KEYS):
        return
    for call in calls.items:
        assert isinstance(call, Map)
        if not _is_text(call.entries["name"]):
            raise error(call.entries["name"], "a tool's `name` should be a text")
        arguments = call.entries.get("arguments")
        if arguments is not None and not isinstance(arguments, Map) and not _is_text(arguments):
            raise error(arguments, f"`arguments` should be a mapping, not {describe(arguments)}")
    text = node.entries.get("text")
    if text is not None and not _is_text(text):
        raise error(text, f"`text` beside `tools` should be a text, not {describe(text)}")


def _slip(node: Map, keys: tuple[str, ...]) -> bool:
    """Whether there are other keys than these; refuses what was probably meant to be one of them."""
    foreign = [key for key in node.entries if key not in keys]
    for key in foreign:
        if closest(key, keys) is not None:
            raise node.key_error(
                key, f"unknown key `{show(key)}`", hint=did_you_mean(key, keys, label="keys")
            )
    return bool(foreign)


def _check_digests(node: Map, replies: Node | None) -> None:
    """`prompt_digest`: a text beside `reply`, a list of as many beside `replies`."""
    known = node.entries.get("prompt_digest")
    if known is None:
        return
    if isinstance(replies, Seq):
        texts = known.items if isinstance(known, Seq) else []
        if len(texts) != len(replies.items) or not all(map(_is_text, texts)):
            raise error(known, "`prompt_digest` should be a list of texts, one for each of `replies`")
    elif not _is_text(known) or "reply" not in node.entries:
        raise error(known, "`prompt_digest` should be a text beside `reply`, or a list beside `replies`")


def _is_text(node: Node) -> bool:
    return isinstance(node, Scalar) and isinstance(node.value, str)


def _check_pace(node: Map) -> None:
    if "delay" in node.entries:
        duration(node.entries["delay"])
    speed = node.entries.get("tokens_per_second")
    if speed is None:
        return
    value = speed.value if isinstance(speed, Scalar) else None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 1_000_000:
        raise error(speed, f"`tokens_per_second` should be a number above 0, not {describe(speed)}")


def _check_errors(node: Node | None, label: str) -> None:
    if node is None:
        return
    if not isinstance(node, Seq):
        raise error(node, f"`{show(label)}` should be a list, not {describe(node)}", hint="[429, timeout]")
    for item in node.items:
        value = item.value if isinstance(item, Scalar) else ""
        status = isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599
        if value is not None and not status and value not in NAMED_ERRORS:
            raise error(
                item, f"{describe(item)} is no error", hint="a status from 400 to 599, timeout, drop, or null"
            )


def _check_usage(node: Node | None) -> None:
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return
    if not isinstance(node, Map):
        raise error(node, f"`usage` should be a mapping of token counts, not {describe(node)}")
    for key, child in node.entries.items():
        if key not in USAGE_KEYS:
            raise node.key_error(
                key, f"unknown key `{show(key)}`", hint=did_you_mean(key, USAGE_KEYS, label="keys")
            )
        _whole_number(child, key, low=0)


def _whole_number(node: Node | None, label: str, *, low: int | None) -> None:
    if node is None:
        return
    value = node.value if isinstance(node, Scalar) else None
    if not isinstance(value, int) or isinstance(value, bool) or (low is not None and value < low):
        raise error(
            node,
            f"`{label}` should be a whole number{'' if low is None else ' from 0 on'}, not {describe(node)}",
        )
