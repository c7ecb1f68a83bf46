from __future__ import annotations

import pytest

from aethermind.cli import text


@pytest.mark.parametrize(
    "ms, told",
    [
        (None, ""),
        (0, "0ms"),
        (999, "999ms"),
        (1_000, "1.0s"),
        (59_949, "59.9s"),
        (59_950, "1m00s"),
        (123_000, "2m03s"),
        (3_599_600, "1h00m"),
        (7_320_000, "2h02m"),
    ],
)
def test_durations(ms: int | None, told: str) -> None:
    assert text.took(ms) == told


@pytest.mark.parametrize(
    "count, told", [(0, "0"), (999, "999"), (41_200, "41.2k"), (999_949, "999.9k"), (999_950, "1.0M")]
)
def test_tokens(count: int, told: str) -> None:
    assert text.tokens(count) == told


@pytest.mark.parametrize(
    "micro, unpriced, told",
    [
        (412_700, 0, "$0.4127"),
        (0, 0, "$0.0000"),
        (2_000, 0, "$0.0020"),
        (12, 0, "$0.000012"),
        (1_234_567_890, 0, "$1,234.5679"),
        (None, 0, "—"),
        (None, 3, "unpriced"),
        (412_700, 2, "$0.4127 + 2 unpriced"),
    ],
)
def test_money_is_never_nothing_when_its_price_is_unknown(
    micro: int | None, unpriced: int, told: str
) -> None:
    assert text.money(micro, unpriced=unpriced) == told


def test_a_table_aligns_wide_characters_and_makes_texts_harmless() -> None:
    lines = text.table(["A", "N", "B"], [["日本", "1", "x"], ["é", "10", "\x1b[2J\ny"]], right=(1,))
    assert lines == ["A      N  B", "日本   1  x", "é     10  ␛[2J␊y"]


def test_values_as_text() -> None:
    assert text.as_text("raw\n") == "raw\n"
    assert text.as_text(None) == ""
    assert text.as_text({"a": [1]}) == '{\n  "a": [\n    1\n  ]\n}'
    assert text.inline({"a": 1}) == '{"a":1}'


def test_every_status_has_a_glyph_of_its_own_in_ascii_too() -> None:
    from aethermind.domain.state import AttemptStatus, RunStatus, StepStatus

    for status in {*RunStatus.__args__, *StepStatus.__args__, *AttemptStatus.__args__}:  # type: ignore[attr-defined]  # names of Literals
        assert text.glyph(status) != "?", status
        assert text.glyph(status, unicode=False).isascii()
