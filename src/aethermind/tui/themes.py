"""Colours: theme files, and what a named style of a row looks like under the theme in force.

A theme file is YAML: `name`, `dark`, `colors`. Of the colours `background`, `foreground` and `primary` are
needed, all others are derived where they are missing. A bad file is a `ThemeProblem` and never more.

Rows name styles (`failed`, `bar.ok`, `money`); `Palette.style` gives the look. Without colours
(`NO_COLOR`) a palette is made of bold, dim, underlined and reversed text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.style import Style
from textual.color import Color, ColorParseError
from textual.theme import Theme

from aethermind.tui import plain_theme
from aethermind.tui.looks import BARS, BOLD, FILLED, FROM, PLAIN

FALLBACK = "aether-dark"
NEEDED = ("background", "foreground", "primary")
DERIVED = {
    # name: (base, blended towards, how far)
    "surface": ("background", "foreground", 0.03),
    "panel": ("background", "foreground", 0.08),
    "muted": ("foreground", "background", 0.35),
    "faint": ("foreground", "background", 0.58),
    "border": ("background", "foreground", 0.22),
    "cursor": ("background", "primary", 0.22),
    "focus": ("primary", "primary", 0),
    "secondary": ("primary", "foreground", 0.3),
    "accent": ("primary", "primary", 0),
    "money": ("foreground", "foreground", 0),
}
STATES = {
    "ok": "#4ebf71",
    "running": "#4fa8e8",
    "waiting": "#e0b050",
    "gate": "#e8935a",
    "failed": "#e0566f",
    "doubt": "#c884e0",
    "star": "#e8c84e",
}
COLORS = (*NEEDED, *DERIVED, *STATES)
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}\Z")
_MAX_BYTES = 64_000


@dataclass(frozen=True)
class ThemeProblem(Exception):
    """Why a theme file cannot be used: one line."""

    path: Path
    what: str

    def __str__(self) -> str:
        return f"{self.path.name}: {self.what}"


def load_file(path: Path) -> Theme:
    """Read and check a theme. Raises `ThemeProblem`."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ThemeProblem(path, "too large for a theme")
        data = plain_theme.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # a wrong encoding is a ValueError, too
        raise ThemeProblem(path, str(error)) from None
    return read(data, path)


def read(data: Any, path: Path) -> Theme:
    """A theme from the data of its file. Raises `ThemeProblem`."""
    if not isinstance(data, dict):
        raise ThemeProblem(path, "must be a mapping with name, dark and colors")
    unknown = set(data) - {"name", "dark", "colors"}
    if unknown:
        raise ThemeProblem(path, f"unknown key {min(map(str, unknown))!r}")
    name = data.get("name", path.stem)
    if not isinstance(name, str) or not _NAME.match(name):
        raise ThemeProblem(path, "name must be of a-z, 0-9, - and _")
    dark = data.get("dark", True)
    if not isinstance(dark, bool):
        raise ThemeProblem(path, "dark must be true or false")
    colors = data.get("colors")
    if not isinstance(colors, dict):
        raise ThemeProblem(path, "colors must be a mapping")
    return theme(name, _checked(colors, path), dark=dark)


def _checked(colors: Mapping[Any, Any], path: Path) -> dict[str, Color]:
    found: dict[str, Color] = {}
    for name, value in colors.items():
        if name not in COLORS:
            raise ThemeProblem(path, f"unknown colour {name!r} (there are {', '.join(COLORS)})")
        try:
            found[name] = Color.parse(value) if isinstance(value, str) else _no_color(value)
        except (ColorParseError, ValueError):
            raise ThemeProblem(path, f"colors.{name}: {value!r} is no colour") from None
        if found[name].a != 1:
            raise ThemeProblem(path, f"colors.{name}: {value!r} must be opaque")
    if missing := [name for name in NEEDED if name not in found]:
        raise ThemeProblem(path, f"colors.{missing[0]} is missing")
    return found


def _no_color(value: object) -> Color:
    raise ValueError(value)


