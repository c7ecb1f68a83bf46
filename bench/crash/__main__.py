"""kill -9 again and again, at random moments and at every named failpoint; then look at what happened.

    python -m bench.crash [--rounds 500] [--seed N] [--only FAILPOINT] [--json]
    python -m bench.crash --every-kind 50 [--seed N] [--json]

A round is one kill of an engine that has several runs under way, with children, models on a loopback server
and every kind of step. After it the next life goes on. Of each database it is checked, in the end:

lost    events that were acknowledged before a kill and are not there (0)
after   effects of steps that had been recorded as done (0)
alive   children that outlived the engine by two seconds, in sessions of their own or not (0)
again   attempts under way at the kill that were run again
doubt   attempts under way at the kill that somebody had to decide about
twice   calls under way at the kill: possibly billed twice, for `at most` so much
p50/95  from the birth of the next life to the first event it committed (a fork: no imports)

and that every run ends as an undisturbed one does, that no request and no child came without a recorded
intent, that projections follow from the log, and that nothing in doubt went on undecided. What fails is
printed with its seed, and its directory is kept.

`--every-kind` kills the real program at random moments of one workflow after the other.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

from bench.crash import every_kind
from bench.crash.rounds import Rounds, crash_host


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--only", default="", metavar="FAILPOINT", help="all kills there")
    parser.add_argument("--every-kind", type=int, metavar="KILLS", help="of the real program")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    print(f"seed {given.seed}", file=sys.stderr)
    if given.every_kind:
        found = every_kind.measure(given.every_kind, given.seed)
        print(json.dumps(found) if given.json else every_kind.text(found))
        sys.exit(bool(found["problems"]))
    with crash_host() as (host, served):
        report = Rounds(host, served, rounds=given.rounds, seed=given.seed, only=given.only).run()
    print(json.dumps(report.json()) if given.json else report.text())
    sys.exit(report.failed)


if __name__ == "__main__":
    assert Path("bench").is_dir(), "to be started in the project's directory"
    main()
