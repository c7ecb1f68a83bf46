"""`[server]` of the config, and what `listen` makes of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from aethermind import bootstrap
from aethermind.api.settings import ServerSettings
from aethermind.bootstrap.library import Files
from aethermind.bootstrap.listening import _configured
from aethermind.domain.errors import InvalidError, NotFoundError
from aethermind.infra import sockets


@pytest.fixture
def place() -> Iterator[Path]:
    """A short path, as sockets need."""
    with tempfile.TemporaryDirectory(prefix="ae") as made:
        yield Path(made)


def compose(place: Path, text: str = "") -> bootstrap.Composition:
    (place / "config.toml").write_text(text)
    return bootstrap.load(bootstrap.Options(home=place / "home", config=place / "config.toml"))


def test_config_and_options_add_up(place: Path) -> None:
    text = '[server]\nhosts = ["Box.example"]\norigins = ["https://a"]\nrate_limit = 7\nrate_window = "2m"\n'
    given = ServerSettings(hosts=("other.example",), tls_cert=Path("c"))
    found = _configured(compose(place, text), given)
    assert found.hosts == ("other.example", "box.example")
    assert found.origins == ("https://a",)
    assert (found.rate_limit, found.rate_window_s) == (7, 120)
    assert found.tls_cert == Path("c")


def test_nothing_said_is_the_contracts_rate(place: Path) -> None:
    found = _configured(compose(place), ServerSettings())
    assert (found.rate_limit, found.rate_window_s, found.hosts) == (100, 900, ())


@pytest.mark.parametrize(
    "line,told",
    [
        ("rate_limit = -1", "rate_limit"),
        ('rate_window = "0s"', "longer"),
        ("host = []", "did you mean hosts"),
    ],
)
def test_nonsense_is_told_with_its_line(place: Path, line: str, told: str) -> None:
    with pytest.raises(InvalidError) as wrong:
        compose(place, f"[server]\n{line}\n")
    assert told in wrong.value.line()
    assert wrong.value.line_no == 2


def test_an_engine_listens_on_its_data_and_nobody_is_left_behind(place: Path) -> None:
    composition = compose(place)
    engine = bootstrap.engine_thread(composition)
    engine.start()
    try:
        server = bootstrap.listen(composition, engine)
        assert sockets.locate(composition.home) is not None
        bootstrap.close_door(composition, server, drain_s=0)
        assert sockets.locate(composition.home) is None
    finally:
        engine.stop(drain_s=0)


def test_the_library_has_samples_and_the_users_files_and_no_paths(place: Path) -> None:
    (place / "flows").mkdir()
    (place / "flows" / "mine.yaml").write_text("name: mine\ndescription: Own.\nsteps: [{id: a, value: 1}]\n")
    library = Files(compose(place, f'workflows = "{place}/flows"\n'))
    listed = {row["name"]: row for row in library.listed()}
    assert listed["mine"]["description"] == "Own."
    assert listed["research-brief"]["origin"] == "samples"
    assert library.load("mine").definition.name == "mine"
    sample = library.load("research-brief")
    assert sample.path is not None
    assert library.ships(sample.path)
    assert not library.ships(str(place / "flows" / "mine.yaml"))
    for nothing in ("nix", "../mine", str(place / "flows" / "mine.yaml"), "mine.yaml", "", "yes"):
        with pytest.raises(NotFoundError):
            library.load(nothing)
    with pytest.raises(InvalidError, match="no-such"):
        library.request(library.load("mine"), {}, by="t", model="no-such:model")