def theme(name: str, given: Mapping[str, Color], *, dark: bool) -> Theme:
    """The Textual theme of these colours; ours are in its variables as `aether-…`."""
    colors = complete(given)
    value = {key: color.hex for key, color in colors.items()}
    sixteen = colors["background"].ansi is not None
    return Theme(
        name=name,
        dark=dark,
        ansi=sixteen,
        primary=value["primary"],
        secondary=value["secondary"],
        accent=value["accent"],
        foreground=value["foreground"],
        background=value["background"],
        surface=value["surface"],
        panel=value["panel"],
        success=value["ok"],
        warning=value["waiting"],
        error=value["failed"],
        variables={
            **{f"aether-{key}": hex_ for key, hex_ in value.items()},
            "border": value["focus"],
            "border-blurred": value["border"],
            "block-cursor-background": value["focus"],
            "block-cursor-foreground": value["background"],
            "block-cursor-text-style": "bold",
            "block-cursor-blurred-background": value["cursor"],
            "block-cursor-blurred-foreground": value["foreground"],
            "input-selection-background": value["cursor"],
            "scrollbar": value["border"],
            "scrollbar-hover": value["muted"],
            "scrollbar-active": value["focus"],
            "scrollbar-background": value["background"],
            "scrollbar-background-hover": value["background"],
            "scrollbar-background-active": value["background"],
            "scrollbar-corner-color": value["background"],
            "footer-key-foreground": value["focus"],
            **(_sixteen(value["focus"], dark=dark) if sixteen else {}),
        },
    )


def _sixteen(focus: str, *, dark: bool) -> dict[str, str]:
    """What the terminal's own background can't be used for: colours of text on colours."""
    ink, paper = ("ansi_black", "ansi_white") if dark else ("ansi_bright_white", "ansi_black")
    return {
        "ansi-background": "ansi_black" if dark else "ansi_bright_white",
        "ansi-foreground": paper,
        "block-cursor-foreground": ink,
        # Textual writes in the foreground's colour on this, whatever it is.
        "block-cursor-blurred-foreground": "ansi_default",
        "block-cursor-blurred-background": "ansi_blue" if dark else "ansi_cyan",
        "input-cursor-background": paper,
        "input-cursor-foreground": ink,
        "input-selection-background": focus,
        "input-selection-foreground": ink,
        "screen-selection-background": focus,
        "screen-selection-foreground": ink,
    }


def complete(given: Mapping[str, Color]) -> dict[str, Color]:
    """All colours: the given ones, and what follows from them."""
    colors = {name: Color.parse(value) for name, value in STATES.items()} | dict(given)
    for name, (base, towards, amount) in DERIVED.items():
        if name not in colors:
            colors[name] = blend(colors[base], colors[towards], amount)
    return colors


def blend(base: Color, towards: Color, amount: float) -> Color:
    """Colours of the terminal's own sixteen can't be mixed: they stay as they are."""
    if base.ansi is not None or towards.ansi is not None or not amount:
        return base
    return base.blend(towards, amount, alpha=1)


def load_dirs(dirs: Iterable[Path]) -> tuple[dict[str, Theme], list[ThemeProblem]]:
    """All themes of these directories by name (a later one of the same name wins), and what is wrong."""
    found: dict[str, Theme] = {}
    problems: list[ThemeProblem] = []
    for directory in dirs:
        for path in sorted(directory.glob("*.yaml")) if directory.is_dir() else ():
            try:
                loaded = load_file(path)
            except ThemeProblem as problem:
                problems.append(problem)
            else:
                found[loaded.name] = loaded
    return found, problems


def find(dirs: Iterable[Path], name: str) -> Theme | ThemeProblem | None:
    """The theme of this name, looked for by its file's name; the last directory that has it wins."""
    for directory in reversed(list(dirs)):
        path = directory / f"{name}.yaml"
        if path.is_file():
            try:
                return load_file(path)
            except ThemeProblem as problem:
                return problem
    return None


def stamps(dirs: Iterable[Path]) -> dict[Path, int]:
    """Theme files and when they were changed (ns)."""
    found: dict[Path, int] = {}
    for directory in dirs:
        for path in directory.glob("*.yaml") if directory.is_dir() else ():
            try:
                found[path] = path.stat().st_mtime_ns
            except OSError:
                continue
    return found


def fallback() -> Theme:
    """Good enough to read, should the files be gone."""
    given = zip(NEEDED, ("#0b0e15", "#ccd6e5", "#8f7bff"), strict=True)
    return theme(FALLBACK, {k: Color.parse(v) for k, v in given}, dark=True)


