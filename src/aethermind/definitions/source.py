"""Reading of YAML that may be hostile or merely wrong: bytes → a located tree.

Rules
- The parser's events are checked one by one *before* anything is built from them: nesting, aliases,
  tags, documents, doubles, number of values. Nothing recursive sees an unchecked file.
- Scalars follow the YAML 1.2 core schema and are never coerced: what other readers would take for a
  boolean, a date or a number in base 60 is marked `odd` and refused by `refuse_odd`.
- Every failure is an `InvalidError` with file, line and column.
"""

from __future__ import annotations

import importlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aethermind.definitions.hints import show
from aethermind.definitions.nodes import Map, Node, Odd, Scalar, Seq, Spot, Text, error
from aethermind.domain.errors import AethermindError, DeniedError, InvalidError, NotFoundError

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_VALUES = 100_000

_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_BOOL_11 = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_ODD = re.compile(
    r"""(?:
        [-+]?0[0-9][0-9_]*(?:\.[0-9_]*)?         # 007: octal for some
      | 0o[0-7_]+ | [-+]?0b[01_]+ | [-+]?0x[0-9a-fA-F]*_[0-9a-fA-F_]*
      | [-+]?[0-9]+_[0-9_]*(?:\.[0-9_]*)?        # 1_000
      | [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?  # 1:30, base 60 for some
      | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}.*)?
    )\Z""",
    re.VERBOSE,
)
_AMBIGUOUS = "is ambiguous: text for some readers, something else for others"
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")


# --- files -------------------------------------------------------------------------------------


def read_bytes(path: Path, name: str, *, regular: bool = False) -> bytes:
    """The file's bytes, at most `MAX_BYTES`. `regular` refuses devices and pipes.

    Raises `NotFoundError`, `DeniedError` (not readable) or `InvalidError`.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (os.O_NONBLOCK if regular else 0))
    except FileNotFoundError:
        raise NotFoundError(f"{show(name, 200)}: there is no such file") from None
    except PermissionError:
        raise DeniedError(f"{show(name, 200)}: not readable", hint="check its owner and mode") from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or "not a usable path"
        raise InvalidError(f"{show(name, 200)}: {reason}") from None
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise InvalidError(f"{show(name, 200)} is a directory, not a file")
        if regular and not stat.S_ISREG(mode):
            raise InvalidError(f"{show(name, 200)} is no regular file")
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(MAX_BYTES + 1)
    except OSError as problem:
        raise InvalidError(f"{show(name, 200)}: {problem.strerror or 'not readable'}") from None
    finally:
        os.close(handle)


def decode(data: bytes, name: str) -> Text:
    """Bytes → text. UTF-8, a byte order mark is taken off; no control characters."""
    source = Text(show(name, 4096), "")
    if len(data) > MAX_BYTES:
        raise source.error(
            "the file is larger than 1 MiB", Spot(1, 1), hint="split it, or move texts to prompt files"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        # The decoder counts from behind a byte order mark.
        shift = 3 if data.startswith(b"\xef\xbb\xbf") else 0
        before = data[shift : shift + problem.start].decode("utf-8", "replace")
        hint = "save it as UTF-8"
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            hint = "this looks like UTF-16: save it as UTF-8"
        raise source.error("this is not UTF-8", _spot_after(before), hint=hint) from None
    if (match := _FORBIDDEN.search(text)) is not None:
        nul = match[0] == "\0"
        what = "a NUL byte" if nul else f"the control character {show(match[0])}"
        raise source.error(
            f"{what} does not belong in a text file",
            _spot_after(text[: match.start()]),
            hint=None
            if nul
            else 'as part of a text it is written as an escape in double quotes, such as "\\e"',
        )
    return Text(source.name, text)


def _spot_after(before: str) -> Spot:
    lines = Text("", before).lines
    return Spot(len(lines), len(lines[-1]) + 1)


# --- YAML --------------------------------------------------------------------------------------


def parse(source: Text) -> Node:
    """Text → located tree. Raises `InvalidError` at the first thing that is wrong."""
    import yaml

    try:
        return _build(source)
    except yaml.MarkedYAMLError as problem:
        raise _explain(source, problem) from None
    except yaml.YAMLError as problem:
        message = getattr(problem, "reason", None) or "this is no YAML"
        raise source.error(show(str(message), 100), Spot(1, 1)) from None


def parse_mapping(source: Text, what: str) -> Map:
    """As `parse`; the file must hold a mapping."""
    root = parse(source)
    if isinstance(root, Scalar) and root.value is None and root.plain:
        raise source.error(
            "the file is empty", Spot(1, 1), hint=f"a {what} is a mapping that begins with `name:`"
        )
    if not isinstance(root, Map):
        raise error(root, f"a {what} is a mapping (`key: value`)")
    return root


def _events(source: Text) -> Iterator[tuple[Any, Spot, Spot]]:
    parser = _parser(source.text)
    try:
        while parser.check_event():
            event = parser.get_event()
            start, end = event.start_mark, event.end_mark
            yield event, Spot(start.line + 1, start.column + 1), Spot(end.line + 1, end.column + 1)
    finally:
        parser.dispose()


def _parser(text: str) -> Any:
    """The parser of libyaml. PyYAML's own takes seconds for 1 MiB and refuses `{note: string?}`."""
    try:
        return importlib.import_module("yaml.cyaml").CParser(text)
    except ImportError:
        raise AethermindError(
            "PyYAML is installed without libyaml",
            hint="pip install --force-reinstall --only-binary :all: pyyaml",
        ) from None


