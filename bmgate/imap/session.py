"""One IMAP session: who is logged in, what is selected, and how a command is carried out (RFC 9051 section 3).

Knows no transport: bytes leave through a `Channel`. The commands themselves are in the command modules.
"""

import asyncio
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Protocol

from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import MailboxSnapshot
from bmgate.errors import MailboxMissing, Unavailable
from bmgate.imap.features import IMPLIED, Announcement, Feature, announced
from bmgate.imap.limits import ImapLimits
from bmgate.imap.mutf7 import encode_mailbox
from bmgate.imap.ports import ImapServices
from bmgate.imap.replies import BAD, Refusal, Reply
from bmgate.imap.view import MailboxView
from bmgate.mail.imaptext import string
from bmgate.tcp import channel
from bmgate.tcp.channel import HangUp


class State(Enum):
    """Where the session stands."""

    NOT_AUTHENTICATED = "not authenticated"
    AUTHENTICATED = "authenticated"
    SELECTED = "selected"
    LOGOUT = "logout"


class Channel(channel.Channel, Protocol):
    """The connection, as far as commands know it."""

    stirred: asyncio.Event
    """Set when bytes have come or `Session.wake` was called."""

    def take_line(self) -> bytes | None:
        """The next line, when a command has a continuation; None when it has not come yet. Raises HangUp."""
        ...

    def admit(self, account: AccountId) -> asyncio.Lock:
        """A login: the lock under which the account searches in bodies, one session at a time.

        Raises LimitReached when the account has too many sessions.
        """
        ...


class Session:
    """The state of one session."""

    def __init__(
        self,
        channel: Channel,
        services: ImapServices,
        limits: ImapLimits,
        announcements: Iterable[Announcement],
        allow_plaintext: bool,
    ) -> None:
        self.channel, self.services, self.limits = channel, services, limits
        self._announcements, self._allow_plaintext = announcements, allow_plaintext
        self.account_id: AccountId | None = None
        self.selected: MailboxView | None = None
        self.body_search = asyncio.Lock()
        self.is_over = False
        self.enabled: frozenset[Feature] = frozenset()
        self.tag = b""  # of the command that runs
        self._is_dirty = False
        self._unwatch: Callable[[], None] | None = None
        self._bad_commands = self._failed_logins = 0

    @property
    def state(self) -> State:
        """Where it stands."""
        if self.is_over:
            return State.LOGOUT
        if self.account_id is None:
            return State.NOT_AUTHENTICATED
        return State.AUTHENTICATED if self.selected is None else State.SELECTED

    @property
    def account(self) -> AccountId:
        """Whose session it is; only behind the login."""
        assert self.account_id is not None
        return self.account_id

    @property
    def view(self) -> MailboxView:
        """The selected mailbox; only in the selected state."""
        assert self.selected is not None
        return self.selected

    @property
    def is_logged_in(self) -> bool:
        """Whether somebody is logged in."""
        return self.account_id is not None

    @property
    def can_start_tls(self) -> bool:
        """Whether STARTTLS may be given."""
        return self.channel.can_start_tls

    @property
    def append_limit(self) -> int:
        """Octets that one mail may have."""
        return self.limits.append_limit

    @property
    def capabilities(self) -> bytes:
        """The words of CAPABILITY in the present state."""
        return announced(self._announcements, self)

    def enable(self, feature: Feature) -> None:
        """Switch a feature on, and what belongs to it; a mailbox that is open tells its MODSEQ then (RFC 7162 3.1)."""
        has_modseq = Feature.CONDSTORE in self.enabled
        self.enabled |= IMPLIED[feature]
        view = self.selected
        if view is None:
            return
        view.tells_modseq = Feature.CONDSTORE in self.enabled
        view.tells_vanished = Feature.QRESYNC in self.enabled
        if view.tells_modseq and not has_modseq:
            self.channel.write(b"* OK [HIGHESTMODSEQ %d] Highest\r\n" % view.told_modseq)

    def mailbox_name(self, name: str) -> bytes:
        """`name` as a string of this session."""
        return string(name.encode() if Feature.UTF8 in self.enabled else encode_mailbox(name))

    @property
    def may_log_in(self) -> bool:
        """Whether a password may be sent now (T6)."""
        return self._allow_plaintext or self.channel.is_secure

    def log_in(self, account: AccountId) -> None:
        """Raises LimitReached."""
        self.body_search = self.channel.admit(account)
        self.account_id = account

    def count_failed_login(self) -> None:
        """At the limit the session is over once the command is answered."""
        self._failed_logins += 1
        if self._failed_logins >= self.limits.failed_logins:
            self.channel.write(b"* BYE Too many failed logins\r\n")
            self.is_over = True

    def count_bad_command(self) -> None:
        """Raises HangUp at the limit (I15)."""
        self._bad_commands += 1
        if self._bad_commands >= self.limits.bad_commands:
            raise HangUp("Too many bad commands")

    def select(self, snapshot: MailboxSnapshot, read_only: bool) -> None:
        """Show a mailbox; what came between the snapshot and now is found at the next `catch_up`."""
        self.deselect()
        self.selected = MailboxView(snapshot, read_only, tells_recent=Feature.REV2 not in self.enabled)
        self.selected.tells_modseq = Feature.CONDSTORE in self.enabled
        self.selected.tells_vanished = Feature.QRESYNC in self.enabled
        self._unwatch = self.services.mailboxes.watch(self.selected.id, self.wake)
        self._is_dirty = True

    def deselect(self) -> None:
        """Forget the selected mailbox, if there is one."""
        if self._unwatch is not None:
            self._unwatch()
        self._unwatch, self.selected, self._is_dirty = None, None, False

    def wake(self) -> None:
        """Something changed in the selected mailbox."""
        self._is_dirty = True
        self.channel.stirred.set()

    async def catch_up(self, force: bool = False) -> None:
        """Let the view learn what happened; raises HangUp when its mailbox was deleted."""
        if self.selected is None or not (self._is_dirty or force):
            return
        self._is_dirty = False
        view = self.selected
        try:
            changes = await self.services.mailboxes.changes(self.account, view.id, view.modseq)
        except MailboxMissing as error:
            raise HangUp("The selected mailbox was deleted") from error
        except Unavailable:
            self._is_dirty = True  # asked again at the next command
            return
        first = self.services.mailboxes.claim_recent(view.id, changes.uidnext) if view.claims(changes) else None
        view.learn(changes, first)

    async def tell_news(self, expunge: bool) -> None:
        """Write the untagged responses that are due."""
        await self.catch_up()
        if self.selected is not None:
            for line in self.selected.release(expunge):
                self.channel.write(line)

    def refuse_read_only(self) -> None:
        """Raises Refusal when the mailbox was opened by EXAMINE."""
        if self.view.read_only:
            raise Refusal(b"NO", b"CANNOT", "The mailbox is open read-only")

    def refuse_state(self) -> None:
        """Raises Refusal for a command that is not for this state."""
        raise Refusal(BAD, b"CLIENTBUG", f"Not in the state: {self.state.value}")


def ok(text: str, code: bytes = b"") -> Reply:
    """A command that was carried out."""
    return Reply(b"OK", code, text)
