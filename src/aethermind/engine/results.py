"""What the SDK gives back for a run."""

from __future__ import annotations

from typing import Any

from aethermind.domain.errors import ErrorInfo, StepFailure
from aethermind.domain.run import Run
from aethermind.domain.state import Node
from aethermind.domain.usage import Usage

Json = Any


class StepResult:
    """One step (or instance) of a finished run."""

    def __init__(self, node: Node) -> None:
        self.id = node.path
        self.status = node.status
        self.output: Json = node.output
        self.error = node.error
        self.attempts = len(node.attempts)
        self.cost_micro_usd = node.tally.cost if node.tally is not None else None

    def __repr__(self) -> str:
        return f"StepResult({self.id!r}, {self.status!r}, output={self.output!r})"


class RunResult:
    """A run that is finished or can't go on by itself.

    `status` one of the run statuses · `outputs` name → JSON value · `output` the only output, if there is
    one · `steps` path → StepResult · `cost` in dollars (None: no call was priced), `cost_micro_usd` the same
    exactly · `usage` tokens · `error` what failed it · `duration_ms` · `simulated`.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self.run_id = run.id
        self.workflow = run.definition.name
        self.status = run.status
        self.outputs: dict[str, Json] = run.outputs if isinstance(run.outputs, dict) else {}
        self.error: ErrorInfo | None = run.error
        self.usage: Usage = run.tally.usage
        self.cost_micro_usd = run.tally.cost
        self.unpriced_calls = run.tally.unpriced
        self.simulated = run.created.simulated

    @property
    def steps(self) -> dict[str, StepResult]:
        return {path: StepResult(node) for path, node in self._run.nodes.items()}

    @property
    def output(self) -> Json:
        return next(iter(self.outputs.values())) if len(self.outputs) == 1 else self.outputs or None

    @property
    def text(self) -> str:
        """The only output as text (of `chat`: the answer)."""
        return self.output if isinstance(self.output, str) else ""

    @property
    def cost(self) -> float | None:
        return None if self.cost_micro_usd is None else self.cost_micro_usd / 1_000_000

    @property
    def succeeded(self) -> bool:
        return self.status == "succeeded"

    @property
    def duration_ms(self) -> int | None:
        return None if self._run.finished_at is None else self._run.finished_at - self._run.created_at

    def check(self) -> RunResult:
        """Itself if it succeeded; raises `StepFailure` with the recorded error otherwise."""
        if self.succeeded:
            return self
        raise StepFailure(self.error or ErrorInfo(kind="internal", message=f"the run is {self.status}"))

    def __repr__(self) -> str:
        return f"RunResult({self.run_id}, {self.status}, outputs={self.outputs!r})"