def _build(source: Text) -> Node:
    from yaml import events

    root: Node | None = None
    stack: list[Seq | Map] = []
    keys: list[Scalar | None] = []  # beside each open mapping: the key that waits for its value
    values = documents = 0

    def attach(node: Node) -> None:
        nonlocal root, values
        values += 1
        if values > MAX_VALUES:
            raise error(node, f"the file has more than {MAX_VALUES:,} values")
        if not stack:
            root = node
            return
        parent = stack[-1]
        if isinstance(parent, Seq):
            parent.items.append(node)
            return
        key = keys[-1]
        if key is not None:
            parent.entries[key.text] = node
            keys[-1] = None
        else:
            keys[-1] = _key(source, parent, node)
            values -= 1

    for event, start, end in _events(source):
        kind = type(event)
        if kind is events.ScalarEvent:
            _refuse_extras(source, event, start)
            attach(_scalar(source, event.value, event.implicit[0], start, end))
        elif kind is events.MappingStartEvent or kind is events.SequenceStartEvent:
            _refuse_extras(source, event, start)
            if len(stack) >= MAX_DEPTH:
                raise source.error(f"nested deeper than {MAX_DEPTH} levels", start)
            is_map = kind is events.MappingStartEvent
            node: Seq | Map = Map(source, start, end) if is_map else Seq(source, start, end)
            attach(node)
            stack.append(node)
            keys.append(None)
        elif kind is events.MappingEndEvent or kind is events.SequenceEndEvent:
            stack.pop().end = end
            keys.pop()
        elif kind is events.AliasEvent:
            raise _no_alias(source, "*", event.anchor, start)
        elif kind is events.DocumentStartEvent:
            documents += 1
            if documents > 1:
                hint = "one file holds one document: remove `---`"
                raise source.error("a second document begins here", start, hint=hint)
    if root is None:
        return Scalar(source, Spot(1, 1), Spot(1, 1), None, "")
    return root


def _refuse_extras(source: Text, event: Any, start: Spot) -> None:
    if event.anchor is not None:
        raise _no_alias(source, "&", event.anchor, start)
    if event.tag is not None:
        raise source.error(
            f"tags (`{_short_tag(event.tag)}`) are not allowed", start, hint="write plain values"
        )


def _no_alias(source: Text, sign: str, name: str, start: Spot) -> InvalidError:
    return source.error(
        f"aliases and anchors (`{sign}{show(name, 30)}`) are not allowed",
        start,
        hint=f"write a text that begins with {sign} in quotes",
    )


def _short_tag(tag: str) -> str:
    return show(tag.replace("tag:yaml.org,2002:", "!!", 1), 40)


def _key(source: Text, parent: Map, node: Node) -> Scalar:
    if not isinstance(node, Scalar):
        raise _complex_key(source, node)
    if not isinstance(node.value, str):
        raise error(
            node, f"a key must be text, not {show(node.text, 30) or 'empty'}", hint="write it in quotes"
        )
    if node.text == "<<":
        raise error(node, "merge keys (`<<`) are not allowed", hint="use `defaults:` or repeat the lines")
    if (first := parent.keys.get(node.text)) is not None:
        raise error(node, f"the key `{show(node.text)}` is there twice", hint=f"first on line {first.line}")
    parent.keys[node.text] = node.start
    return node


