"""The `ForeignFiles` port over the file system."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bmgate.domain.moving import MovedMail
from bmgate.domain.ports.moving import MessagesDat, NewFile, NewMailFolder
from bmgate.errors import BadImport
from bmgate.foreign.files import new_file, new_folder, pieces, read_file
from bmgate.foreign.maildir import Maildir, read_maildir
from bmgate.foreign.mbox import MboxFolder, read_mbox
from bmgate.foreign.messages_dat import messages_dat

NAMES = ("keys.dat", "messages.dat")


@dataclass(frozen=True, slots=True)
class DiskFiles:
    """Files where they are; copies are made in `scratch`, a folder of ours, and have no name while they are used."""

    scratch: Path

    def read(self, path: Path, limit: int) -> bytes:
        return read_file(path, limit)

    def pieces(self, path: Path, size: int) -> Iterator[bytes]:
        return pieces(path, size)

    def beside(self, path: Path) -> Mapping[str, Path]:
        """`path` is a folder with them, or one of them by its content."""
        if path.is_dir():
            found = {name: path / name for name in NAMES if (path / name).is_file()}
            if not found:
                raise BadImport(f"{path} holds neither keys.dat nor messages.dat")
            return found
        is_database = next(pieces(path, 16), b"") == b"SQLite format 3\0"
        return {"messages.dat" if is_database else "keys.dat": path}

    def messages_dat(self, path: Path) -> AbstractContextManager[MessagesDat]:
        return messages_dat(path, self.scratch)

    def mbox(self, path: Path, mailbox: str) -> Iterator[MovedMail]:
        return read_mbox(path, mailbox)

    def maildir(self, path: Path, mailbox: str) -> Iterator[MovedMail]:
        return read_maildir(path, mailbox)

    def new_file(self, path: Path, replace: bool) -> AbstractContextManager[NewFile]:
        return new_file(path, replace)  # type: ignore[return-value]  # write() tells how much, which nobody asks

    @contextmanager
    def new_mbox_folder(self, path: Path) -> Iterator[NewMailFolder]:
        with new_folder(path) as folder:
            yield MboxFolder(folder)

    @contextmanager
    def new_maildir(self, path: Path) -> Iterator[NewMailFolder]:
        with new_folder(path) as folder:
            maildir = Maildir(folder)
            maildir.make("INBOX")
            yield maildir
