"""Where a database may lie: on a local file system, whose locks and shared memory can be trusted."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from aethermind.domain.errors import InvalidError

NETWORK = re.compile(
    r"(nfs\d?|cifs|smb\w*|afpfs|webdav|davfs|9p|afs|ncpfs|fuse\.(sshfs|rclone|s3fs|glusterfs))\Z"
)
_OCTAL = re.compile(r"\\([0-7]{3})")


def check_place(directory: Path) -> None:
    """Raise `InvalidError` if the directory lies on a network file system (as far as can be told)."""
    kind = file_system_of(directory)
    if kind is not None and NETWORK.match(kind):
        raise InvalidError(
            f"{directory} is on a network file system ({kind}), where SQLite can lose data",
            hint="choose a local directory with AETHERMIND_HOME",
        )


def file_system_of(directory: Path) -> str | None:
    """The type of file system (`ext4`, `nfs4`), None if unknown."""
    try:
        if sys.platform == "linux":
            mounts = linux_mounts(Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace"))
        elif sys.platform == "darwin":
            listing = subprocess.run(["/sbin/mount"], capture_output=True, text=True, timeout=5, check=True)
            mounts = macos_mounts(listing.stdout)
        else:
            return None
    except (OSError, subprocess.SubprocessError):
        return None
    return type_at(directory.resolve(), mounts)


def type_at(directory: Path, mounts: list[tuple[str, str]]) -> str | None:
    """The type of the innermost mount that holds the directory; of two in one place, the later."""
    found, depth = None, -1
    for point, kind in mounts:
        path = Path(point)
        if (directory == path or path in directory.parents) and len(path.parts) >= depth:
            found, depth = kind, len(path.parts)
    return found


def linux_mounts(text: str) -> list[tuple[str, str]]:
    """`/proc/self/mounts` → (mount point, type), in order."""
    mounts = []
    for line in text.splitlines():
        fields = line.split(" ")
        if len(fields) >= 3:
            mounts.append((_OCTAL.sub(lambda m: chr(int(m[1], 8)), fields[1]), fields[2]))
    return mounts


def macos_mounts(text: str) -> list[tuple[str, str]]:
    """Output of `mount` → (mount point, type), in order."""
    return re.findall(r"^.* on (/.*) \((\w+)", text, flags=re.MULTILINE)
