from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import yaml
from textual.color import Color
from textual.theme import BUILTIN_THEMES

from aethermind.tui import plain_theme, themes
from aethermind.tui.rows.draw import STYLE
from aethermind.tui.themes import COLORS, Palette, ThemeProblem
from tests.tui.histories import research
from tests.tui.sight import SIGHTS, Sight, contrast, difference
from tests.tui.theatre import THEMES, lines, make, playing, settle

OWN = ("aether-dark", "aether-light", "colour-blind", "ember", "high-contrast")
SIXTEEN = ("aether-16", "aether-16-light")
SMALL = "colors:\n  background: '#000'\n  foreground: '#fff'\n  primary: '#88f'\n"


def write(directory: Path, name: str, text: str) -> Path:
    path = directory / f"{name}.yaml"
    path.write_text(text)
    return path


def test_ours_are_all_there_and_whole() -> None:
    found, problems = themes.load_dirs([THEMES])
    assert not problems
    assert sorted(found) == sorted((*OWN, *SIXTEEN))
    for theme in found.values():
        assert {f"aether-{name}" for name in COLORS} <= set(theme.variables)


@pytest.mark.parametrize("name", OWN)
def test_ours_can_be_read(name: str) -> None:
    """Text at 4.5:1 or more, what is quiet at 2.7:1, and in high contrast everything at 7:1."""
    theme = themes.find([THEMES], name)
    assert not isinstance(theme, ThemeProblem | None)
    colors = {key: Color.parse(theme.variables[f"aether-{key}"]) for key in COLORS}
    loud = 7.0 if name == "high-contrast" else 4.5
    quiet = 7.0 if name == "high-contrast" else 2.7
    for under in ("background", "cursor"):
        for key in ("foreground", "muted", "ok", "running", "waiting", "gate", "failed", "doubt", "money"):
            least = loud if under == "background" else 3.0
            assert contrast(colors[key], colors[under]) >= least, (key, under)
    assert contrast(colors["faint"], colors["background"]) >= quiet
    assert contrast(colors["cursor"], colors["background"]) >= 1.1


def test_blue_and_orange_for_those_who_do_not_tell_red_from_green() -> None:
    """Seen without the difference of red and green, what is well and what failed still differ."""
    theme = themes.find([THEMES], "colour-blind")
    assert not isinstance(theme, ThemeProblem | None)
    well, bad = (Color.parse(theme.variables[f"aether-{name}"]) for name in ("ok", "failed"))
    assert well.b - bad.b > 120


def colors_of(name: str) -> dict[str, Color]:
    theme = themes.find([THEMES], name)
    assert not isinstance(theme, ThemeProblem | None)
    return {key: Color.parse(theme.variables[f"aether-{key}"]) for key in COLORS}


@pytest.mark.parametrize("name, least", [("colour-blind", 30.0), ("high-contrast", 10.0)])
@pytest.mark.parametrize("sight", [None, *SIGHTS])
def test_states_are_told_apart_with_any_one_kind_of_cone_missing(
    name: str, least: float, sight: Sight | None
) -> None:
    colors = colors_of(name)
    states = ("ok", "running", "waiting", "gate", "failed", "doubt")
    near = {
        (one, other): difference(colors[one], colors[other], sight)
        for one, other in itertools.combinations(states, 2)
    }
    assert min(near.values()) >= least, min(near, key=lambda pair: near[pair])


def test_the_measures_are_those_of_the_books() -> None:
    black, white, red, green = (Color.parse(c) for c in ("#000", "#fff", "#ff0000", "#008000"))
    assert contrast(black, white) == pytest.approx(21.0)
    assert contrast(Color.parse("#777777"), white) == pytest.approx(4.48, abs=0.01)
    assert difference(black, white) == pytest.approx(100.0, abs=0.1)
    assert difference(red, red, "protanopia") == 0
    assert difference(red, green) > 120
    assert difference(red, green, "protanopia") < 60


