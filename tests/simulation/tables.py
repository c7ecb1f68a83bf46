"""What the projections must say: what the state of the runs says, and after a rebuild the same again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aethermind.domain.run import Run
from aethermind.engine.queries import AttemptFilter, Page, RunFilter, RunRow
from tests.simulation.store import Disk, now

MANY = 1_000_000
TAKEN_BACK = ("running", "cancelled")
"""A question that a retry took back and that never came again: `RunReopened` does not name it."""


def differences(disk: Disk, runs: Mapping[str, Run]) -> Iterator[str]:
    """One line for each thing that is told otherwise than it is."""
    page: Page[RunRow] = now(disk.runs(RunFilter(), limit=MANY))
    rows = {row.id: row for row in page.items}
    for run_id, run in runs.items():
        row, tally = rows[run_id], run.tally
        told = (row.finished_at, row.cost_micro_usd, row.unpriced_calls, row.at_most_micro_usd, row.usage)
        true = (run.finished_at, tally.cost, tally.unpriced, tally.at_most, tally.usage)
        if told != true:
            yield f"{run_id}: {told} is told, {true} is true"
        if run.finished is not None and row.status != run.finished:
            yield f"{run_id} is {run.finished}, not {row.status}"
        yield from _attempts(disk, run)
    before: dict[str, str] = now(disk.projection_hashes())
    now(disk.rebuild())
    after: dict[str, str] = now(disk.projection_hashes())
    acts = now(disk.verify_audit())
    if not acts.ok:
        yield f"the audit log: row {acts.first_bad}: {acts.problem}"
    for table, digest in before.items():
        if after[table] != digest:
            yield f"{table} is another after a rebuild"


def _attempts(disk: Disk, run: Run) -> Iterator[str]:
    page = now(disk.attempts(AttemptFilter(run_id=run.id), limit=MANY))
    told = {(row.step, row.attempt): row.status for row in page.items}
    true = {
        (path, attempt.n): attempt.status for path, node in run.nodes.items() for attempt in node.attempts
    }
    for key, status in true.items():
        if (told.get(key), status) == TAKEN_BACK:
            continue
        if told.get(key) != status:
            yield f"{run.id} {key[0]} attempt {key[1]} is {status}, not {told.get(key)}"
