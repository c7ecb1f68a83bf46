"""User code in spawned processes: commands and Python functions, and their watchdog.

    local.py     the adapter of the port `Children`
    child.py     one process: pipes, exit, signals
    output.py    what it writes: lines to show, text to keep
    dialog.py    a process that is spoken with, line by line
    python.py    the engine's side of a Python call; `runner.py` is the user's side, `signature.py` what a
                 function takes
    guard.py     the engine's side of the watchdog; `watchdog.py` is the process
    census.py    the processes alive, asked for by many at once
    failures.py  why a program could not be started, in words

No child survives its step, its cancellation, or the engine. Each starts in its own session, so that its
group can be signalled, and carries a mark in its environment, so that a descendant that left the group is
found as well. When the engine dies, however it dies, the watchdog reads the end of a pipe and kills what
bears the engine's mark. Out of reach is only what changed its session *and* its environment *and* whose
parents have all ended.
"""

from __future__ import annotations
