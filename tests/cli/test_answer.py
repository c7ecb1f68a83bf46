"""`aethermind answer` without `-i`: what is asked is shown whole, and each field is checked as typed."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from aethermind.cli import streams
from tests.cli.program import Said

FLOW = """\
name: judged
steps:
  - id: verdict
    ask:
      message: Is it good?
      show: The memo.
      fields:
        choice: keep|shorten
        wish: {type: [string, "null"]}
outputs: {choice: "{{ verdict.choice }}"}
"""


def test_a_person_sees_what_to_judge_and_is_asked_again_for_what_does_not_fit(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "judged.yaml").write_text(FLOW)
    code, _, err = said("run", "judged.yaml")
    assert code == 5, err
    monkeypatch.setattr(streams, "can_ask", lambda: True)
    monkeypatch.setattr("sys.stdin", io.StringIO("maybe\nkeep\n\n"))
    code, out, err = said("answer", "last", "verdict")
    assert (code, out) == (0, "keep\n")
    assert err.index("The memo.") < err.index("Is it good?") < err.index("Error:")
    steps = json.loads(said("show", "last", "--json")[1])["steps"]
    assert steps[0]["output"].get("wish") is None
