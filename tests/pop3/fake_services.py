"""The services the POP3 door asks, in memory."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

from door_accounts import ALICE, BOB, FakeAccounts
from stored_mail import PORTION, head_of, stored

from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import MailboxId, MessageHead, StoredMessage
from bmgate.errors import MessageMissing
from bmgate.mail.lines import wire_size
from bmgate.pop3.ports import Pop3Services
from bmgate.services.mailboxes.maildrops import Maildrop, MaildropInUse

UIDVALIDITY = 1_795_000_000


class FakeMaildrops:
    """Mail by account and UID."""

    def __init__(self) -> None:
        self.mails: dict[AccountId, dict[int, bytes]] = {ALICE: {}, BOB: {}}
        self.held: set[AccountId] = set()
        self.read: list[tuple[str, list[int]]] = []  # what was asked for, and of which UIDs
        self.turns = 1  # of the loop that every call takes
        self.body_octets = PORTION
        self._next = 1

    def fill(self, *raws: bytes, account: AccountId = ALICE) -> list[int]:
        """Deliver mail."""
        uids = list(range(self._next, self._next + len(raws)))
        self.mails[account].update(zip(uids, raws, strict=True))
        self._next += len(raws)
        return uids

    async def _pause(self) -> None:
        for _ in range(self.turns):
            await asyncio.sleep(0)

    async def open(self, account: AccountId) -> Maildrop:
        if account in self.held:
            raise MaildropInUse("another program is fetching this mail")
        self.held.add(account)
        mails = self.mails[account]
        uids = tuple(sorted(mails))
        return Maildrop(account, MailboxId(account), UIDVALIDITY, uids, tuple(wire_size(mails[uid]) for uid in uids))

    def release(self, account: AccountId) -> None:
        self.held.remove(account)

    async def heads(self, maildrop: Maildrop, uids: Collection[int]) -> list[MessageHead]:
        self.read.append(("heads", list(uids)))
        return [head_of(one) for one in await self._stored(maildrop, uids)]

    async def messages(self, maildrop: Maildrop, uids: Collection[int]) -> list[StoredMessage]:
        self.read.append(("messages", list(uids)))
        return await self._stored(maildrop, uids)

    async def body(self, maildrop: Maildrop, uuid: bytes, start: int, end: int) -> bytes:
        for one in await self._stored(maildrop, self.mails[maildrop.account]):
            if one.uuid == uuid:
                self.read.append(("body", [one.uid]))
                return one.body[start : min(end, start + self.body_octets)]
        raise MessageMissing("this message is not there any more")

    async def remove(self, maildrop: Maildrop, uids: Collection[int]) -> None:
        await self._pause()
        for uid in uids:
            self.mails[maildrop.account].pop(uid, None)

    async def _stored(self, maildrop: Maildrop, uids: Collection[int]) -> list[StoredMessage]:
        await self._pause()
        mails = self.mails[maildrop.account]
        return [stored(mails[uid])._replace(uid=uid) for uid in sorted(set(uids) & mails.keys())]


@dataclass
class FakeServices:
    """Both, with their own types."""

    accounts: FakeAccounts = field(default_factory=FakeAccounts)
    maildrops: FakeMaildrops = field(default_factory=FakeMaildrops)

    @property
    def ports(self) -> Pop3Services:
        """As the door takes them."""
        return Pop3Services(self.accounts, self.maildrops)
