"""The data folder: private to its user, and held by one process at a time.

`gateway.ini`, `master.key`, `bmgate.db`, `tls/`, `lock`, `control.sock`, `spool/`, `backups/`.
"""

import fcntl
import os
import shlex
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bmgate.control.paths import SOCKET_NAME
from bmgate.errors import ConfigError, Unavailable

LOCK_WAIT_SECONDS = 1.0
LOCK_RETRY_SECONDS = 0.05


def private(path: str, flags: int) -> int:
    """An `opener` for files that are their owner's alone."""
    return os.open(path, flags, 0o600)


def _holds_bytes(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


class FolderHeld(Unavailable):
    """Another process has the data folder; the text names it."""


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Where everything of one gateway lies."""

    path: Path

    @property
    def config(self) -> Path:
        """The settings, unless `--config` names others."""
        return self.path / "gateway.ini"

    @property
    def master_key(self) -> Path:
        """32 bytes, mode 0600."""
        return self.path / "master.key"

    @property
    def database(self) -> Path:
        """The SQLite database."""
        return self.path / "bmgate.db"

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever sealed here: no master key, nothing of a database."""
        return not self.master_key.exists() and not any(map(_holds_bytes, self._database_files))

    @property
    def _database_files(self) -> tuple[Path, Path]:
        """A WAL alone is not nothing: SQLite would play it into a database made beside it."""
        return self.database, self.database.with_name(self.database.name + "-wal")

    @property
    def tls(self) -> Path:
        """CA, certificate and key for mail programs."""
        return self.path / "tls"

    @property
    def spool(self) -> Path:
        """Large mail while a client brings it; made when it is needed, and empty to look at."""
        return self.path / "spool"

    @property
    def socket(self) -> Path:
        """The control socket."""
        return self.path / SOCKET_NAME

    @property
    def backups(self) -> Path:
        """Automatic backups."""
        return self.path / "backups"

    def create(self) -> None:
        """Make the folder and those inside it, mode 0700; what exists is checked."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.check()
        for folder in (self.tls, self.backups):
            folder.mkdir(mode=0o700, exist_ok=True)

    def check(self) -> None:
        """Raises ConfigError, with the command that helps, when others could look inside (E1)."""
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            raise ConfigError(f"{self.path} does not exist; run: bmgate quickstart") from None
        if not stat.S_ISDIR(status.st_mode):
            raise ConfigError(f"{self.path} is not a folder")
        if status.st_uid != os.geteuid():
            raise ConfigError(
                f"{self.path} belongs to another user; run: chown {os.geteuid()} {shlex.quote(str(self.path))}"
            )
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise ConfigError(f"others can read {self.path}; run: chmod 700 {shlex.quote(str(self.path))}")

    def check_sealed(self) -> None:
        """Raises ConfigError, with what helps, where master key and database are not both there (D7)."""
        if self.is_new:
            raise ConfigError(f"{self.path} has neither master key nor database; run: bmgate quickstart")
        if not self.master_key.exists():
            raise ConfigError(f"{self.master_key} is gone, and {self.database} opens with no other; restore it")
        if not _holds_bytes(self.database):
            raise ConfigError(
                f"{self.database} is missing or empty though master.key is there: move what is left of bmgate.db* "
                "away and bring back a backup from backups/, or move master.key away too to begin anew"
            )

    @contextmanager
    def locked(self, purpose: str) -> Iterator[None]:
        """Hold the folder for `purpose` (shown to whoever comes next); raises FolderHeld after a second (D9)."""
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._acquire(descriptor)
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, f"{purpose}, process {os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def _acquire(self, descriptor: int) -> None:
        deadline = time.monotonic() + LOCK_WAIT_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "an unknown process"
                    raise FolderHeld(f"{self.path} is in use by {holder}") from None
                time.sleep(LOCK_RETRY_SECONDS)
            else:
                return
