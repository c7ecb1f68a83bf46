from __future__ import annotations

from aethermind.domain import events as e
from aethermind.domain.errors import ErrorInfo
from aethermind.tui.rows import gantt
from aethermind.tui.rows.gaps import gaps
from tests.tui.histories import RATE_LIMIT, RESEARCH, T0, Script, research

WRONG = ErrorInfo(kind="bad_request", message="no")
DAY = 86_400_000


def failed() -> Script:
    """Ten seconds of work, then it is over."""
    s = Script(RESEARCH)
    s.begin(100, "plan")
    s.call(100, "plan")
    s.fail(10_000, "plan", WRONG)
    s.add(10_000, e.RunFailed(error=WRONG, step="plan"))
    return s


def test_a_run_without_a_break_has_none() -> None:
    s = research(until="end")
    assert gaps(s.run, s.now) == ()


def test_a_retry_on_the_next_day_leaves_the_night_out() -> None:
    s = failed()
    s.add(DAY, e.RunReopened(generation=2, steps=("plan",)))
    assert gaps(s.run, s.now) == ((T0 + 10_000, T0 + DAY),)
    s.begin(DAY + 50, "plan")
    found = gaps(s.run, T0 + DAY + 5_000)
    assert found == ((T0 + 10_000, T0 + DAY + 50),)
    scale = gantt.scale(T0, T0 + DAY + 5_000, live=True, gaps=found)
    assert scale.span == 15_000
    assert "/" in gantt.ruler(scale, 40)
    assert "24h00m" in gantt.ruler(scale, 40)


def test_a_retry_at_once_leaves_nothing_out() -> None:
    s = failed()
    s.add(19_000, e.RunReopened(generation=2, steps=("plan",)))
    s.begin(19_000, "plan")
    assert gaps(s.run, s.now) == ()


def test_a_wait_for_the_next_try_is_no_gap() -> None:
    s = Script(RESEARCH)
    s.begin(100, "plan")
    s.call(100, "plan")
    s.fail(200, "plan", RATE_LIMIT, retry_in=120_000)
    s.begin(120_300, "plan")
    assert gaps(s.run, s.now) == ()
