"""What earlier runs of a workflow used, read back through the client."""

from __future__ import annotations

from typing import Any

from aethermind.domain.errors import ErrorInfo
from aethermind.domain.usage import Usage
from aethermind.domain.workflow import Prompt, Retry, StepDef
from aethermind.engine.history import history_of
from tests.engine.harness import Harness, workflow
from tests.engine.paid import Paid, PaidModels, Tariff


def prompt(id: str, text: str, **fields: Any) -> StepDef:
    action = Prompt(template=text, models=("paid:m",))
    return StepDef(id=id, action=action, retry=Retry(max_attempts=1), on_error="continue", **fields)


async def test_attempts_of_real_runs_by_path_and_model() -> None:
    def breaks(text: str) -> ErrorInfo | None:
        return ErrorInfo(kind="server", message="500") if text == "breaks" else None

    provider = Paid(cost=len, breaks=breaks)
    steps = (
        prompt("a", "four"),
        prompt("each", "item {{ item }}", for_each=["x", "yy"]),
        prompt("b", "breaks"),
    )
    async with Harness(models=PaidModels(provider), prices=Tariff()) as h:
        for _ in range(2):
            await h.run(workflow(*steps), simulated=False)
        await h.run(workflow(prompt("a", "other")), simulated=True)
        found = await history_of(h.client, "test")
        assert await history_of(h.client, "another") == {}
    assert set(found) == {("a", "paid:m"), ("each", "paid:m")}
    assert [usage.output_tokens for usage in found["a", "paid:m"]] == [4, 4]
    assert sorted(usage.output_tokens for usage in found["each", "paid:m"]) == [6, 6, 7, 7]
    assert all(isinstance(usage, Usage) for usage in found["a", "paid:m"])
