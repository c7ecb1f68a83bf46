"""Calls one function in the user's interpreter: `python runner.py [MODE] MODULE:FUNCTION FD`.

Modes: `call` (as it is if none is given), `tool` (the same, arguments converted to what the function's
annotations say), `describe` (what it takes: see `signature.py`).

Runs where this package is not installed, so: one file, the standard library only, Python 3.8 or later.
Arguments come as a JSON object on standard input. The answer goes to the descriptor FD, so that what the
function prints stays output: `{"value": …}` or `{"error": {"kind", "message", "hint", "detail"}}`.
"""

# ruff: noqa: PTH100, PTH109, PTH120 - pathlib is not worth its import in every call
from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

DETAIL = 20000
"""Characters of a traceback that are kept: its end."""


DEPTH = 200
"""Levels of lists and mappings in a value."""


class Failed(Exception):
    """The call cannot be made, or its value cannot be handed over."""

    def __init__(self, kind: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.hint = hint


def main() -> None:
    *modes, target, number = sys.argv[1:]
    mode, fd = modes[0] if modes else "call", int(number)
    os.set_inheritable(fd, False)
    arguments = json.loads(sys.stdin.buffer.read())
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]  # a file
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [os.getcwd()] + [path for path in sys.path if os.path.abspath(path) != here]
    sys.argv = [target]
    try:
        answer = '{"value": ' + as_json(target, perform(mode, target, arguments)) + "}"
    except Failed as failed:
        answer = error(failed.kind, str(failed), hint=failed.hint)
    except BaseException as raised:  # noqa: BLE001 - whatever the function raised is the answer
        answer = exception(raised)
    with open(fd, "wb") as out:
        out.write(answer.encode())


def perform(mode: str, target: str, arguments: dict[str, Any]) -> Any:
    function = find(target)
    if mode == "call":
        return call(function, arguments)
    signature = beside("signature")
    try:
        if mode == "describe":
            return signature.describe(function)
        arguments = signature.convert(function, arguments)
    except signature.Undescribed as problem:
        kind = "not_found" if mode == "describe" else "exception"
        raise Failed(kind, f"{target}: {problem}") from None
    return call(function, arguments)


def beside(name: str) -> Any:
    """A file beside this one, under a name that hides none of the user's modules."""
    import importlib.util

    path = os.path.dirname(os.path.abspath(__file__)) + os.sep + name + ".py"
    spec = importlib.util.spec_from_file_location("_aethermind_" + name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(function: Any, arguments: dict[str, Any]) -> Any:
    import inspect

    value = function(**arguments)
    if inspect.isawaitable(value):
        import asyncio

        async def finish() -> Any:
            return await value

        return asyncio.run(finish())
    return value


def find(target: str) -> Any:
    module_name, colon, path = target.partition(":")
    if not (module_name and colon and path):
        raise Failed("not_found", f"{target!r} does not name a function", "write module:function")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as missing:
        if missing.name and (module_name + ".").startswith(missing.name + "."):
            raise Failed(
                "not_found",
                f"there is no Python module {missing.name!r}",
                did_you_mean(missing.name.rpartition(".")[2], siblings(missing.name))
                or f"looked in {os.getcwd()} and the packages of {sys.executable}",
            ) from None
        raise
    for name in path.split("."):
        if not hasattr(found, name):
            public = [n for n in dir(found) if not n.startswith("_") and callable(getattr(found, n, None))]
            place = f"looked in {getattr(found, '__file__', None) or module_name}"
            hint = did_you_mean(name, public) or place
            raise Failed("not_found", f"{module_name} has no {path!r}", hint)
        found = getattr(found, name)
    if not callable(found):
        raise Failed("not_found", f"{target} is no function but of type {type(found).__name__}")
    return found


def siblings(module_name: str) -> list[str]:
    import pkgutil

    parent = sys.modules.get(module_name.rpartition(".")[0])
    path = getattr(parent, "__path__", None) if parent else [os.getcwd()]
    return [info.name for info in pkgutil.iter_modules(path or [])]


def did_you_mean(name: str, names: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]}?" if close else ""


def as_json(target: str, value: Any) -> str:
    try:
        problem = misfit(value, "", ())
        if not problem:
            return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as raised:
        problem = f"a value that JSON cannot hold ({raised})"
    raise Failed("output", f"{target} returned {problem}", "return None, bool, int, float, str, list or dict")


def misfit(value: Any, path: str, above: tuple[int, ...]) -> str:
    """What in `value` JSON cannot hold, and where; empty if nothing."""
    where = f" at {path}" if path else ""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return f"text with half a surrogate pair{where}"
        return ""
    if isinstance(value, float):
        return "" if abs(value) < float("inf") else f"{value}{where}, which JSON does not know"
    if value is None or isinstance(value, int):
        return ""
    if id(value) in above:
        return f"a value that contains itself{where}"
    if len(above) >= DEPTH:
        return f"a value that is nested more than {DEPTH} levels deep"
    above = (*above, id(value))
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                return f"a mapping{where} with the key {key!r:.40}, which is not text"
            problem = misfit(key, path, ()) or misfit(item, f"{path}.{key}" if path else key, above)
            if problem:
                return problem
        return ""
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            problem = misfit(item, f"{path}[{index}]", above)
            if problem:
                return problem
        return ""
    return f"a value of type {type(value).__name__}, which is not JSON{where}"


def exception(raised: BaseException) -> str:
    import traceback

    hint = ""
    if isinstance(raised, SystemExit):
        message = f"it called sys.exit({raised.code!r})"
    else:
        try:
            text = str(raised)
        except Exception:  # noqa: BLE001 - a __str__ of the user's may do anything
            text = ""
        message = type(raised).__name__ + (": " + text if text else "")
        if isinstance(raised, ModuleNotFoundError) and raised.name:
            hint = f"{raised.name} is not installed for {sys.executable}"
    detail = "".join(traceback.format_exception(type(raised), raised, users_part(raised)))
    return error("exception", message, hint=hint, detail=detail)


def users_part(raised: BaseException) -> Any:
    """The traceback without the frames of this file and of the machinery that it starts."""
    machinery = tuple(
        os.path.dirname(os.path.abspath(module.__file__)) + os.sep
        for module in (sys.modules.get("asyncio"), importlib)
        if module is not None and module.__file__
    )
    traceback = raised.__traceback__
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        if not (name == __file__ or name.startswith("<frozen importlib") or name.startswith(machinery)):
            break
        traceback = traceback.tb_next
    return traceback


def error(kind: str, message: str, *, hint: str = "", detail: str = "") -> str:
    record = {"kind": kind, "message": message[:2000], "hint": hint[:500], "detail": detail[-DETAIL:]}
    # What the user's text holds of half surrogate pairs must not keep it from being read.
    record = {key: text.encode(errors="replace").decode() for key, text in record.items()}
    return json.dumps({"error": record})


if __name__ == "__main__":
    main()
