"""Where the control socket lies, and how to reach it when its path is too long for a socket address."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

SOCKET_NAME = "control.sock"
MAX_SOCKET_PATH = 100  # bytes; sun_path holds 108


def bind_unix(path: Path) -> socket.socket:
    """A bound socket at `path`, mode 0600, in place of one whose gateway was killed."""
    remove(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_path(path) as name:
            listener.bind(name)
        path.chmod(0o600)
    except OSError:
        listener.close()
        raise
    return listener


@contextlib.contextmanager
def short_path(path: Path) -> Iterator[str]:
    """A name for `path` that fits into a socket address while the context lasts."""
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def remove(path: Path) -> None:
    """Take the socket away, if it is there."""
    path.unlink(missing_ok=True)
