"""The `ForeignFiles` port over the file system."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bmgate.domain.moving import MovedMail
from bmgate.domain.ports.moving import MessagesDat, NewFile, NewMailFolder
from bmgate.errors import BadImport, NotAllowed
from bmgate.foreign.files import new_file, new_folder, pieces, read_file
from bmgate.foreign.maildir import Maildir, read_maildir
from bmgate.foreign.mbox import MboxFolder, read_mbox
from bmgate.foreign.messages_dat import messages_dat

NAMES = ("keys.dat", "messages.dat")
EXPORTS = "exports"  # in the gateway's own folder: where exports may go
_COPIES = ".import-*"  # which earlier versions made of messages.dat


@dataclass(frozen=True, slots=True)
class DiskFiles:
    """Files where they are; nothing is written into `own`, the gateway's folder, but below its `exports`."""

    own: Path

    def read(self, path: Path, limit: int) -> bytes:
        return read_file(path, limit)

    def pieces(self, path: Path, size: int) -> Iterator[bytes]:
        return pieces(path, size)

    def beside(self, path: Path) -> Mapping[str, Path]:
        """`path` is a folder with them, or one of them by its content, unless its name says so."""
        if path.is_dir():
            found = {name: path / name for name in NAMES if (path / name).is_file()}
            if not found:
                raise BadImport(f"{path} holds neither keys.dat nor messages.dat")
            return found
        is_database = next(pieces(path, 16), b"") == b"SQLite format 3\0"
        return {"messages.dat" if is_database or path.name == "messages.dat" else "keys.dat": path}

    def messages_dat(self, path: Path) -> AbstractContextManager[MessagesDat]:
        return messages_dat(path)

    def mbox(self, path: Path, mailbox: str, left_out: Callable[[], None]) -> Iterator[MovedMail]:
        return read_mbox(path, mailbox, left_out)

    def maildir(self, path: Path, mailbox: str) -> Iterator[MovedMail]:
        return read_maildir(path, mailbox)

    def new_file(self, path: Path, replace: bool) -> AbstractContextManager[NewFile]:
        return new_file(self._target(path), replace)  # type: ignore[return-value]  # write() tells how much, which nobody asks

    @contextmanager
    def new_mbox_folder(self, path: Path) -> Iterator[NewMailFolder]:
        with new_folder(self._target(path)) as folder:
            yield MboxFolder(folder)

    @contextmanager
    def new_maildir(self, path: Path) -> Iterator[NewMailFolder]:
        with new_folder(self._target(path)) as folder:
            maildir = Maildir(folder)
            maildir.make("INBOX")
            yield maildir

    def sweep(self) -> None:
        for folder in self.own.glob(_COPIES):
            if folder.is_dir() and not folder.is_symlink():
                shutil.rmtree(folder, ignore_errors=True)

    def _target(self, path: Path) -> Path:
        """Raises NotAllowed where the gateway keeps what it needs; makes the folder of exports."""
        own, parent = self.own.resolve(), path.parent.resolve()
        exports = own / EXPORTS
        if parent == exports:
            exports.mkdir(mode=0o700, exist_ok=True)
        elif (parent / path.name).is_relative_to(own) and not parent.is_relative_to(exports):
            raise NotAllowed(f"{path} is in the gateway's own folder: name a place outside of it, or in {exports}")
        return path
