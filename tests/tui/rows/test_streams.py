from __future__ import annotations

from aethermind.domain import events as e
from aethermind.engine.client import TokenDelta
from aethermind.engine.queries import Partial
from aethermind.tui.rows.streams import Rate, Streams, rate_of
from tests.tui.histories import T0, research, streaming


def delta(step: str, text: str, offset: int, *, reasoning: bool = False) -> TokenDelta:
    return TokenDelta("r_8f21", step, 1, 1, offset, text, reasoning)


def test_text_and_tokens_add_up_to_the_top() -> None:
    run = research().run
    streams = Streams()
    assert streams.add(run, delta("sections[2]", "abcd" * 10, 0)) == 40
    assert streams.add(run, delta("sections[2]", "efgh", 40)) == 4
    assert streams.text("sections[2]", 1, 1) == "abcd" * 10 + "efgh"
    assert [streams.tokens(p) for p in ("sections[2]", "sections", "", "plan")] == [11, 11, 11, 0]
    assert streams.call_tokens("sections[2]", 1, 1) == 11


def test_doubles_are_dropped_and_gaps_are_seen() -> None:
    run = research().run
    streams = Streams()
    streams.add(run, delta("sections[2]", "abcdef", 0))
    assert streams.add(run, delta("sections[2]", "def", 3)) == 0
    assert streams.add(run, delta("sections[2]", "efgh", 4)) == 2
    assert streams.text("sections[2]", 1, 1) == "abcdefgh"
    streams.add(run, delta("sections[2]", "z", 20))
    assert streams.text("sections[2]", 1, 1) == "abcdefgh … z"


def test_reasoning_counts_but_is_no_answer() -> None:
    run = research().run
    streams = Streams()
    streams.add(run, delta("sections[2]", "hmm " * 5, 0, reasoning=True))
    assert streams.text("sections[2]", 1, 1) == ""
    assert streams.tokens("") == 5


def test_what_had_streamed_before_one_looked() -> None:
    run = research().run
    streams = Streams()
    streams.load(run, [Partial(run_id="r_8f21", step="sections[2]", attempt=1, call=1, text="so far")])
    streams.add(run, delta("sections[2]", "far and on", 3))
    assert streams.text("sections[2]", 1, 1) == "so far and on"


def test_calls_that_are_not_in_flight_are_nothing() -> None:
    run = research().run
    streams = Streams()
    for step in ("plan", "polish", "nowhere"):
        assert streams.add(run, delta(step, "late", 0)) == 0
    assert not len(streams)
    assert streams.tokens("") == 0


def test_the_end_of_a_call_gives_its_tokens_back() -> None:
    script = research()
    streams = Streams()
    step, attempt, call = streaming(script)
    streams.add(script.run, TokenDelta("r_8f21", step, attempt, call, 0, "x" * 400))
    script.reply(104_000, step, "x" * 400)
    assert streams.close(script.run, script.history[-1].event) == 400
    assert [streams.tokens(p) for p in (step, "sections", "")] == [0, 0, 0]


def test_a_lost_attempt_closes_its_calls() -> None:
    script = research()
    streams = Streams()
    step, attempt, call = streaming(script)
    streams.add(script.run, TokenDelta("r_8f21", step, attempt, call, 0, "x" * 40))
    script.add(104_000, e.AttemptCancelled(step=step, attempt=attempt))
    assert streams.close(script.run, script.history[-1].event) == 40
    assert streams.tokens("") == 0


def test_rates_by_stretches_of_time() -> None:
    rate = Rate()
    rate.add(T0 + 100, 5)
    rate.add(T0 + 9_500, 7)
    assert rate.buckets(T0, T0 + 9_999, 2) == [5, 7]
    assert sum(rate.buckets(T0, T0 + 3_600_000, 8)) == 12
    assert rate.buckets(T0 + 1_000, T0 + 5_000, 4) == [0, 0, 0, 0]


def test_the_rate_of_a_finished_run_is_that_of_its_calls() -> None:
    run = research(until="end").run
    assert run.finished_at is not None
    buckets = rate_of(run).buckets(run.created_at, run.finished_at, 8)
    assert all(bucket > 0 for bucket in buckets)
    assert abs(sum(buckets) - run.tally.usage.output_tokens) < 300  # whole tokens a second
