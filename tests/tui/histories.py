"""Recorded histories as an engine would have written them, for screens that need something to show.

Every event is folded as it is made, so a history that could not be is an error here. Times are fixed:
`T0` is 2026-01-05 06:20:00 UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aethermind import wire
from aethermind.domain import events as e
from aethermind.domain.errors import ErrorInfo
from aethermind.domain.run import Run
from aethermind.domain.usage import Cost, Usage
from aethermind.domain.workflow import (
    Action,
    AgentDef,
    Command,
    Group,
    InputDef,
    Prompt,
    Repeat,
    Retry,
    StepDef,
    Value,
    WorkflowDef,
)

T0 = 1_767_594_000_000
ME = e.Submitter(user="me", cwd="/home/me/work", interpreter="/usr/bin/python3", origin="tui")


class Script:
    """Writes one run's history. Times in methods are milliseconds since the run's start."""

    def __init__(
        self, definition: WorkflowDef, *, run_id: str = "r_8f21", at: int = T0, seq: int = 0, **created: Any
    ) -> None:
        self.run_id = run_id
        self.start = at
        self.now = at
        self.seq = seq
        self.run = Run(run_id)
        self.history: list[e.Recorded] = []
        fields: dict[str, Any] = {
            "inputs": {"topic": "tides"},
            "models": {"smart": ("openai:gpt-5",)},
            "source": f"{definition.name}.yaml",
        }
        self.add(
            0,
            e.RunCreated(
                workflow=definition.name,
                definition=definition,
                definition_hash=digest(definition),
                submitter=ME,
                **(fields | created),
            ),
        )

    def add(self, at: int, event: e.AnyEvent) -> e.Recorded:
        """Record an event at `at` ms; time never goes back."""
        self.now = max(self.now, self.start + at)
        self.seq += 1
        version = 0 if isinstance(event, e.LogWritten) else self.run.version + 1
        recorded = e.Recorded(self.seq, f"run/{self.run_id}", version, self.now, event)
        self.run.fold(recorded)
        self.history.append(recorded)
        return recorded

    # --- steps ---------------------------------------------------------------------------------

    def expand(self, at: int, step: str, *, items: Iterable[Any] | None = None, **fields: Any) -> None:
        if items is not None:
            values = tuple(items)
            fields |= {"items": values, "digests": tuple(digest(v) for v in values)}
        self.add(at, e.StepExpanded(step=step, **fields))

    def begin(self, at: int, step: str) -> int:
        """Start the next attempt; returns its number."""
        node = self.run.node(step)
        attempt = len(node.attempts) + 1
        self.add(at, e.AttemptStarted(step=step, attempt=attempt, kind=node.step.kind, agent=node.agent))
        return attempt

    def succeed(self, at: int, step: str, output: Any = None, **fields: Any) -> None:
        self.add(at, e.AttemptSucceeded(step=step, attempt=self._attempt(step), output=output, **fields))

    def fail(self, at: int, step: str, error: ErrorInfo, *, retry_in: int | None = None) -> None:
        retry_at = None if retry_in is None else max(self.now, self.start + at) + retry_in
        self.add(at, e.AttemptFailed(step=step, attempt=self._attempt(step), error=error, retry_at=retry_at))

    def call(self, at: int, step: str, *, model: str = "openai:gpt-5", reserved: int | None = 9_000) -> int:
        """Start the next model call of the running attempt; returns its number."""
        node = self.run.node(step)
        number = len(node.attempts[-1].calls) + 1
        provider, _, name = model.partition(":")
        self.add(
            at,
            e.CallStarted(
                step=step,
                attempt=self._attempt(step),
                call=number,
                key=digest([self.run_id, step, number]),
                provider=provider,
                model=name,
                agent=node.agent,
                reserved_micro_usd=reserved,
                request={
                    "system": f"You are {node.agent}.",
                    "messages": [{"role": "user", "content": f"Do {step} for tides."}],
                    "settings": {"max_tokens": 2000},
                },
            ),
        )
        return number

    def reply(
        self,
        at: int,
        step: str,
        text: str,
        *,
        tokens: tuple[int, int] = (800, 200),
        micro_usd: int | None = 4_000,
        **fields: Any,
    ) -> None:
        """Finish the running call; `tokens` are input and output, `micro_usd` None is unpriced."""
        source = "unpriced" if micro_usd is None else "genai-prices"
        node = self.run.node(step)
        self.add(
            at,
            e.CallFinished(
                step=step,
                attempt=self._attempt(step),
                call=len(node.attempts[-1].calls),
                usage=Usage(input_tokens=tokens[0], output_tokens=tokens[1]),
                cost=Cost(micro_usd=micro_usd, source=source),
                text=text,
                finish="stop",
                **({"first_token_ms": 420} | fields),
            ),
        )

    def refuse(self, at: int, step: str, error: ErrorInfo) -> None:
        """Fail the running call, unbilled."""
        node = self.run.node(step)
        self.add(
            at,
            e.CallFailed(
                step=step, attempt=self._attempt(step), call=len(node.attempts[-1].calls), error=error
            ),
        )

    def log(
        self, at: int, level: e.LogLevel, message: str, *, step: str | None = None, **fields: Any
    ) -> None:
        agent = self.run.node(step).agent if step is not None and step in self.run.nodes else None
        self.add(at, e.LogWritten(level=level, message=message, step=step, agent=agent, **fields))

    def prompt(
        self, begin: int, end: int, step: str, text: str, *, model: str = "openai:gpt-5", **reply: Any
    ) -> None:
        """A whole attempt with one call."""
        self.begin(begin, step)
        self.call(begin + 20, step, model=model)
        self.reply(end - 20, step, text, **reply)
        self.succeed(end, step, text)

    def _attempt(self, step: str) -> int:
        return self.run.node(step).attempts[-1].n


def digest(value: object) -> str:
    """As the engine makes it; also of text that could not be stored."""
    try:
        return wire.digest(value)
    except UnicodeEncodeError:
        return wire.digest(repr(value))


# --- definitions -------------------------------------------------------------------------------


def prompt(id: str, agent: str, *needs: str, **fields: Any) -> StepDef:
    template = f"Do {id}. " + " ".join(f"{{{{ {need} }}}}" for need in needs)
    return StepDef(id=id, action=Prompt(template=template, agent=agent), references=needs, **fields)


def step(id: str, action: Action, *needs: str, **fields: Any) -> StepDef:
    return StepDef(id=id, action=action, references=needs, **fields)


def agents(**models: str) -> dict[str, AgentDef]:
    return {name: AgentDef(name=name, models=(model,)) for name, model in models.items()}


RESEARCH = WorkflowDef(
    name="research",
    description="Research a topic from two sides and write a brief.",
    inputs={"topic": InputDef(schema={"type": "string"})},
    agents=agents(planner="smart", researcher="smart", critic="fast", scraper="fast", writer="smart"),
    steps=(
        prompt("plan", "planner"),
        step(
            "gather",
            Group(
                steps=(
                    step("search_web", Command(argv=("search", "tides"))),
                    prompt("read_papers", "researcher"),
                    prompt("scrape", "scraper", retry=Retry(max_attempts=3), on_error="continue"),
                )
            ),
            "plan",
        ),
        prompt("sections", "researcher", "gather", for_each="{{ plan.sections }}", max_parallel=4),
        step(
            "polish",
            Group(steps=(prompt("text", "writer"), prompt("judge", "critic", "text"))),
            "sections",
            repeat=Repeat(until="{{ judge.score >= 8 }}", max=3),
        ),
        step("brief", Value(value="{{ polish.text }}"), "polish"),
    ),
)

RATE_LIMIT = ErrorInfo(
    kind="rate_limit",
    message="429 Too Many Requests",
    retryable=True,
    status=429,
    hint="wait, or ask for more",
)
GAVE_UP = ErrorInfo(kind="rate_limit", message="gave up after 3 tries: HTTP 429", status=429)
ANSWER = "Tides follow the moon.\n\n- The sun helps.\n- The sea floor decides how much.\n"


# --- histories ---------------------------------------------------------------------------------


def research(
    *, until: str = "live", run_id: str = "r_8f21", seq: int = 0, at: int = T0, **created: Any
) -> Script:
    """A run of `RESEARCH` with parallel steps, a step that fails for good after retries, and a fan-out.

    `until`: `live` stops 102 s in, with a call that streams and one unpriced; `end` goes to success.
    """
    s = Script(RESEARCH, run_id=run_id, seq=seq, at=at, **({"budget_micro_usd": 2_000_000} | created))
    s.log(0, "info", "run started", metadata={"origin": "tui"})
    s.prompt(
        50, 8_200, "plan", '{"sections": ["moon", "sun", "sea"]}', tokens=(2_100, 1_000), micro_usd=31_000
    )
    s.expand(8_220, "gather")
    s.begin(8_240, "gather/search_web")
    s.begin(8_250, "gather/read_papers")
    s.call(8_260, "gather/read_papers")
    s.begin(8_270, "gather/scrape")
    s.call(8_280, "gather/scrape", model="anthropic:claude-haiku")
    s.log(9_000, "debug", "GET https://example.org/tides", step="gather/scrape")
    s.refuse(14_000, "gather/scrape", RATE_LIMIT)
    s.log(14_010, "warning", "429 Too Many Requests, retry in 8s (2/3)", step="gather/scrape")
    s.fail(14_020, "gather/scrape", RATE_LIMIT, retry_in=8_000)
    s.reply(
        20_500,
        "gather/read_papers",
        "Twelve papers, three worth it.",
        tokens=(6_000, 2_000),
        micro_usd=70_000,
    )
    s.call(20_600, "gather/read_papers")
    s.begin(22_020, "gather/scrape")
    s.call(22_040, "gather/scrape", model="anthropic:claude-haiku")
    s.log(24_000, "info", "512 tok @ 48 tok/s", step="gather/read_papers")
    s.succeed(29_300, "gather/search_web", "four hits")
    s.refuse(31_000, "gather/scrape", RATE_LIMIT)
    s.fail(31_010, "gather/scrape", RATE_LIMIT, retry_in=9_000)
    s.begin(40_010, "gather/scrape")
    s.call(40_020, "gather/scrape", model="anthropic:claude-haiku")
    s.reply(47_000, "gather/scrape", "half a page", tokens=(2_200, 500), micro_usd=39_900)
    s.fail(47_200, "gather/scrape", GAVE_UP)
    s.log(47_210, "error", "gave up after 3 tries: HTTP 429", step="gather/scrape")
    s.reply(63_000, "gather/read_papers", ANSWER, tokens=(11_000, 3_400), micro_usd=140_000)
    s.succeed(63_020, "gather/read_papers", ANSWER)
    s.expand(63_100, "sections", items=["moon", "sun", "sea"])
    for index, end in enumerate((81_000, 90_500)):
        path = f"sections[{index}]"
        s.begin(63_120 + index, path)
        s.call(63_140 + index, path)
        s.reply(end, path, f"Section {index}. " + ANSWER, tokens=(900, 700), micro_usd=21_000)
        s.succeed(end + 10, path, f"Section {index}. " + ANSWER)
    s.begin(90_600, "sections[2]")
    s.call(90_620, "sections[2]", model="ollama:qwen3", reserved=None)
    if until == "live":
        s.log(101_000, "info", "fetching the last section", step="sections[2]")
        return s
    s.reply(104_000, "sections[2]", "Section 2. " + ANSWER, tokens=(900, 650), micro_usd=None)
    s.succeed(104_010, "sections[2]", "Section 2. " + ANSWER)
    for number, score in enumerate((6, 9), 1):
        at = 104_000 + number * 10_000
        s.expand(at, "polish", iteration=number)
        s.expand(at + 10, f"polish#{number}")
        s.prompt(at + 20, at + 6_000, f"polish#{number}/text", ANSWER, micro_usd=18_000)
        s.prompt(at + 6_020, at + 9_000, f"polish#{number}/judge", f'{{"score": {score}}}', micro_usd=2_000)
    s.expand(133_100, "polish", done=True)
    s.begin(133_200, "brief")
    s.succeed(133_210, "brief", ANSWER)
    s.add(133_300, e.RunSucceeded(outputs={"brief": ANSWER}))
    return s


def streaming(script: Script, step: str = "sections[2]") -> tuple[str, int, int]:
    """(step, attempt, call) of the call that is in flight in `research(until="live")`."""
    attempt = script.run.node(step).attempts[-1]
    return step, attempt.n, attempt.calls[-1].n


def failed(*, run_id: str = "r_8f1e", seq: int = 0, at: int = T0 - 3_600_000) -> Script:
    """A run that failed 7 s in, at its only command."""
    definition = WorkflowDef(
        name="nightly",
        steps=(
            step("fetch", Value(value=1)),
            step("build", Command(argv=("make", "all")), "fetch"),
            step("ship", Command(argv=("make", "ship")), "build"),
        ),
    )
    s = Script(definition, run_id=run_id, seq=seq, at=at, inputs={}, models={})
    s.begin(10, "fetch")
    s.succeed(20, "fetch", 1)
    s.begin(30, "build")
    s.log(2_000, "info", "cc -c main.c", step="build")
    s.log(6_900, "error", "main.c:3: expected ';'", step="build")
    error = ErrorInfo(kind="command", message="make exited with 2", status=2, detail="main.c:3: expected ';'")
    s.fail(7_000, "build", error)
    s.add(7_010, e.RunFailed(error=error, step="build"))
    return s


def wide(items: int, *, run_id: str = "r_wide", done: int = 0, seq: int = 0, at: int = T0) -> Script:
    """A fan-out over `items` values, of which `done` are over and one runs (while any is left)."""
    definition = WorkflowDef(
        name="wide",
        agents=agents(worker="fast"),
        steps=(
            step("list", Value(value=items)),
            prompt("each", "worker", "list", for_each="{{ list }}"),
            step("sum", Value(value="{{ each }}"), "each"),
        ),
    )
    s = Script(definition, run_id=run_id, seq=seq, at=at, inputs={})
    s.begin(10, "list")
    s.succeed(20, "list", items)
    s.expand(30, "each", items=range(items))
    for index in range(done):
        path = f"each[{index}]"
        s.begin(40 + index * 10, path)
        s.succeed(48 + index * 10, path, index)
    if done < items:
        s.begin(50 + done * 10, f"each[{done}]")
    return s
