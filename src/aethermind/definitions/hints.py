"""Words of error messages: did-you-mean, and harmless excerpts of what somebody wrote."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def show(text: str, limit: int = 60) -> str:
    """`text` on one line and safe to print: control, bidi and surrogate characters escaped, long ones cut."""
    cut = text[:limit]
    out = "".join(_escape(c) if unicodedata.category(c) in _UNSAFE else c for c in cut)
    return out + "…" if len(text) > limit else out


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, or None."""
    from difflib import get_close_matches

    if len(word) > 100:
        return None
    names = {k.lower(): k for k in known if len(k) <= 100}
    if len(names) > 5_000:  # difflib compares each: enough for any list that a person made
        names = {k: v for k, v in names.items() if k[:1] == word[:1].lower()}
        names = dict(list(names.items())[:5_000])
    found = get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return names[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str], *, label: str = "known") -> str | None:
    """A hint: `did you mean X?`, else the list of what there is (if it is short), else None."""
    names = list(known)
    if (match := closest(word, names)) is not None:
        return f"did you mean `{show(match)}`?"
    if not names:
        return None
    if len(names) <= 12:
        return f"{label}: {', '.join(show(n, 40) for n in names)}"
    return None