@pytest.mark.parametrize("name", SIXTEEN)
def test_themes_of_sixteen_colours_name_no_other(name: str) -> None:
    colors = colors_of(name)
    assert all(color.ansi is not None for color in colors.values())
    assert len({colors[state].ansi for state in ("ok", "running", "waiting", "gate", "failed", "doubt")}) == 6
    theme = themes.find([THEMES], name)
    assert not isinstance(theme, ThemeProblem | None)
    assert theme.ansi
    palette = Palette(theme.variables)
    for style in {*STYLE.values(), "brand", "match", "key.off"}:
        for under in ("", "cursor", "blur"):
            for color in (palette.style(style, under).color, palette.style(style, under).bgcolor):
                assert color is None or color.triplet is None


def test_a_small_theme_is_enough(tmp_path: Path) -> None:
    theme = themes.load_file(write(tmp_path, "tiny", SMALL))
    assert theme.name == "tiny"
    assert theme.dark
    assert theme.variables["aether-muted"].startswith("#")


@pytest.mark.parametrize(
    "text, why",
    [
        ("", "must be a mapping"),
        ("[1, 2]", "must be a mapping"),
        ("colors: {a: [", "is no YAML"),
        ("name: ../x\n" + SMALL, "name must be"),
        ("dark: maybe\n" + SMALL, "dark must be"),
        ("colors: red", "colors must be"),
        ("shine: 1\n" + SMALL, "unknown key 'shine'"),
        (SMALL + "  shiny: '#fff'\n", "unknown colour 'shiny'"),
        (SMALL + "  ok: greenish\n", "colors.ok: 'greenish' is no colour"),
        (SMALL + "  ok: 17\n", "colors.ok: 17 is no colour"),
        (SMALL + "  ok: '#ffffff80'\n", "must be opaque"),
        ("colors: {background: '#000', foreground: '#fff'}", "colors.primary is missing"),
        ("!!python/object/apply:os.system [true]", "is no YAML"),
        ("colors: " + "x" * 70_000, "too large"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ThemeProblem) as caught:
        themes.load_file(write(tmp_path, "bad", text))
    assert str(caught.value).startswith("bad.yaml: ")
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ThemeProblem):
        themes.load_file(path)
    with pytest.raises(ThemeProblem):
        themes.load_file(tmp_path / "none.yaml")


def test_a_users_theme_comes_before_ours(tmp_path: Path) -> None:
    write(tmp_path, "ember", SMALL)
    write(tmp_path, "broken", "x: 1")
    found, problems = themes.load_dirs([THEMES, tmp_path, tmp_path / "nowhere"])
    assert found["ember"].background == "#000000"
    assert [p.path.name for p in problems] == ["broken.yaml"]
    chosen = themes.find([THEMES, tmp_path], "ember")
    assert not isinstance(chosen, ThemeProblem | None)
    assert chosen.background == "#000000"
    assert themes.find([THEMES], "none") is None


def test_every_theme_of_textual_gives_a_palette() -> None:
    for theme in BUILTIN_THEMES.values():
        palette = Palette(theme.to_color_system().generate())
        for name in {
            *STYLE.values(),
            "bar.ok",
            "bar.ok.r",
            "bar.call.running",
            "match",
            "brand",
            "",
            "nonsense",
        }:
            for under in ("", "cursor", "blur"):
                assert palette.style(name, under) is palette.style(name, under)
        if theme.ansi:
            assert palette.style("faint").dim
            assert palette.style("ok", "cursor").reverse


def test_without_colours_shapes_and_weights_are_left() -> None:
    palette = Palette({}, no_color=True)
    for name in {*STYLE.values(), "bar.ok", "bar.ok.r", "match", "brand", "border.focus"}:
        for under in ("", "cursor", "blur"):
            style = palette.style(name, under)
            assert style.color is None
            assert style.bgcolor is None
    assert palette.style("ok", "cursor").reverse
    assert palette.style("failed").bold


async def test_a_bad_theme_gives_one_toast_and_the_fallback(tmp_path: Path) -> None:
    write(tmp_path, "mine", "colors: {}")
    app = make(research(), theme="mine", theme_dirs=(THEMES, tmp_path))
    async with playing(app):
        assert app.theme == "aether-dark"
        messages = [n.message for n in app._notifications]
        assert messages == ["theme mine.yaml: colors.background is missing"]


async def test_a_theme_that_is_not_there(tmp_path: Path) -> None:
    app = make(research(), theme="nowhere", theme_dirs=(tmp_path,))
    async with playing(app):
        assert app.theme == "aether-dark"
        assert [n.message for n in app._notifications] == ["there is no theme nowhere"]


async def test_changing_the_theme_repaints_everything() -> None:
    app = make(research())
    async with playing(app) as pilot:
        before = lines(app)
        old = app.screen._compositor.render_strips()[8]
        app.theme = "ember"
        await settle(pilot)
        assert lines(app) == before
        assert app.screen._compositor.render_strips()[8] != old
        assert "nord" in app.available_themes


async def test_a_file_that_was_edited_meanwhile_is_read_again(tmp_path: Path) -> None:
    import os

    path = write(tmp_path, "mine", SMALL)
    app = make(research(), theme="mine", theme_dirs=(THEMES, tmp_path))
    async with playing(app) as pilot:
        path.write_text(SMALL.replace("#000", "#123456"))
        os.utime(path, (1, 1))
        app.on_app_focus(None)  # type: ignore[arg-type]  # it does not look at the event
        await settle(pilot)
        assert app.theme_variables["background"] == "#123456"
        strip = app.screen._compositor.render_strips()[0]
        colors = {s.style.bgcolor.name for s in strip if s.style is not None and s.style.bgcolor is not None}
        assert "#123456" in colors


async def test_a_file_saved_with_a_mistake_is_said_once_and_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "mine", SMALL)
    app = make(research(), theme="mine", theme_dirs=(THEMES, tmp_path))
    async with playing(app) as pilot:
        path.write_text(SMALL + "  ok: greenish\n")
        await app.theme_watch._look()
        write(tmp_path, "other", SMALL.replace("#000", "#123456"))
        await app.theme_watch._look()
        await settle(pilot)
        assert app.theme_variables["background"] == "#000000"
        assert "other" in app.available_themes
        said = [n.message for n in app._notifications]
        assert said == ["theme mine.yaml: colors.ok: 'greenish' is no colour"]


async def test_no_color_sends_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = make(research())
    async with playing(app):
        for strip in app.screen._compositor.render_strips():
            for segment in strip:
                if segment.style is not None:
                    for color in (segment.style.color, segment.style.bgcolor):
                        assert color is None or color.is_default


@pytest.mark.parametrize("path", sorted(THEMES.glob("*.yaml")), ids=lambda path: path.stem)
def test_our_own_files_are_read_without_yaml_and_mean_the_same(path: Path) -> None:
    found = plain_theme.read(path.read_text())
    assert found is not None
    assert found == yaml.safe_load(path.read_text())


@pytest.mark.parametrize(
    "text",
    [
        "name: no\n",
        "name: a b\n",
        "name: x # why\n",
        'name: "x"\n',
        "name: a\nname: b\n",
        'name: a\n  ok: "#fff"\n',
        'colors:\n  ok: "#fff"\n  ok: "#000"\n',
        'colors:\n  ok: "#fff"\ndark: true\n  failed: "#000"\n',
        "colors:\n",
        "colors:\n  ok: green\n",
        "dark: True\n",
        "colors: {}\n",
        "- a\n",
    ],
)
def test_what_is_written_otherwise_is_left_to_yaml(text: str) -> None:
    assert plain_theme.read(text) is None
