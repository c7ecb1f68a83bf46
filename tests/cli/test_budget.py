"""`aethermind budget RUN USD`, where the run has spent something."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from aethermind.cli.budget import typed
from tests.cli.program import Said

FLOW = """\
name: two
budget: {usd: 0.004}
steps:
  - {id: one, prompt: Say hi., settings: {max_tokens: 100}}
  - {id: two, prompt: "Go on. {{ one }}", settings: {max_tokens: 1000}}
"""


def test_an_amount_that_is_used_up_is_refused_and_the_least_that_helps_is_named(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two.yaml").write_text(FLOW)
    assert said("run", "two.yaml", "--sim", "-q")[0] == 5
    before = json.loads(said("show", "last", "--json")[1])["run"]
    spent = before["cost_micro_usd"]
    assert spent > 0
    code, out, err = said("budget", "last", typed(spent), "-q")
    assert (code, out) == (2, "")
    assert f"run {before['id']} do nothing more: $" in err
    assert "spent" in err
    assert json.loads(said("show", "last", "--json")[1])["run"] == before
    words = shlex.split(err[err.index("aethermind budget") :].strip().removesuffix(")"))
    less = typed(round(float(words[-1]) * 1_000_000) - 1)
    assert said("budget", "last", less, "-q")[0] == 5  # one micro-dollar less does not help
    assert said(*words[1:], "-q")[0] == 0


@pytest.mark.parametrize(
    "micro, told", [(12_400, "0.0124"), (3, "0.000003"), (2_000_000, "2"), (10_500_000, "10.5")]
)
def test_an_amount_is_told_as_it_is_typed(micro: int, told: str) -> None:
    assert typed(micro) == told
