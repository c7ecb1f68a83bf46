"""What was answered before, as the program shows it."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from tests.cli.program import Said

CACHED = """\
name: cached
defaults: {cache: 7d}
steps:
  - {id: first, prompt: Say hi}
  - {id: again, prompt: Say hi, depends_on: [first]}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_was_answered_is_not_sent_again_and_says_so(here: Path, said: Said) -> None:
    (here / "cached.yaml").write_text(CACHED)
    code, out, err = said("run", "cached.yaml", "--sim", "--plain")
    assert code == 0
    told = [line for line in err.splitlines() if "✓" in line]
    assert "cached" not in told[0]
    assert re.search(r"again  \S+  cached, saved \$0\.\d+", told[1])
    assert " saved by caching" in err
    run = json.loads(said("show", "last", "--json")[1])
    calls = [step["attempts"][0]["model_calls"][0] for step in run["steps"]]
    assert calls[0]["cached_from"] is None
    assert calls[1]["cached_from"]["run"] == run["run"]["id"]
    assert calls[1]["cost_micro_usd"] == calls[1]["reserved_micro_usd"] == 0
    assert calls[1]["saved_micro_usd"] == calls[0]["cost_micro_usd"] > 0
    assert calls[1]["usage"]["output_tokens"] == 0
    assert "sim:smart #1: cached, saved $" in said("logs", "last")[1]
    assert f"(the answer of {run['run']['id']})" in said("show", "last", "--step", "again")[1]

    saved = calls[1]["saved_micro_usd"]
    assert run["run"]["saved_micro_usd"] == saved
    for by in ("model", "agent", "workflow", "day", "run"):
        items = json.loads(said("costs", "--sim", "--by", by, "--json")[1])["items"]
        assert sum(item["saved_micro_usd"] for item in items) == saved, by
    rows = list(csv.DictReader(said("costs", "--sim", "--csv")[1].splitlines()))
    assert sum(int(row["saved_micro_usd"]) for row in rows) == saved
    assert "SAVED" in said("costs", "--sim")[1]

    code, second, _ = said("run", "cached.yaml", "--sim", "-q")
    assert (code, second) == (0, out)
    assert json.loads(said("show", "last", "--json")[1])["run"]["cost_micro_usd"] == 0


def test_no_cache_sends_everything(here: Path, said: Said) -> None:
    (here / "cached.yaml").write_text(CACHED)
    assert "SAVED" not in said("costs", "--sim")[1]
    assert said("run", "cached.yaml", "--sim", "-q")[0] == 0
    assert said("run", "cached.yaml", "--sim", "-q", "--no-cache")[0] == 0
    run = json.loads(said("show", "last", "--json")[1])
    assert [step["attempts"][0]["model_calls"][0]["cached_from"] for step in run["steps"]] == [None, None]
