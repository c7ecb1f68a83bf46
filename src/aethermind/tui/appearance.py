"""How the screen looks and behaves, changed while it is up, and kept in the config."""

from __future__ import annotations

import asyncio
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from aethermind.domain.errors import AethermindError, InvalidError
from aethermind.tui.actions import REGISTRY
from aethermind.tui.attention import WANTED
from aethermind.tui.config_text import with_value
from aethermind.tui.context import CLIPBOARDS, Settings, hz
from aethermind.tui.glyphs import ASCII, UNICODE
from aethermind.tui.keymap import PRESETS, build, summary
from aethermind.tui.rows.settings import Option, Value

if TYPE_CHECKING:
    from aethermind.tui.app import AethermindApp
    from aethermind.tui.context import Context


def options(app: AethermindApp) -> list[Option]:
    """Everything that can be set, as it is now."""
    now = app.settings
    names = sorted(name for name in app.available_themes if not name.startswith("textual-"))
    preset = str(now.keymap.get("preset", "vim"))
    return [
        Option("theme", "theme", "colours; T shows each as the cursor passes", tuple(names), app.theme),
        Option("density", "density", "dense gives the trace more room", ("normal", "dense"), now.density),
        Option(
            "keymap",
            "keys",
            "like vim, emacs, or only arrows",
            tuple(PRESETS),
            preset,
            "tui.keymap",
            "preset",
        ),
        Option("ascii", "ascii", "words and plain signs only", (False, True), now.ascii),
        Option("animations", "animations", "let what scrolls glide", (False, True), now.animations),
        Option("low_bandwidth", "low bandwidth", "one frame a second", (False, True), now.low_bandwidth),
        Option("clipboard", "clipboard", "how y copies", CLIPBOARDS, now.clipboard),
        Option("notify", "notify", "call when a run ends or waits and nobody looks", WANTED, now.notify),
    ]


def changed(settings: Settings, name: str, value: Value) -> Settings:
    """These settings with one of them set."""
    if name == "keymap":
        return replace(settings, keymap={**settings.keymap, "preset": value})
    if name == "low_bandwidth":
        return replace(settings, low_bandwidth=bool(value), frame_hz=hz(ssh=settings.ssh, slow=bool(value)))
    if name == "density":
        return replace(settings, density=cast(Literal["normal", "dense"], value))
    return replace(settings, **cast(dict[str, Any], {name: value}))


def apply(app: AethermindApp, settings: Settings) -> None:
    """From now on it looks and behaves so."""
    before, app.settings = app.settings, settings
    if not app.no_color and settings.theme != app.theme and settings.theme in app.available_themes:
        app.theme = settings.theme
    if settings.keymap != before.keymap:
        app.keymap = build(REGISTRY, settings.keymap)
        app.set_keymap(dict(app.keymap.overrides))
        if problem := summary(app.keymap, app.key_of("global.keys")):
            app.toast(problem, "warning")
    if settings.ascii != before.ascii:
        app.glyphs = ASCII if settings.ascii else UNICODE
        app.redress()
    app.comfort.settle(settings)
    app.outlet.settle(settings)
    app.animation_level = "full" if settings.animations else "none"
    app.main_screen.set_class(settings.density == "dense", "-dense")
    app.main_screen.chrome.settle(settings)
    app.main_screen.refresh_all()


async def put(context: Context, option: Option, value: Value) -> None:
    """Set it now, and write it into the config; a toast says why that failed."""
    apply(context.app, changed(context.app.settings, option.name, value))
    _ = await _keep(context, option.table, option.key or option.name, value)


async def keep_theme(context: Context, name: str) -> None:
    """This theme from now on; a toast says so."""
    app = context.app
    app.settings = replace(app.settings, theme=name)  # or the next setting would bring the old one back
    app.theme = name
    if await _keep(context, "tui", "theme", name):
        context.toast(f"{name}; the config has it as theme under [tui]")
    elif _config_of(context) is None:
        context.toast(f'{name}, for now. To keep it: theme = "{name}" under [tui] in the config')


def _config_of(context: Context) -> Path | None:
    path: Path | None = getattr(getattr(context.composition, "config", None), "path", None)
    return path


async def _keep(context: Context, table: str, key: str, value: Value) -> bool:
    path = _config_of(context)
    if path is None:
        return False
    try:
        await asyncio.to_thread(write, path, table, key, value)
    except AethermindError as error:
        context.toast(f"for now only: {error.line()}", "warning")
    except OSError as error:
        context.toast(f"for now only: {path}: {error.strerror or error}", "warning")
    else:
        return True
    return False


def write(path: Path, table: str, key: str, value: Value) -> None:
    """Replace the file as a whole, so that nobody reads half of it. Raises `InvalidError`, `OSError`."""
    real = path.resolve()  # one that is linked to stays where it is
    try:
        text = real.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    except UnicodeDecodeError:
        raise InvalidError(f"{path} is not UTF-8") from None
    found = with_value(text, table, key, value)
    real.parent.mkdir(parents=True, exist_ok=True)
    mode = real.stat().st_mode & 0o777 if real.exists() else 0o600
    descriptor, name = tempfile.mkstemp(dir=real.parent, prefix=".config-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(found)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(real)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
