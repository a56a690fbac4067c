"""One POP3 session: who is logged in, what the maildrop shows, and what is to be deleted at the end (RFC 1939).

Knows no transport: bytes leave through a `Channel`. The commands themselves are in the command modules.
"""

import re
from enum import Enum
from typing import Protocol

from bmgate.domain.mailbox import MessageHead, StoredMessage
from bmgate.pop3.limits import Pop3Limits
from bmgate.pop3.ports import Pop3Services
from bmgate.pop3.reading import Portions
from bmgate.pop3.replies import Refusal
from bmgate.services.mailboxes.maildrops import Maildrop
from bmgate.tcp import channel
from bmgate.tcp.channel import HangUp

_NUMBER = re.compile(rb"[0-9]{1,10}")


class State(Enum):
    """Where the session stands; UPDATE is what QUIT does."""

    AUTHORIZATION = "authorization"
    TRANSACTION = "transaction"


class Channel(channel.Channel, Protocol):
    """The connection, as far as commands know it."""

    async def read_line(self) -> bytes:
        """The next line, when a command has responses; raises HangUp."""
        ...

    def peek_lines(self, count: int) -> list[bytes]:
        """Up to `count` of the lines that wait already."""
        ...

    def admit(self) -> None:
        """A login: the client has time now."""
        ...


class Drop:
    """The maildrop as this session sees it: message numbers, and which of them are deleted."""

    def __init__(self, shown: Maildrop, services: Pop3Services, limits: Pop3Limits) -> None:
        self.shown = shown
        self.deleted: set[int] = set()  # places, which count from 0
        self.heads: Portions[MessageHead] = Portions(shown, services.maildrops.heads, limits)
        self.messages: Portions[StoredMessage] = Portions(shown, services.maildrops.messages, limits)

    @property
    def places(self) -> list[int]:
        """Of the messages that are not deleted."""
        return [place for place in range(len(self.shown.uids)) if place not in self.deleted]

    @property
    def doomed(self) -> list[int]:
        """UIDs of the deleted ones."""
        return [self.shown.uids[place] for place in sorted(self.deleted)]

    def octets(self) -> int:
        """Of all messages that are not deleted."""
        return sum(self.shown.octets) - sum(self.shown.octets[place] for place in self.deleted)

    def place(self, number: bytes) -> int:
        """Where the message of this number is; raises Refusal when there is none, or it is deleted."""
        place = read_number(number) - 1
        if not 0 <= place < len(self.shown.uids):
            raise Refusal(f"No such message, only {len(self.shown.uids)} in the maildrop")
        if place in self.deleted:
            raise Refusal("This message is deleted")
        return place

    def announced(self, lines: list[bytes], verb: bytes) -> list[int]:
        """The places that `lines` ask for with the same command, up to the first line that is another."""
        found = []
        for line in lines:
            words = line.split()
            if len(words) < 2 or words[0].upper() != verb or not _NUMBER.fullmatch(words[1]):
                break
            place = int(words[1]) - 1
            if not 0 <= place < len(self.shown.uids):
                break
            found.append(place)
        return found


class Session:
    """The state of one session."""

    def __init__(self, channel: Channel, services: Pop3Services, limits: Pop3Limits, allow_plaintext: bool) -> None:
        self.channel, self.services, self.limits = channel, services, limits
        self._allow_plaintext = allow_plaintext
        self.name: bytes | None = None  # what USER said
        self.opened: Drop | None = None
        self.is_over = False
        self._bad_commands = self._failed_logins = 0

    @property
    def state(self) -> State:
        """Where it stands."""
        return State.AUTHORIZATION if self.opened is None else State.TRANSACTION

    @property
    def drop(self) -> Drop:
        """The maildrop; only behind the login."""
        assert self.opened is not None
        return self.opened

    @property
    def may_log_in(self) -> bool:
        """Whether a password may be sent now (I19)."""
        return self._allow_plaintext or self.channel.is_secure

    def log_in(self, maildrop: Maildrop) -> None:
        """The maildrop is ours until `release`."""
        self.opened = Drop(maildrop, self.services, self.limits)
        self.channel.admit()

    def release(self) -> None:
        """Let others open the maildrop; nothing is deleted by this."""
        if self.opened is not None:
            self.services.maildrops.release(self.opened.shown.account)
            self.opened = None

    def count_failed_login(self) -> None:
        """At the limit the session is over once the command is answered."""
        self._failed_logins += 1
        self.is_over = self._failed_logins >= self.limits.failed_logins

    def count_bad_command(self) -> None:
        """Raises HangUp at the limit (I15)."""
        self._bad_commands += 1
        if self._bad_commands >= self.limits.bad_commands:
            raise HangUp("Too many bad commands")

    def forget(self) -> None:
        """What was said before TLS does not count (F1)."""
        self.name = None

    def ok(self, text: str) -> None:
        """A command that was carried out."""
        self.channel.write(f"+OK {text}\r\n".encode("ascii"))


def read_number(text: bytes) -> int:
    """Digits, at most ten; raises Refusal."""
    if not _NUMBER.fullmatch(text):
        raise Refusal("A number is wanted", is_bad=True)
    return int(text)
