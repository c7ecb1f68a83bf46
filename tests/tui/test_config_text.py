"""One value of a config file is changed, and nothing else."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aethermind.domain.errors import InvalidError
from aethermind.tui.config_text import with_value

FILE = """\
# mine
python = "python3.12"   # newer

[tui]   # looks
theme = "ember" # warm, "really"
ascii = false

# keys follow
[tui.keymap]
preset = 'vim'
"run.cancel" = "ctrl+x"

[budget]
day = 5.0
"""


def test_a_value_is_changed_in_its_line_and_its_comment_stays() -> None:
    found = with_value(FILE, "tui", "theme", "aether-light")
    assert found == FILE.replace('"ember"', '"aether-light"')


def test_other_tables_keys_and_kinds() -> None:
    assert 'preset = "emacs"' in with_value(FILE, "tui.keymap", "preset", "emacs")
    assert "ascii = true" in with_value(FILE, "tui", "ascii", True)


def test_a_new_key_goes_behind_the_last_of_its_table() -> None:
    lines = with_value(FILE, "tui", "density", "dense").splitlines()
    assert lines[lines.index("ascii = false") + 1] == 'density = "dense"'
    assert len(lines) == len(FILE.splitlines()) + 1


def test_a_new_table_goes_to_the_end_of_the_file() -> None:
    assert with_value("", "tui", "theme", "ember") == '[tui]\ntheme = "ember"\n'
    assert with_value("a = 1\n", "tui", "theme", "x") == 'a = 1\n\n[tui]\ntheme = "x"\n'
    assert tomllib.loads(with_value(FILE, "tui.more", "a", "b"))["tui"]["more"] == {"a": "b"}


@pytest.mark.parametrize(
    "text",
    ['tui = {theme = "x"}\n', 'tui.theme = "x"\n', '[tui]\ntheme = """\nx"""\n', "[tui\n", "tui = 1\n"],
    ids=["inline", "dotted", "lines", "broken", "no table"],
)
def test_what_would_need_more_than_that_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="can't be set") as caught:
        with_value(text, "tui", "theme", "ember")
    assert caught.value.hint == 'set theme = "ember" under [tui] by hand'


def test_a_value_with_a_hash_in_it() -> None:
    text = '[tui]\ntheme = "a#b" # c\n'
    assert with_value(text, "tui", "theme", "z") == '[tui]\ntheme = "z" # c\n'


@given(
    st.lists(st.sampled_from(FILE.splitlines()), max_size=14),
    st.sampled_from(["tui", "tui.keymap", "budget"]),
    st.sampled_from(["theme", "ascii", "preset", "other"]),
    st.one_of(st.booleans(), st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]))),
)
def test_it_changes_this_value_alone_or_refuses(
    lines: list[str], table: str, key: str, value: str | bool
) -> None:
    text = "\n".join(lines)
    try:
        found = with_value(text, table, key, value)
    except InvalidError:
        return
    wanted = tomllib.loads(text)
    target = wanted
    for part in table.split("."):
        target = target.setdefault(part, {})
    target[key] = value
    assert tomllib.loads(found) == wanted
    assert [line for line in lines if line.startswith("#")] == [
        line for line in found.splitlines() if line.startswith("#")
    ]