# --- looks -------------------------------------------------------------------------------------


class Palette:
    """What styles look like: made anew when the theme changes."""

    def __init__(self, variables: Mapping[str, str], *, no_color: bool = False) -> None:
        self.no_color = no_color
        self._styles: dict[tuple[str, str], Style] = {}
        self._known: dict[Style, Style] = {}
        """Names that look the same share one object: what is compared is only whether it is the same."""
        self._colors = complete(_of_variables(variables)) if not no_color else {}

    def style(self, name: str, under: str = "") -> Style:
        """`under`: "" on the plain background, `cursor` or `blur` on the row of the cursor."""
        key = (name, under)
        found = self._styles.get(key)
        if found is None:
            made = self._plain(name, under) if self.no_color else self._make(name, under)
            found = self._styles[key] = self._known.setdefault(made, made)
        return found

    def _plain(self, name: str, under: str) -> Style:
        style = (
            Style(reverse=True)
            if name.startswith("bar.") and name.endswith(".r")
            else PLAIN.get(name, Style())
        )
        if under == "cursor":
            return style + Style(reverse=not style.reverse)
        return style + Style(underline=True) if under else style

    def _make(self, name: str, under: str) -> Style:
        background = self._background(under)
        ansi = background.ansi is not None
        if name in FILLED:
            paper, ink = self._colors[FILLED[name]].rich_color, self._colors["background"].rich_color
            if ansi:  # the terminal's own background can't be named as a colour of text
                return Style(color=paper, bgcolor=ink, bold=True, reverse=True)
            return Style(color=ink, bgcolor=paper, bold=True)
        reverse = name.startswith("bar.") and name.endswith(".r")
        color = self._color(name.removesuffix(".r") if reverse else name)
        if ansi and under == "cursor":  # one plain bar: reversed colours would make it a rainbow
            ink = self._colors["foreground"].rich_color
            return Style(color=ink, bgcolor=background.rich_color, bold=name in BOLD, reverse=not reverse)
        if reverse and ansi:
            return Style(color=color.rich_color, bgcolor=background.rich_color, reverse=True)
        if reverse:
            return Style(color=background.rich_color, bgcolor=color.rich_color)
        return Style(
            color=color.rich_color,
            bgcolor=background.rich_color,
            bold=name in BOLD or name.startswith("head."),
            dim=ansi and name in {"faint", "key.off", "guide", "ruler", "pending", "skipped"},
            underline=ansi and under == "blur",
        )

    def _background(self, under: str) -> Color:
        colors = self._colors
        if under == "cursor":
            return colors["cursor"]
        if under == "blur":
            return blend(colors["background"], colors["cursor"], 0.5)
        return colors["background"]

    def _color(self, name: str) -> Color:
        colors = self._colors
        if name.startswith("bar."):
            kind = name[4:]
            call = kind.startswith("call.")
            base, amount = BARS.get(kind.removeprefix("call."), ("foreground", 0.3))
            return blend(colors[base], colors["background"], min(amount + (0.3 if call else 0), 0.8))
        name = name.removeprefix("head.")
        return colors.get(FROM.get(name, name), colors["foreground"])


def _of_variables(variables: Mapping[str, str]) -> dict[str, Color]:
    """Our colours out of a theme's variables; of a theme of Textual's own, the nearest."""
    near = {
        "background": "background",
        "foreground": "foreground",
        "primary": "primary",
        "secondary": "secondary",
        "accent": "accent",
        "ok": "success",
        "running": "primary",
        "waiting": "warning",
        "gate": "warning",
        "failed": "error",
        "doubt": "secondary",
        "star": "warning",
        "focus": "accent",
    }
    found: dict[str, Color] = {}
    for name in COLORS:
        value = variables.get(f"aether-{name}") or variables.get(near.get(name, ""))
        if value is None:
            continue
        try:
            found[name] = Color.parse(value)
        except ColorParseError:
            continue
    found.setdefault("background", Color.parse("ansi_default"))
    found.setdefault("foreground", Color.parse("ansi_default"))
    found.setdefault("primary", found["foreground"])
    return found
