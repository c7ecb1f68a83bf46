"""Every sample runs to its end on its own script."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from aethermind.domain.events import AskOpened, AttemptFailed, AttemptStarted, AttemptSucceeded
from aethermind.domain.ids import static_id
from aethermind.infra.sanitize import clean
from tests.samples.conftest import Play, Played
from tests.samples.test_files import NAMES


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with two commits in the current directory of the run."""
    for argv in (
        ["init", "-q", "-b", "main"],
        ["commit", "-q", "--allow-empty", "-m", "Tides: the first table"],
        ["tag", "v1"],
        ["commit", "-q", "--allow-empty", "-m", "Tides: heights in metres"],
    ):
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *argv], cwd=tmp_path, check=True, timeout=30)
    return tmp_path


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("where", [{}, {"db": "runs.db"}], ids=["memory", "sqlite"])
async def test_it_succeeds_with_an_answer_worth_reading(name: str, where: dict[str, Any], play: Play) -> None:
    played = await play(name, **where)
    assert (played.result.status, played.result.error) == ("succeeded", None)
    assert played.script.invented == []
    assert all(isinstance(text, str) and len(text.split()) >= 60 for text in played.result.outputs.values())
    assert all(clean(text) == text for text in played.result.outputs.values())
    assert played.result.simulated
    assert played.result.cost_micro_usd
    assert played.result.unpriced_calls == 0


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("name", NAMES)
async def test_no_prompt_has_holes(name: str, play: Play) -> None:
    """What real models would be sent: no gaps, nothing left to fill in."""
    for request in (await play(name)).script.requests:
        prompt = request.messages[-1].content
        assert prompt.strip()
        assert "\n\n\n\n" not in prompt, request.context.step
        assert "{{" not in prompt


# --- fix-until-green: real tools ----------------------------------------------------------------------


async def test_the_mechanic_asks_before_it_writes_and_the_test_is_green(play: Play, tmp_path: Path) -> None:
    played = await play("fix-until-green")
    (asked,) = [event for event in played.events if isinstance(event, AskOpened)]
    assert asked.about == "tool"
    assert asked.show is not None
    assert "-    return sum(cents) * (100 - discount) // 100 - discount" in asked.show
    assert "FAILED" in played.script.requests[1].messages[-1].content
    assert "OK" in played.script.requests[-1].messages[-1].content
    assert played.output("work#1/test_exit") == 0
    assert played.status("still_red") == "skipped"
    assert (tmp_path / "fix-until-green" / "test_prices.py").exists()


# --- tool-desk: functions and a server of one's own -------------------------------------------------


async def test_the_clerk_answers_from_what_its_tools_say(play: Play) -> None:
    played = await play("tool-desk")
    told = [m.content for m in played.script.requests[-1].messages if m.role == "tool"]
    assert told[0] == '["chair","lamp","shelf"]'
    assert told[-2:] == ["1 EUR = 1.09 USD", "1 SEK = 0.095 USD"]
    assert played.output("ask_clerk")["products"] == ["chair", "shelf"]


# --- research-brief: what `make run` shows ---------------------------------------------------------


async def test_the_brief_heals_one_429(play: Play) -> None:
    played = await play("research-brief")
    failures = [event for event in played.events if isinstance(event, AttemptFailed)]
    assert [(f.step, f.attempt, f.error.status) for f in failures] == [("research/findings[2]", 1, 429)]
    assert played.status("research/findings[2]") == "succeeded"
    assert played.result.steps["research/findings[2]"].attempts == 2


async def test_the_brief_is_visibly_parallel(play: Play) -> None:
    played = await play("research-brief")
    assert most_at_once(played) == 6
    first = [event.step for event in played.events if isinstance(event, AttemptStarted)][:2]
    assert set(first) == {"plan", "reader"}


async def test_the_brief_shows_several_agents_on_two_models(play: Play) -> None:
    played = await play("research-brief")
    seen = {(request.context.agent, request.model) for request in played.script.requests}
    assert {agent for agent, _ in seen} == {"planner", "researcher", "analyst", "critic", "writer"}
    assert {model for _, model in seen} == {"smart", "fast"}
    assert 8 <= len([path for path in played.result.steps if path]) <= 14


async def test_the_brief_takes_about_twenty_seconds(play: Play) -> None:
    seconds = (await play("research-brief")).script.seconds
    research = max(s for step, s in seconds.items() if step.startswith("research/"))
    asides = max(seconds["critique"], seconds["headline"])
    backoff = 1.0
    longest = seconds["plan"] + research + backoff + seconds["analyze"] + asides + seconds["write"]
    assert seconds["reader"] < seconds["plan"] + research
    assert 15 <= longest - backoff <= longest <= 23


