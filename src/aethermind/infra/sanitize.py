r"""What untrusted text may do to a terminal: nothing.

Text of models, tools and commands is cleaned once where it enters and again where it is drawn. Whatever a
terminal could act on, or a reader could not see, becomes something visible:

    escape and other C0, DEL            control pictures: ␛ ␇ ␡
    C1, bidi, zero-width, tags, …       their number: ⟨U+202E⟩
    more than four stacked accents      their count: ⟨+12⟩
    \r\n                                \n (a bare \r is shown: ␍)

Three uses of invisible characters are honest typography; there they are dropped, since terminals disagree
about the width they cause: variation selectors after a symbol (a red heart), joiners between emoji, joiners
inside words of scripts that join their letters (Persian, Hindi, …).

Pure functions. `clean(clean(s)) == clean(s)`, and what is harmless comes back as the same object.
"""

from __future__ import annotations

import re

# Everything below is written as escapes: an invisible character has no place in a source file either.
_C0 = "\\x00-\\x08\\x0b-\\x1f\\x7f"
_INVISIBLE = (
    "\\x80-\\x9f"  # C1: CSI, OSC, DCS … in one character
    "\\xad"  # soft hyphen
    "\\u034f"  # combining grapheme joiner
    "\\u061c"  # Arabic letter mark
    "\\u115f\\u1160"  # Hangul fillers
    "\\u17b4\\u17b5"  # Khmer inherent vowels
    "\\u180b-\\u180f"  # Mongolian selectors and vowel separator
    "\\u200b-\\u200f"  # zero-width space and joiners, direction marks
    "\\u2028-\\u202e"  # line and paragraph separators, bidi embeddings and overrides
    "\\u2060-\\u206f"  # word joiner, invisible operators, bidi isolates, deprecated format characters
    "\\u3164"  # Hangul filler
    "\\ud800-\\udfff"  # lone surrogates
    "\\ufe00-\\ufe0f"  # variation selectors
    "\\ufeff"  # byte order mark
    "\\uffa0"  # halfwidth Hangul filler
    "\\ufff0-\\ufffb\\ufffe\\uffff"  # unassigned specials, interlinear annotations, non-characters
    "\\U0001bca0-\\U0001bca3"  # shorthand format controls
    "\\U0001d173-\\U0001d17a"  # musical format controls
    "\\U000e0000-\\U000e0fff"  # tags and further variation selectors
)
_ACCENTS = (
    "\\u0300-\\u034e\\u0350-\\u036f\\u0483-\\u0489\\u1ab0-\\u1aff"
    "\\u1dc0-\\u1dff\\u20d0-\\u20ff\\ufe20-\\ufe2f"
)
_SYMBOLS = "#*0-9\\xa9\\xae\\u203c-\\u2049\\u2100-\\u2bff\\u3030\\u303d\\u3297\\u3299\\U0001f000-\\U0001faff"
_JOINING = (
    "\\u0600-\\u060f\\u0620-\\u08ff"  # Arabic, Syriac, …
    "\\u0900-\\u0dff\\u1000-\\u109f\\u1780-\\u17b3\\u17b6-\\u17ff"  # India, Burma, Cambodia
    "\\u1820-\\u18aa"  # Mongolia
)

_STACK = 4
"""Accents on one letter that are still shown."""

_UNSAFE = re.compile(f"[{_C0}{_INVISIBLE}]|[{_ACCENTS}]{{{_STACK + 1}}}")
_UNSAFE_ASCII = re.compile(f"[{_C0}]")
_UNSAFE_LINE = re.compile(f"[\t\n{_C0}{_INVISIBLE}]|[{_ACCENTS}]{{{_STACK + 1}}}")
_UNSAFE_LINE_ASCII = re.compile(f"[\t\n{_C0}]")

_REPLACED = re.compile(
    "(?P<newline>\\r\\n)"
    f"|(?P<typography>(?<=[{_SYMBOLS}])[\\ufe0e\\ufe0f]\\u200d(?=[{_SYMBOLS}])"
    f"|(?<=[{_SYMBOLS}])[\\ufe0e\\ufe0f]"
    "|(?<=[\\u203c-\\u2bff\\U0001f000-\\U0001faff])\\u200d(?=[\\u203c-\\u2bff\\U0001f000-\\U0001faff])"
    f"|(?<=[{_JOINING}])[\\u200c\\u200d](?=[{_JOINING}]))"
    f"|(?<=[{_ACCENTS}]{{{_STACK}}})(?P<stack>[{_ACCENTS}]+)"
    f"|[{_C0}{_INVISIBLE}]"
)
_BREAKS = str.maketrans({"\n": "\u240a", "\t": " "})


def _visible(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if kind == "newline":
        return "\n"
    if kind == "typography":
        return ""
    if kind == "stack":
        return f"\u27e8+{len(match[0])}\u27e9"
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return f"\u27e8U+{code:04X}\u27e9"


def clean(text: str) -> str:
    """Make text of one or more lines harmless; newlines and tabs stay."""
    if not (_UNSAFE_ASCII if text.isascii() else _UNSAFE).search(text):
        return text
    return _REPLACED.sub(_visible, text)


def faithful(text: str) -> str:
    """As `clean`, but honest typography stays: for text that is compared and edited, not drawn."""
    if not (_UNSAFE_ASCII if text.isascii() else _UNSAFE).search(text):
        return text
    return _REPLACED.sub(lambda m: m[0] if m.lastgroup == "typography" else _visible(m), text)


def clean_line(text: str) -> str:
    """Make text harmless and one line: newlines become ␊, tabs a space."""
    if not (_UNSAFE_LINE_ASCII if text.isascii() else _UNSAFE_LINE).search(text):
        return text
    return _REPLACED.sub(_visible, text).translate(_BREAKS)


def is_clean(text: str) -> bool:
    """Whether `clean` would leave the text as it is."""
    return not (_UNSAFE_ASCII if text.isascii() else _UNSAFE).search(text)


def is_clean_line(text: str) -> bool:
    """Whether `clean_line` would leave the text as it is."""
    return not (_UNSAFE_LINE_ASCII if text.isascii() else _UNSAFE_LINE).search(text)
