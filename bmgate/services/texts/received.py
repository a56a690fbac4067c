"""What came from the network, as texts: whatever nobody threw away, in whichever mailbox it lies.

Notices, notes and answers of the gateway itself are none of it; what waits in Requests is not there yet.
"""

import asyncio
from dataclasses import dataclass
from functools import partial

from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import FlagChange, Flags, Mailbox, MailboxKind
from bmgate.mail.headers import addresses_in, raw_field
from bmgate.mail.parse import Part, parse_header
from bmgate.mail.reading import Kind
from bmgate.services.delivery.strangers import REQUESTS
from bmgate.services.mailboxes.mailboxes import Mailboxes
from bmgate.services.parsing import Parsing
from bmgate.services.texts.places import (
    MAX_OCTETS,
    Place,
    TextPlaces,
    header_of,
    is_of_network,
    portions,
    subject_and_body,
    word_of,
)

_OTHERS = frozenset(
    {
        MailboxKind.SENT,
        MailboxKind.DRAFTS,
        MailboxKind.TRASH,
        MailboxKind.JUNK,
        MailboxKind.OUTBOX,
        MailboxKind.PARENT,
    }
)


@dataclass(frozen=True, slots=True, repr=False)
class Received:
    """A message that came. Subject and body are empty where they were not asked for.

    `recipient` is the address it was delivered for, of a broadcast the one subscribed to; times are Unix seconds.
    """

    uuid: bytes
    kind: str
    sender: str
    recipient: str
    encoding: int
    received_at: int
    seen: bool
    subject: str = ""
    body: str = ""

    @property
    def is_public(self) -> bool:
        """Whether it went to nobody in particular."""
        return self.kind in (Kind.BROADCAST, Kind.LIST)


class ReceivedTexts:
    """Reads and files them. Long lists are made one after the other, as each takes memory."""

    def __init__(self, places: TextPlaces, mailboxes: Mailboxes, parsing: Parsing) -> None:
        self._places, self._mailboxes, self._parsing = places, mailboxes, parsing
        self._one_list = asyncio.Semaphore(1)

    async def names(self, account: AccountId) -> list[bytes]:
        """Of all there are, oldest first."""
        found: list[bytes] = []
        for portion in portions(await self._places.newest(account, _is_incoming)):
            heads = await self._places.heads(account, portion)
            found += [head.uuid for head in heads.values() if is_of_network(header_of(head))]
        return found[::-1]

    async def all(self, account: AccountId, recipient: str = "") -> list[Received]:
        """Oldest first, or only those for one address; of very many the newest."""
        async with self._one_list:
            found: list[Received] = []
            left = MAX_OCTETS
            for portion in portions(await self._places.newest(account, _is_incoming)):
                for place, head in (await self._places.heads(account, portion)).items():
                    header = header_of(head)
                    if not is_of_network(header) or recipient not in ("", _recipient(header)):
                        continue
                    message = await self._places.message(account, place)
                    if message is None:
                        continue
                    raw = message.header + message.body
                    left -= len(raw)
                    if left < 0:
                        return found[::-1]
                    found.append(await self._parsing.run(account, partial(_read, message.uuid, place), raw))
            return found[::-1]

    async def one(self, account: AccountId, uuid: bytes) -> Received | None:
        """By its name, also when it is in Trash."""
        for mailbox, place in await self._places.of(account, uuid):
            message = await self._places.message(account, place) if mailbox.kind is not MailboxKind.SENT else None
            if message is not None and is_of_network(header_of(message)):
                raw = message.header + message.body
                return await self._parsing.run(account, partial(_read, message.uuid, place), raw)
        return None

    async def set_seen(self, account: AccountId, uuid: bytes, seen: bool) -> None:
        """Mark it as read or not, wherever it lies."""
        change = FlagChange.ADD if seen else FlagChange.REMOVE
        for mailbox, place in await self._places.of(account, uuid):
            if place.seen != seen:
                await self._mailboxes.set_flags(account, mailbox.id, [place.row.uid], change, Flags.SEEN, ())

    async def trash(self, account: AccountId, uuid: bytes) -> None:
        """Move it to Trash; nothing happens where it is not there."""
        await self._places.move(account, uuid, MailboxKind.TRASH, _is_incoming)

    async def restore(self, account: AccountId, uuid: bytes) -> None:
        """Take it out of Trash, to INBOX."""
        if await self.one(account, uuid) is not None:
            await self._places.move(account, uuid, MailboxKind.INBOX, lambda mailbox: mailbox.kind is MailboxKind.TRASH)


def _is_incoming(mailbox: Mailbox) -> bool:
    return mailbox.kind not in _OTHERS and mailbox.name != REQUESTS


def _recipient(header: Part) -> str:
    return word_of(header, "Delivered-To").partition("@")[0]


def _read(uuid: bytes, place: Place, raw: bytes) -> Received:
    header = parse_header(raw.partition(b"\r\n\r\n")[0] + b"\r\n")
    subject, body = subject_and_body(raw)
    encoding = word_of(header, "X-Bitmessage-Encoding")
    return Received(
        uuid=uuid,
        kind=word_of(header, "X-Bitmessage-Kind"),
        sender=next((each.local for each in addresses_in(raw_field(header, "From"))), ""),
        recipient=_recipient(header),
        encoding=int(encoding) if encoding.isdecimal() and len(encoding) < 10 else 2,
        received_at=place.row.internaldate,
        seen=place.seen,
        subject=subject,
        body=body,
    )