async def test_the_brief_is_built_from_what_was_found(play: Play) -> None:
    played = await play("research-brief", {"topic": "vertical farming"})
    analyze = played.script.asked("analyze").messages[-1].content
    plan = played.output("plan")
    for question, finding in zip(plan["questions"], played.output("research")["findings"], strict=True):
        assert f"## {question}\n\n{finding}" in analyze
    assert "vertical farming" in played.script.asked("research/findings[0]").messages[-1].content
    brief = played.result.outputs["brief"]
    assert brief.startswith(f"# {played.output('headline')['title']}\n\n{played.output('write')}")


# --- review-diff -----------------------------------------------------------------------------------


async def test_three_reviewers_read_the_diff_side_by_side(play: Play) -> None:
    diff = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-{{ inputs.secret }}\n+{% raw %}\n"
    played = await play("review-diff", {"diff": diff})
    assert most_at_once(played) == 3
    for reviewer in ("correctness", "security", "style"):
        assert diff in played.script.asked(f"reviews/{reviewer}").messages[-1].content
    assert len(played.output("findings")) == 8
    assert played.output("verdict") == "request changes"


async def test_an_empty_diff_costs_nothing(play: Play) -> None:
    played = await play("review-diff", {"diff": "\n"})
    assert played.result.outputs == {"report": "Nothing to review: the diff is empty."}
    assert played.script.requests == []
    assert played.status("reviews") == "skipped"


# --- release-notes ---------------------------------------------------------------------------------


async def test_the_notes_are_made_from_git_and_saved_on_demand(play: Play, repository: Path) -> None:
    played = await play("release-notes", {"range": "v1..HEAD", "save_as": "notes/NEXT.md"})
    asked = played.script.asked("changes").messages[-1].content
    assert "heights in metres" in asked
    assert "the first table" not in asked
    assert "at v1-1-g" in played.script.asked("notes").messages[-1].content
    assert "1\tAda" in played.script.asked("notes").messages[-1].content
    assert (repository / "notes/NEXT.md").read_text() == played.result.outputs["notes"] + "\n"


async def test_the_notes_are_not_saved_unasked(play: Play, repository: Path) -> None:
    played = await play("release-notes")
    assert played.status("file") == "skipped"
    assert [path.name for path in repository.iterdir()] == [".git"]


@pytest.mark.usefixtures("repository")
async def test_an_empty_range_is_no_error(play: Play) -> None:
    played = await play("release-notes", {"range": "HEAD..HEAD"})
    assert played.result.outputs == {"notes": "No commits in HEAD..HEAD."}
    assert played.script.requests == []


async def test_a_range_is_never_an_option(play: Play, repository: Path) -> None:
    played = await play("release-notes", {"range": "--output=stolen"})
    assert played.result.status == "failed"
    assert not (repository / "stolen").exists()


# --- the others ------------------------------------------------------------------------------------


async def test_each_incident_goes_to_its_specialist(play: Play) -> None:
    played = await play("triage-log")
    specialists = ("database", "network", "application")
    for index, wanted in enumerate(specialists):
        statuses = {each: played.status(f"incidents[{index}]/{each}") for each in specialists}
        assert statuses == {each: "succeeded" if each == wanted else "skipped" for each in specialists}
        card = played.output(f"incidents[{index}]/card")
        assert card["component"] == wanted
        assert card["advice"] == played.output(f"incidents[{index}]/{wanted}")
    assert played.status("page") == "succeeded"
    assert all(card["title"] in played.script.asked("summary").messages[-1].content
               for card in played.output("cards"))  # fmt: skip


async def test_the_editor_returns_replacements_that_are_applied(play: Play) -> None:
    played = await play("document-sections", {"save_as": "guide.md"})
    draft, edit, document = (played.output(step) for step in ("draft", "edit", "document"))
    assert [draft.count(each["find"]) for each in edit["edits"]] == [1] * 4
    for each in edit["edits"]:
        assert each["find"] not in document
        assert each["replace"] in document
    assert document.startswith(f"# {played.output('outline')['title']}\n\n{edit['opening']}\n\n## ")
    assert most_at_once(played) == 3
    assert Path("guide.md").read_text() == document


