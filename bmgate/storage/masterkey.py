"""The master key file: 32 bytes that only the gateway's user may read."""

import os
import stat
from pathlib import Path
from shlex import quote

from bmgate.bm.keys import Entropy
from bmgate.errors import ConfigError, Conflict
from bmgate.storage.sealing import KEY_SIZE

MODE = 0o600


def create_master_key(path: Path, entropy: Entropy = os.urandom) -> bytes:
    """A new key in a new file, on disk when this returns; raises Conflict when there is one already."""
    key = entropy(KEY_SIZE)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, MODE)
    except FileExistsError as error:
        raise Conflict(f"{path} exists already: a second key would lock up everything under the first") from error
    try:
        os.fchmod(descriptor, MODE)
        os.write(descriptor, key)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(path.parent)
    return key


def read_master_key(path: Path) -> bytes:
    """The key; raises ConfigError, with the command that helps, when others could have read or changed it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read as the master key: {error.strerror}") from error
    try:
        _check(path, os.fstat(descriptor))
        key = os.read(descriptor, KEY_SIZE + 1)
    finally:
        os.close(descriptor)
    if len(key) != KEY_SIZE:
        raise ConfigError(f"{path}: {len(key)} bytes found, hoped for the {KEY_SIZE} of a master key; restore it")
    return key


def _check(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"{path}: not an ordinary file")
    if status.st_uid != os.geteuid():
        raise ConfigError(f"{path}: belongs to another user; run: chown {os.geteuid()} {quote(str(path))}")
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise ConfigError(f"{path}: mode {mode:04o} lets others in; run: chmod 600 {quote(str(path))}")


def sync_folder(folder: Path) -> None:
    """What was made or renamed in it is there after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
