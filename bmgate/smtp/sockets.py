"""A Unix socket that one group may use, beside the gateway itself."""

import contextlib
import errno
import grp
import os
import socket
import stat
from pathlib import Path

from bmgate.errors import CannotListen

MODE = 0o660


def bind_for_group(path: Path, group: str) -> socket.socket:
    """A bound socket, in place of one whose gateway was killed; with `group` empty its group is the process's own.

    It does not listen yet: nobody reaches it before its mode is set. Raises CannotListen.
    """
    with contextlib.ExitStack() as undo:
        listener = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        try:
            _remove_dead(path)
            listener.bind(str(path))
            undo.callback(remove, path)
            if group:
                os.chown(path, -1, grp.getgrnam(group).gr_gid)
            path.chmod(MODE)
        except KeyError as error:
            raise CannotListen(f"[smtp] lmtp_group: there is no group {group!r}") from error
        except OSError as error:
            raise CannotListen(f"[smtp] lmtp_socket: {path}: {error.strerror or error}") from error
        undo.pop_all()
    return listener


def remove(path: Path) -> None:
    """Take the socket away, if it is there."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _remove_dead(path: Path) -> None:
    """Only a socket that nobody listens on any more is taken away; raises CannotListen."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise CannotListen(f"[smtp] lmtp_socket: {path} is there already, and no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.setblocking(False)
        answer = caller.connect_ex(str(path))
    if answer in (0, errno.EAGAIN):  # it listens; EAGAIN: and has more callers than it answers
        raise CannotListen(f"[smtp] lmtp_socket: another program listens on {path}")
    if answer != errno.ECONNREFUSED:
        raise OSError(answer, os.strerror(answer))
    path.unlink()
