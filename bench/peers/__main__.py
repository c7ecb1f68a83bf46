"""The engines that the bench compares with, each in an environment of its own.

python -m bench.peers install [NAME …]     make (or renew) their environments under .bench/
python -m bench.peers list                 which are there
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys

from bench.peers import places


def install(name: str) -> None:
    """Make a peer's environment anew, from exact versions and hashes."""
    if places.python(name) is not None:
        print(f"{name}: is there")
        return
    home = places.directory(name)
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    argv = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes"]
    subprocess.run([*argv, "-r", str(places.requirements(name))], check=True)
    places.stamp(name).write_text(places.wanted(name))
    print(f"{name}: installed")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verb", choices=("install", "list"))
    parser.add_argument("names", nargs="*", metavar="NAME")
    given = parser.parse_args()
    for name in given.names or places.PEERS:
        if name not in places.PEERS:
            parser.error(f"there is no peer {name!r}; there are {', '.join(places.PEERS)}")
        if given.verb == "install":
            install(name)
        else:
            print(f"{name:16} {places.python(name) or 'not installed'}")


if __name__ == "__main__":
    main()
