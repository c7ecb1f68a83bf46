"""From a composition to a running TUI: what the command line calls."""

from __future__ import annotations

import getpass
import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from aethermind.domain.errors import InvalidError
from aethermind.domain.who import VIA
from aethermind.engine.client import Attachment
from aethermind.tui.attached import place as place_of
from aethermind.tui.attention import WANTED, Wanted
from aethermind.tui.context import CLIPBOARDS, Engine, Settings, StartIntent, hz

if TYPE_CHECKING:
    from aethermind.bootstrap import Composition
    from aethermind.tui.leaving import Leaving

_KNOWN = frozenset(
    {"theme", "keymap", "low_bandwidth", "ascii", "clipboard", "density", "animations", "notify"}
)


def show(
    engine: Engine,
    composition: Composition,
    *,
    start: StartIntent | None = None,
    ascii: bool | None = None,
    theme: str | None = None,
    low_bandwidth: bool | None = None,
    leaving: Leaving | None = None,
    attached: Attachment | None = None,
    ready: Callable[[], None] = lambda: None,
) -> int:
    """Take the terminal until the user leaves; returns the exit code. The engine must have been started,
    and stays running. Raises what broke the screen, should it break. Flags that are None leave it to the
    config's `[tui]`. `ready` is called when all is loaded, before anything is written to the terminal.
    """
    settings = settings_of(
        composition.config.tui,
        composition.config.environ,
        theme_dirs=(composition.themes_dir, composition.config.path.parent / "themes"),
        ascii=ascii,
        theme=theme,
        low_bandwidth=low_bandwidth,
        attached=attached,
    )
    # Textual reads this at import: its own clock caps how soon a key shows.
    os.environ.pop("TEXTUAL_FPS", None)
    from aethermind.tui.trim import without_palette

    with without_palette():
        from aethermind.tui.app import AethermindApp
    from aethermind.tui.driver import PatientDriver

    app = AethermindApp(
        engine,
        settings=settings,
        start=start,
        composition=composition,
        # In a page it is textual-serve's.
        driver_class=None if os.environ.get("TEXTUAL_DRIVER") else PatientDriver,
        leaving=leaving,
    )
    ready()
    code = app.run()
    if app.failure is not None:
        raise app.failure
    return code if code is not None else app.return_code or 0


def settings_of(
    table: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    theme_dirs: tuple[Path, ...] = (),
    ascii: bool | None = None,
    theme: str | None = None,
    low_bandwidth: bool | None = None,
    attached: Attachment | None = None,
) -> Settings:
    """The table `[tui]` of the config with flags on top. Raises `InvalidError` naming the key."""
    if unknown := set(table) - _KNOWN:
        hint = f"there are {', '.join(sorted(_KNOWN))}"
        raise InvalidError(f"tui: unknown key {min(unknown)!r}", hint=hint)
    ssh = bool(environ.get("SSH_CONNECTION")) or (attached is not None and not attached.local)
    here = place(environ)
    slow = low_bandwidth if low_bandwidth is not None else _flag(table, "low_bandwidth")
    words = ascii if ascii is not None else _flag(table, "ascii") or not _speaks_utf8(environ)
    return Settings(
        theme=theme or _text(table, "theme", "") or default_theme(environ),
        theme_dirs=theme_dirs,
        ascii=words,
        frame_hz=hz(ssh=ssh, slow=slow),
        low_bandwidth=slow,
        density=_density(table),
        animations=_flag(table, "animations") and not ssh,
        clipboard=_clipboard(table),
        notify=_notify(table),
        keymap=_keymap(table),
        place=here if attached is None else place_of(attached, here),
        here=here,
        ssh=ssh,
        attached=attached,
    )


def default_theme(environ: Mapping[str, str]) -> str:
    """Where nobody chose one: the terminal's own colours if it says that it has but sixteen."""
    ending = environ.get("TERM", "").rpartition("-")[2]
    if environ.get("COLORTERM", "").lower() in {"truecolor", "24bit"} or ending in {"", "256color", "kitty"}:
        return "aether-dark"
    paper = environ.get("COLORFGBG", "").rpartition(";")[2]  # `0;15`: black on white
    return "aether-16-light" if paper in {"7", "15"} else "aether-16"


def _flag(table: Mapping[str, Any], name: str) -> bool:
    value = table.get(name, False)
    if not isinstance(value, bool):
        raise InvalidError(f"tui.{name} must be true or false")
    return value


def _text(table: Mapping[str, Any], name: str, default: str) -> str:
    value = table.get(name, default)
    if not isinstance(value, str):
        raise InvalidError(f"tui.{name} must be a text")
    return value


def _keymap(table: Mapping[str, Any]) -> dict[str, Any]:
    value = table.get("keymap", {})
    if not isinstance(value, dict):
        raise InvalidError("tui.keymap must be a table of actions and keys")
    return value


def _clipboard(table: Mapping[str, Any]) -> Literal["auto", "native", "osc52", "file"]:
    wanted = table.get("clipboard", "auto")
    for way in CLIPBOARDS:
        if wanted == way:
            return way
    raise InvalidError(f"tui.clipboard is {', '.join(CLIPBOARDS)}, not {wanted!r}")


def _notify(table: Mapping[str, Any]) -> Wanted:
    wanted = table.get("notify", "auto")
    for way in WANTED:
        if wanted == way:
            return way
    raise InvalidError(f"tui.notify is {', '.join(WANTED)}, not {wanted!r}")


def _density(table: Mapping[str, Any]) -> Literal["normal", "dense"]:
    wanted = table.get("density", "normal")
    if wanted not in {"normal", "dense"}:
        raise InvalidError(f"tui.density is normal or dense, not {wanted!r}")
    return "dense" if wanted == "dense" else "normal"


def _speaks_utf8(environ: Mapping[str, str]) -> bool:
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or "C.UTF-8"
    return locale in {"C", "POSIX"} or "utf" in locale.lower()


def place(environ: Mapping[str, str]) -> str:
    """`me@box`: worth knowing where several terminals look alike."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = environ.get("USER", "")
    host = platform.node().partition(".")[0]
    return f"{user}@{host}" if user and host and VIA not in user else user or host
