"""The entry point of `aethermind` and `python -m aethermind`; `--version` needs only the interpreter."""

from __future__ import annotations

import gc
import os
import signal
import sys


def main() -> int:
    """Run the command line; returns the exit code."""
    _hold_standard_streams()
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"], ["version"]):
        from aethermind import __version__

        try:
            print(f"aethermind {__version__}", flush=True)
        except OSError:
            return 1
        return 0
    from aethermind.cli import parent

    if parent.wanted(arguments) and (code := parent.split(screen=parent.is_screen(arguments))) is not None:
        return code
    # Asked to end before there is a run to let end, or after: as with Ctrl-C, what is open is closed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # What is imported stays: looking for garbage in it takes a tenth of the start. `session` ends this.
    gc.disable()
    try:
        from aethermind.cli.app import main as command_line

        return command_line(arguments)
    except KeyboardInterrupt:
        return 130
    finally:  # all is said; what comes now would only be a traceback of the interpreter's own end
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _hold_standard_streams() -> None:
    """A closed descriptor 0, 1 or 2 would be given to the next file that opens: to the database, say, which
    `print` would then write into.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is the one that is missing.
            os.open(os.devnull, os.O_RDONLY if mode == "r" else os.O_WRONLY)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


if __name__ == "__main__":
    sys.exit(main())
