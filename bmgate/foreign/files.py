"""Opening files that somebody names, and making files that nobody else can read.

Only regular files are read: no pipe that never ends, no device. What is written appears under its name when it is
whole and on disk, mode 0600, and replaces nothing unless that is asked for.
"""

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bmgate.errors import BadImport, Conflict

COPY_SIZE = 1024 * 1024


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file; raises BadImport for anything else, OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BadImport(f"{path} is no regular file")
    with open(descriptor, "rb") as file:
        yield file


def read_file(path: Path, limit: int) -> bytes:
    """The whole of it; raises BadImport where it has more than `limit` bytes."""
    with opened(path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise BadImport(f"{path} has more than {limit} bytes")
    return data


def pieces(path: Path, size: int) -> Iterator[bytes]:
    """The file, `size` bytes at a time."""
    with opened(path) as file:
        while piece := file.read(size):
            yield piece


@contextmanager
def new_file(path: Path, replace: bool) -> Iterator[BinaryIO]:
    """A file that appears at `path` when the caller is done with it; what fails leaves nothing."""
    refuse_taken(path, replace=replace)
    part = _beside(path)
    with _told_of(path):
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.replace(part, path)
        else:
            _link(part, path)
    finally:
        part.unlink(missing_ok=True)
    _sync(path.parent)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, mode 0700, that appears at `path` when the caller is done with it."""
    refuse_taken(path, replace=False)
    part = _beside(path)
    with _told_of(path):
        part.mkdir(mode=0o700)
    try:
        yield part
        refuse_taken(path, replace=False)
        os.rename(part, path)  # onto nothing, or at worst onto an empty folder
    finally:
        shutil.rmtree(part, ignore_errors=True)
    _sync(path.parent)


def write_private(path: Path, data: bytes) -> None:
    """A file in a folder of ours."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)


def refuse_taken(path: Path, replace: bool) -> None:
    """Raises Conflict where something is that must stay."""
    if path.is_dir() and not path.is_symlink():
        raise Conflict(f"{path} is a folder already; name one that is not there yet")
    if os.path.lexists(path) and not replace:
        raise Conflict(f"{path} is there already; --force replaces it")
    if os.path.lexists(path) and not (path.is_symlink() or path.is_file()):
        raise Conflict(f"{path} is no regular file: nothing replaces it")


def _link(part: Path, path: Path) -> None:
    """Unlike a rename this cannot replace what came in between."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise Conflict(f"{path} is there already; --force replaces it") from None
    except OSError:  # a file system without links
        refuse_taken(path, replace=False)
        os.rename(part, path)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.part")


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    """What fails is told with this path, not with the one beside it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
