"""Whether a function is still the one that a run was recorded with."""

from __future__ import annotations

import hashlib
import inspect
import textwrap
from collections.abc import Callable
from types import CodeType
from typing import Any

_hashes: dict[CodeType, str] = {}


def source_hash(function: Callable[..., Any]) -> str:
    """Changes when the function's source does: 16 hex digits."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        code = getattr(type(function).__call__, "__code__", None)
    if not isinstance(code, CodeType):
        return ""
    if code not in _hashes:
        try:
            text = textwrap.dedent(inspect.getsource(code)).strip().encode()
        except (OSError, TypeError, SyntaxError, IndentationError):
            text = repr(_fingerprint(code)).encode()
        _hashes[code] = hashlib.sha256(text).hexdigest()[:16]
    return _hashes[code]


def _fingerprint(code: CodeType) -> tuple[object, ...]:
    """What a code object does, the same in every process."""
    constants = [
        _fingerprint(c)
        if isinstance(c, CodeType)
        else sorted(map(repr, c))
        if isinstance(c, frozenset)
        else repr(c)
        for c in code.co_consts
    ]
    return code.co_code, constants, code.co_names, code.co_varnames