async def test_it_is_rewritten_until_the_score_is_good_enough(play: Play) -> None:
    played = await play("improve-until")
    assert [played.output(f"polish#{n}/judge")["score"] for n in (1, 2, 3)] == [5, 7, 9]
    assert "polish#4" not in played.result.steps
    assert "last version" not in played.script.asked("polish#1/text").messages[-1].content
    second = played.script.asked("polish#2/text").messages[-1].content
    assert played.output("polish#1/text") in second
    assert played.output("polish#1/judge")["issues"][0] in second
    assert played.result.outputs["text"] == played.output("polish#3/text")


async def test_the_interview_asks_and_takes_the_answers(play: Play) -> None:
    played = await play("interview")
    asked = [event.step for event in played.events if isinstance(event, AskOpened)]
    assert asked == ["stance", "interview[0]", "interview[1]", "interview[2]", "verdict"]
    answers = [each["answer"] for each in played.output("interview")]
    prompt = played.script.asked("memo").messages[-1].content
    assert "is for; it matters to them 4 of 5" in prompt
    for question, answer in zip(played.output("prepare")["questions"], answers, strict=True):
        assert f"{question}\n{answer}" in prompt
    assert "Make it half as long" in played.script.asked("revised").messages[-1].content
    assert played.result.outputs == {"memo": played.output("revised")}


async def test_another_workflow_writes_each_text_of_the_kit(play: Play) -> None:
    played = await play("launch-kit")
    pieces = played.output("briefs")["pieces"]
    for index, piece in enumerate(pieces):
        rounds = [played.output(f"texts[{index}]/polish#{n}/judge")["score"] for n in (1, 2)]
        assert rounds == [4, 8]
        assert f"texts[{index}]/polish#3" not in played.result.steps
        written = played.output(f"texts[{index}]/polish#2/text")
        assert f"## {piece['name']}\n\n{written}" in played.result.outputs["kit"]
        assert (
            played.script.asked(f"texts[{index}]/polish#1/text")
            .messages[-1]
            .content.startswith(piece["task"])
        )


async def test_a_lower_bar_needs_fewer_rounds(play: Play) -> None:
    played = await play("improve-until", {"good_enough": 7})
    assert played.result.outputs["text"] == played.output("polish#2/text")
    assert "polish#3" not in played.result.steps


async def test_many_steps_are_many(play: Play) -> None:
    played = await play("many-steps")
    assert len(played.result.steps) >= 200
    defined = [path for path in played.script.steps if static_id(path) == "define"]
    assert len(defined) == 64
    assert len({played.output(path) for path in defined}) == 64
    assert most_at_once(played) == 10
    assert sum(played.script.seconds.values()) / 10 < 8


async def test_the_nightly_check_works_with_facts(play: Play, repository: Path) -> None:
    (repository / "new.txt").write_text("x")
    played = await play("nightly-check")
    figures = played.output("figures")
    assert 0 <= figures["free_percent"] <= 100
    assert figures["usual_percent"] == 60.3
    assert figures["uncommitted_files"] == 1
    assert figures["home_writable"] is True
    assert [played.result.steps[step].attempts for step in ("service", "disk")] == [2, 1]
    assert played.status("too_full") == "skipped"
    assert not Path(played.output("scratch")).exists()
    assert played.output("clean_up").endswith("after a run that succeeded")


async def test_the_nightly_check_goes_on_without_a_repository(play: Play) -> None:
    played = await play("nightly-check")
    assert played.result.status == "succeeded"
    assert played.status("changes") == "failed"
    assert played.output("figures")["uncommitted_files"] is None
    assert "unknown, no repository" in played.result.outputs["report"]


async def test_the_nightly_check_fails_and_cleans_up(play: Play) -> None:
    played = await play("nightly-check", {"min_free_percent": 100})
    assert played.result.status == "failed"
    assert played.result.error is not None
    assert "the limit is 100 %" in played.result.error.message
    assert played.script.requests == []
    assert not Path(played.output("scratch")).exists()
    assert played.output("clean_up").endswith("after a run that failed")


def most_at_once(played: Played) -> int:
    """The largest number of attempts that held a slot together (a value needs none)."""
    running: set[str] = set()
    most = 0
    for event in played.events:
        match event:
            case AttemptStarted(kind=kind, step=step) if kind not in {"value", "fail"}:
                running.add(step)
            case AttemptSucceeded(step=step) | AttemptFailed(step=step):
                running.discard(step)
            case _:
                pass
        most = max(most, len(running))
    return most
