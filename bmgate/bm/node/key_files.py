"""Keys of our names in Tor and I2P: a line of text each, in a file that is its owner's alone."""

import os
from pathlib import Path

from bmgate.errors import ConfigError

MAX_SIZE = 8192


def keep_key(path: Path, key: str) -> None:
    """Write a new key, whole or not at all, on disk when this returns."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        os.write(descriptor, key.encode("ascii") + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_key(path: Path) -> str | None:
    """The key, or None when there is no file; raises ConfigError when others can read it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        if os.fstat(descriptor).st_mode & 0o077:
            raise ConfigError(f"others can read {path}; run: chmod 600 {path}")
        return os.read(descriptor, MAX_SIZE).decode("ascii", "replace").strip()
    finally:
        os.close(descriptor)
