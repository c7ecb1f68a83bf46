from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aethermind.tui.screens.detail.lines import plain
from aethermind.tui.screens.detail.tree import LONG, JsonTree

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab\n\x1b\u202e", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("xyz", max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


def rows(tree: JsonTree) -> list[str]:
    return [plain(tree_line.line) for tree_line in tree.lines]


def test_an_object_is_written_as_json_with_signs_to_fold() -> None:
    assert rows(JsonTree({"a": 1, "b": ["x", None], "c": {}})) == [
        "▾ {",
        '    "a": 1,',
        '  ▾ "b": [',
        '      "x",',
        "      null",
        "    ],",
        '    "c": {}',
        "  }",
    ]


def test_folding_hides_what_is_inside_and_counts_it() -> None:
    tree = JsonTree({"a": [1, 2, 3], "b": 0})
    tree.toggle(("a",))
    assert rows(tree) == ["▾ {", '  ▸ "a": […],  3', '    "b": 0', "  }"]
    tree.toggle(("a",))
    assert len(rows(tree)) == 8
    tree.fold_all()
    assert rows(tree)[1] == '  ▸ "a": […],  3'
    tree.unfold_all()
    assert len(rows(tree)) == 8


def test_a_large_value_begins_folded_as_far_as_it_must() -> None:
    tree = JsonTree([{"n": n, "parts": list(range(50))} for n in range(40)], fit=200)
    assert len(tree.lines) < 250
    tree.unfold_all()
    assert len(tree.lines) > 2000


def test_a_value_of_a_path_can_be_had() -> None:
    tree = JsonTree({"a": [{"b": 7}]})
    assert tree.at(("a", 0, "b")) == 7
    assert [t.path for t in tree.lines if t.foldable] == [(), ("a",), ("a", 0)]


def test_long_texts_are_shortened() -> None:
    (row,) = rows(JsonTree("x" * (LONG + 1_234)))
    assert row.endswith("… 1,234 more characters")
    assert len(row) < LONG + 60


def test_what_is_nested_too_deep_is_not_shown() -> None:
    value: Any = []
    for _ in range(5_000):
        value = [value]
    tree = JsonTree(value, fit=10**6)
    assert 60 < len(tree.lines) < 200


@given(VALUES)
def test_unfolded_and_without_signs_it_is_the_value(value: Any) -> None:
    tree = JsonTree(value)
    tree.unfold_all()
    text = "\n".join(rows(tree))
    assert "\x1b" not in text
    assert "\u202e" not in text
    bare = text.replace("▾ ", "  ")
    if not any(sign in json.dumps(value, ensure_ascii=False) for sign in ("\u202e", "▾")):
        assert json.loads(bare) == value


@given(VALUES, st.data())
def test_any_folding_leaves_every_other_line(value: Any, data: st.DataObject) -> None:
    tree = JsonTree(value)
    tree.unfold_all()
    before = {t.path for t in tree.lines}
    foldable = [t.path for t in tree.lines if t.foldable]
    if foldable:
        path = data.draw(st.sampled_from(foldable))
        tree.toggle(path)
        assert {t.path for t in tree.lines} == {p for p in before if p[: len(path)] != path or p == path}


@given(VALUES, st.data())
def test_a_toggle_changes_what_a_new_tree_would(value: Any, data: st.DataObject) -> None:
    tree = JsonTree(value)
    for _ in range(4):
        foldable = [t.path for t in tree.lines if t.foldable]
        if not foldable:
            return
        tree.toggle(data.draw(st.sampled_from(foldable)))
        assert tree.lines == list(tree._lines())
