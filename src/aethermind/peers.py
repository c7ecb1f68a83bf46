"""Who is at the other end of a unix socket."""

from __future__ import annotations

import os
import socket
import struct
import sys
from typing import Any


def is_own(sock: Any) -> bool:
    """Whether it is a process of this very user, or of root."""
    return peer_uid(sock) in {os.getuid(), 0}


def peer_uid(sock: Any) -> int | None:
    """Whose process it is; None if the system does not say."""
    try:
        if sys.platform == "darwin":
            found = sock.getsockopt(0, 1, 76)  # SOL_LOCAL, LOCAL_PEERCRED: struct xucred
            return int(struct.unpack_from("=II", found)[1])
        found = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", found)[1])
    except (OSError, struct.error):
        return None
