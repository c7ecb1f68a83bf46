"""Theme files as they are mostly written, read without a YAML library (which takes 40 ms before the first
frame): one `key: value` a line, comments on lines of their own. What is written in any other way is left to
YAML; what is read here means the same there.
"""

from __future__ import annotations

import re
from typing import Any

_LINE = re.compile(
    r"""(?:\#.*|[ ]*
      | name:[ ](?P<name>[a-z][a-z0-9-]*)
      | dark:[ ](?P<dark>true|false)
      | (?P<colors>colors:)
      | [ ]{2}(?P<key>[a-z]+):[ ]"(?P<value>\#[0-9a-fA-F]{3,8}|ansi_[a-z_]+)"
    )""",
    re.VERBOSE,
)

_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""Not a text in YAML."""


def parse(text: str) -> Any:
    """The file's data, written in whatever way. Raises `ValueError` in one line."""
    found = read(text)
    if found is not None:
        return found
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"is no YAML ({str(error).splitlines()[0]})") from None


def read(text: str) -> dict[str, Any] | None:
    """The file's data; None: ask YAML."""
    found: dict[str, Any] = {}
    colors: dict[str, str] | None = None
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            return None
        if match["key"]:
            if colors is None or match["key"] in colors:
                return None
            colors[match["key"]] = match["value"]
        if match["name"] in _WORDS:
            return None
        for key in ("name", "dark", "colors"):
            if match[key]:
                if key in found:
                    return None
                found[key] = match[key]
        if match["colors"]:
            found["colors"] = colors = {}
        elif match["name"] or match["dark"]:
            colors = None
    if found.get("colors") == {}:
        return None
    if "dark" in found:
        found["dark"] = found["dark"] == "true"
    return found
