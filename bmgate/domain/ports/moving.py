"""Ports to files of other programs, and to those that leave the gateway. All of it blocks: call it on a thread."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from bmgate.domain.moving import InboxRow, ListedAddress, MovedMail, SentRow, StoredPubkey


class MessagesDat(Protocol):
    """An opened messages.dat. What it yields is as PyBitmessage wrote it: nothing is checked but its types."""

    @property
    def version(self) -> int:
        """Of its schema."""
        ...

    def inbox(self) -> Iterator[InboxRow]: ...

    def sent(self) -> Iterator[SentRow]: ...

    def listed(self, table: str) -> list[ListedAddress]:
        """The rows of `addressbook`, `subscriptions`, `blacklist` or `whitelist`."""
        ...

    def pubkeys(self) -> Iterator[StoredPubkey]: ...


class NewFile(Protocol):
    """A file that comes to be when it is finished, and not before."""

    def write(self, data: bytes) -> None: ...


class NewMailFolder(Protocol):
    """A folder of mailboxes that comes to be when it is finished."""

    def add(self, mails: Iterable[MovedMail]) -> None: ...

    def make(self, mailbox: str) -> None:
        """Also for mailboxes without mail."""
        ...


class ForeignFiles(Protocol):
    """Reads what others wrote, and writes what they read. Raises BadImport and OSError."""

    def read(self, path: Path, limit: int) -> bytes:
        """A whole regular file of at most `limit` bytes."""
        ...

    def pieces(self, path: Path, size: int) -> Iterator[bytes]:
        """A regular file, `size` bytes at a time; only the last piece is shorter."""
        ...

    def beside(self, path: Path) -> Mapping[str, Path]:
        """The keys.dat and messages.dat that `path` is or holds, by name; none that is no regular file."""
        ...

    def messages_dat(self, path: Path) -> AbstractContextManager[MessagesDat]:
        """Opened to read, where it is."""
        ...

    def mbox(self, path: Path, mailbox: str, left_out: Callable[[], None]) -> Iterator[MovedMail]:
        """The mails of an mbox file, or of all in a folder; with `mailbox` all go there.

        `left_out` is called for each that another program only marked as gone.
        """
        ...

    def maildir(self, path: Path, mailbox: str) -> Iterator[MovedMail]:
        """The mails of a Maildir and the folders in it; with `mailbox` all go there."""
        ...

    def new_file(self, path: Path, replace: bool) -> AbstractContextManager[NewFile]:
        """For its owner's eyes only; raises Conflict where something is, unless it may be replaced.

        This and new folders raise NotAllowed for a place among the gateway's own files.
        """
        ...

    def new_mbox_folder(self, path: Path) -> AbstractContextManager[NewMailFolder]:
        """A folder of mbox files; raises Conflict where something is."""
        ...

    def new_maildir(self, path: Path) -> AbstractContextManager[NewMailFolder]:
        """A Maildir++; raises Conflict where something is."""
        ...

    def sweep(self) -> None:
        """Remove what an earlier version left of files that it copied."""
        ...