def _complex_key(source: Text, node: Seq | Map) -> InvalidError:
    line = source.lines[node.start.line - 1][node.start.column - 1 :]
    before = source.lines[node.start.line - 1][: node.start.column - 1]
    if isinstance(node, Map) and ((line.startswith("{") and before.endswith("{")) or line.startswith("{{")):
        column = node.start.column - (1 if before.endswith("{") else 0)
        return source.error(
            "a template that begins with `{{` needs quotes",
            Spot(node.start.line, column),
            hint='write "{{ … }}"',
        )
    return error(node, "a key must be text, not a list or mapping")


def _scalar(source: Text, text: str, plain: bool, start: Spot, end: Spot) -> Scalar:
    if not plain:
        if (bad := re.search("[\0\ud800-\udfff]", text)) is not None:
            what = "NUL" if bad[0] == "\0" else "half of a surrogate pair"
            raise source.error(f"the text contains {what}", start, hint="remove the escape")
        return Scalar(source, start, end, text, text, plain=False)
    value, odd = resolve(text)
    return Scalar(source, start, end, value, text, odd=odd)


def resolve(text: str) -> tuple[str | int | float | bool | None, Odd | None]:
    """A plain scalar by the YAML 1.2 core schema → its value, and what is odd about it."""
    if text in _NULL:
        return None, None
    if text in _BOOL:
        return _BOOL[text], None
    first = text[0]
    if first.isalpha():
        word = _BOOL_11.get(text.lower()) if len(text) <= 3 else None
        if word is not None and text in {text.lower(), text.title(), text.upper()}:
            return text, Odd(_AMBIGUOUS, f'write "{text}" in quotes, or {word}')
        return text, None
    if first not in "0123456789+-.":
        return text, None
    if _INT.match(text):
        if len(text) > 19 or abs(int(text)) >= 1 << 63:
            return text, Odd("is too large for a number", f"if it is text, {_quoted(text)}")
        return int(text), None
    if _HEX.match(text):
        return (int(text, 16), None) if len(text) <= 17 else (text, Odd(_AMBIGUOUS, _quoted(text)))
    if _FLOAT.match(text):
        number = float(text)
        if number in {float("inf"), float("-inf")}:
            return text, Odd("is too large for a number", f"if it is text, {_quoted(text)}")
        return number, None
    if _NO_NUMBER.match(text):
        return text, Odd("is no number that JSON knows", f"if it is text, {_quoted(text)}")
    if _ODD.match(text):
        return text, Odd(_AMBIGUOUS, _quoted(text))
    return text, None


def _quoted(text: str) -> str:
    return f'write it in quotes: "{show(text, 30)}"'


def _explain(source: Text, problem: Any) -> InvalidError:
    mark = problem.problem_mark or problem.context_mark
    if "end of stream" in str(problem.problem) and problem.context_mark is not None:
        mark = problem.context_mark  # where the quote was opened
    spot = Spot(mark.line + 1, mark.column + 1) if mark is not None else Spot(1, 1)
    line = source.lines[spot.line - 1] if spot.line <= len(source.lines) else ""
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    text = str(problem.problem or problem.context or "this is no YAML")
    if "\t" in indent:
        return source.error(
            "a tab cannot indent YAML", Spot(spot.line, indent.index("\t") + 1), hint="use spaces"
        )
    if match := re.search(r"(?:^|[:\-,\[{]\s+)(\{\{|\{%)", line):
        return source.error(
            f"a template that begins with `{match[1]}` needs quotes",
            Spot(spot.line, match.start(1) + 1),
            hint='write "{{ … }}"',
        )
    hint = None
    if "mapping values are not allowed" in text:
        hint = "a text with `: ` in it needs quotes; or the indentation is off"
    elif "cannot start any token" in text:
        hint = "a text that begins with this sign needs quotes"
    elif "found unexpected end of stream" in text:
        hint = "what begins here is not closed"
    elif "Unicode" in text or "escape" in text:
        hint = "in double quotes a backslash starts an escape: use single quotes or `|`"
    elif "did not find expected" in text or "expected" in text:
        hint = "check the indentation and that brackets and quotes are closed"
    return source.error(f"no valid YAML: {show(text, 120)}", spot, hint=hint)
