"""Maildrops: an account's INBOX as POP3 shows it, to one session at a time (RFC 1939 section 8).

What a session is shown is fixed when it begins; what it deletes goes in one transaction at its end. Sizes are those of
the mail on the wire: the stored index knows them, older mail has to be read once. They are remembered for the next
session.
"""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field

from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import MailboxId, MailboxKind, MessageHead, StoredMessage
from bmgate.domain.ports.database import Database, Failpoints, Store
from bmgate.errors import Conflict
from bmgate.mail.lines import wire_size
from bmgate.mail.structure import decode_index
from bmgate.services.events import MailboxEvents

MEASURED_AT_ONCE = 1024 * 1024  # octets of mail read in one go, between which others get their turn
MESSAGES_AT_ONCE = 500
MAX_REMEMBERED = 500_000  # sizes, of all maildrops; the least recently opened one is forgotten

_Sizes = list[tuple[int, int | None]]  # octets by UID; None where the index does not know


class MaildropInUse(Conflict):
    """Another session has this maildrop open."""


@dataclass(frozen=True, slots=True)
class Maildrop:
    """INBOX at one instant: UIDs in ascending order, and as many sizes in octets."""

    account: AccountId
    mailbox: MailboxId
    uidvalidity: int
    uids: tuple[int, ...]
    octets: tuple[int, ...] = field(repr=False)


class Maildrops:
    """The maildrops of all accounts."""

    def __init__(self, database: Database, events: MailboxEvents, failpoints: Failpoints) -> None:
        self._database, self._events, self._failpoints = database, events, failpoints
        self._held: set[AccountId] = set()
        self._sizes: OrderedDict[MailboxId, dict[int, int]] = OrderedDict()

    async def open(self, account: AccountId) -> Maildrop:
        """The account's maildrop, for the caller alone until `release`. Raises MaildropInUse, AccountLocked."""
        if account in self._held:
            raise MaildropInUse("another program is fetching this mail")
        self._held.add(account)
        try:
            return await self._read(account)
        except BaseException:
            self.release(account)
            raise

    def release(self, account: AccountId) -> None:
        """The session is over."""
        self._held.discard(account)

    async def heads(self, maildrop: Maildrop, uids: Collection[int]) -> list[MessageHead]:
        """Headers by ascending UID, of the messages that are still there."""
        return await self._database.read(
            lambda store: store.account(maildrop.account).messages.heads(maildrop.mailbox, uids)
        )

    async def messages(self, maildrop: Maildrop, uids: Collection[int]) -> list[StoredMessage]:
        """Whole messages by ascending UID, of those that are still there; their sizes are known to who asks (I7)."""
        return await self._database.read(
            lambda store: store.account(maildrop.account).messages.messages(maildrop.mailbox, uids)
        )

    async def body(self, maildrop: Maildrop, uuid: bytes, start: int, end: int) -> bytes:
        """Octets of a large body from `start` on: some at least, and none from `end` on.

        Raises MessageMissing when another session has expunged the message.
        """
        return await self._database.read(lambda store: store.account(maildrop.account).messages.body(uuid, start, end))

    async def remove(self, maildrop: Maildrop, uids: Collection[int]) -> None:
        """Take messages out of INBOX, all in one transaction; what is gone already is no error."""

        def expunge(store: Store) -> list[int]:
            self._failpoints.pass_("expunge.begin")
            return store.account(maildrop.account).messages.expunge(maildrop.mailbox, uids)

        expunged = await self._database.transact(expunge)
        self._failpoints.pass_("expunge.committed")
        if expunged:
            self._events.changed([maildrop.mailbox])

    async def _read(self, account: AccountId) -> Maildrop:
        def list_inbox(store: Store) -> tuple[MailboxId, int, list[int]]:
            mine = store.account(account)
            inbox = mine.mailboxes.by_kind(MailboxKind.INBOX)
            return inbox.id, inbox.uidvalidity, [row.uid for row in mine.messages.rows(inbox.id)]

        mailbox, uidvalidity, uids = await self._database.read(list_inbox)
        known = self._sizes.get(mailbox, {})
        sizes = {uid: known[uid] for uid in uids if uid in known}
        await self._measure(account, mailbox, [uid for uid in uids if uid not in known], sizes)
        self._remember(mailbox, sizes)
        shown = tuple(uid for uid in uids if uid in sizes)  # the others were expunged meanwhile
        return Maildrop(account, mailbox, uidvalidity, shown, tuple(sizes[uid] for uid in shown))

    async def _measure(self, account: AccountId, mailbox: MailboxId, uids: list[int], sizes: dict[int, int]) -> None:
        """Add the sizes of these messages, as far as they are there, to `sizes`."""
        unknown = list[int]()
        for start in range(0, len(uids), MESSAGES_AT_ONCE):

            def look(store: Store, wanted: list[int] = uids[start : start + MESSAGES_AT_ONCE]) -> _Sizes:
                heads = store.account(account).messages.heads(mailbox, wanted)
                return [(head.uid, decode_index(head.encoded_index).wire_octets) for head in heads]

            for uid, octets in await self._database.read(look):
                if octets is None:
                    unknown.append(uid)
                else:
                    sizes[uid] = octets
        await self._count(account, mailbox, unknown, sizes)

    async def _count(self, account: AccountId, mailbox: MailboxId, uids: list[int], sizes: dict[int, int]) -> None:
        """The same for mail whose index is too old to know."""
        at = 0
        while at < len(uids):
            wanted = uids[at : at + MESSAGES_AT_ONCE]

            def measure(store: Store, wanted: list[int] = wanted) -> list[tuple[int, int]]:
                found = store.account(account).messages.messages(mailbox, wanted, MEASURED_AT_ONCE)
                return [(message.uid, wire_size(message.header, message.body)) for message in found]

            measured = await self._database.read(measure)
            sizes.update(measured)
            at += wanted.index(measured[-1][0]) + 1 if measured else len(wanted)

    def _remember(self, mailbox: MailboxId, sizes: dict[int, int]) -> None:
        self._sizes[mailbox] = sizes
        self._sizes.move_to_end(mailbox)
        while len(self._sizes) > 1 and sum(map(len, self._sizes.values())) > MAX_REMEMBERED:
            self._sizes.popitem(last=False)
