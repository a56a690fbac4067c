"""What was sent, as texts: one for each recipient, told by the rows of the outbox and their copy in Sent.

Mail in Sent of which no row tells, such as imported mail, is there too. What was moved out of Sent is not listed, but
can still be asked for by name.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import Mailbox, MailboxKind, StoredMessage
from bmgate.domain.outbox import FINAL, Kind, OutgoingMessage, State, Submission, SubmissionId
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Database, Store
from bmgate.errors import Missing
from bmgate.mail.headers import addresses_in, raw_field
from bmgate.mail.parse import parse_header
from bmgate.services.parsing import Parsing
from bmgate.services.texts.places import (
    MAX_OCTETS,
    Place,
    TextPlaces,
    header_of,
    is_of_network,
    portions,
    subject_and_body,
)

AT_ONCE = 5  # submissions


@dataclass(frozen=True, slots=True, repr=False)
class Sent:
    """A message that was sent. `row` is None for mail in Sent that has none; `recipient` is empty for a broadcast.

    `uuid` names the copy in Sent, and is empty where there is none. `acted_at` is in Unix seconds.
    """

    row: OutgoingMessage | None
    uuid: bytes
    sender: str
    recipient: str
    acted_at: int
    keywords: tuple[str, ...] = ()
    subject: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class _Submitted:
    """Rows of one mail, with its text as far as that is kept, and its copy."""

    rows: tuple[OutgoingMessage, ...]
    sender: str
    subject: str
    body: str
    copy: StoredMessage | None
    is_listed: bool


class SentTexts:
    """Reads and files them. Long lists are made one after the other, as each takes memory."""

    def __init__(self, database: Database, places: TextPlaces, parsing: Parsing) -> None:
        self._database, self._places, self._parsing = database, places, parsing
        self._one_list = asyncio.Semaphore(1)

    async def all(self, account: AccountId) -> list[Sent]:
        """By the time when something happened to them last; of very many the newest."""
        async with self._one_list:
            rows = await self._database.read(lambda store: store.account(account).outbox.rows())
            groups: dict[SubmissionId, list[OutgoingMessage]] = {}
            for row in rows:
                groups.setdefault(row.submission, []).append(row)
            found, known, left = list[Sent](), set[bytes](), MAX_OCTETS
            every = list(groups.values())
            for start in range(0, len(every), AT_ONCE):
                for mail in await self._submitted(account, every[start : start + AT_ONCE]):
                    copy = mail.copy
                    left -= len(mail.body) + (len(copy.header) + len(copy.body) if copy else 0)
                    known |= {copy.uuid} if copy else set()
                    if left >= 0 and mail.is_listed:
                        found += await self._texts(account, mail)
            found += await self._without_rows(account, known)
            return sorted(found, key=lambda sent: sent.acted_at)

    async def row(self, account: AccountId, name: str) -> OutgoingMessage | None:
        """A row by its name, `QUEUEID-n`."""
        rows = await self._database.read(lambda store: store.account(account).outbox.find(name))
        return next((row for row in rows if row.name == name), None)

    async def of_row(self, account: AccountId, name: str) -> Sent | None:
        """The message that a row is."""
        row = await self.row(account, name)
        if row is None:
            return None
        (mail,) = await self._submitted(account, [[row]])
        return next(iter(await self._texts(account, mail)), None)

    async def one(self, account: AccountId, uuid: bytes) -> Sent | None:
        """Mail in Sent, or in Trash and not from the network, by its name."""
        for mailbox, place in await self._places.of(account, uuid):
            message = await self._places.message(account, place)
            if message is not None and (_is_sent(mailbox) or not is_of_network(header_of(message))):
                raw = message.header + message.body
                return await self._parsing.run(account, partial(_read, message.uuid, place), raw)
        return None

    async def trash(self, account: AccountId, uuid: bytes) -> None:
        """Move a copy from Sent to Trash, while its sending goes on; nothing happens where it is not there."""
        await self._places.move(account, uuid, MailboxKind.TRASH, _is_sent)

    async def restore(self, account: AccountId, uuid: bytes) -> None:
        """Take a copy out of Trash, to Sent."""
        if await self.one(account, uuid) is not None:
            await self._places.move(account, uuid, MailboxKind.SENT, lambda mailbox: mailbox.kind is MailboxKind.TRASH)

    async def _submitted(self, account: AccountId, groups: list[list[OutgoingMessage]]) -> list[_Submitted]:
        return await self._database.read(lambda store: [_gathered(store, account, rows) for rows in groups])

    async def _texts(self, account: AccountId, mail: _Submitted) -> list[Sent]:
        subject, body, copy = mail.subject, mail.body, mail.copy
        if not subject and not body and copy is not None:
            subject, body = await self._parsing.run(account, subject_and_body, copy.header + copy.body)
        uuid = copy.uuid if copy is not None else b""
        return [
            Sent(
                row=row,
                uuid=uuid,
                sender=str(row.recipient) if row.kind is Kind.CHAN else mail.sender,
                recipient="" if row.kind is Kind.BROADCAST else str(row.recipient),
                acted_at=row.updated_at,
                subject=subject,
                body=body,
            )
            for row in mail.rows
            if row.state is not State.CANCELLED
        ]

    async def _without_rows(self, account: AccountId, known: Collection[bytes]) -> list[Sent]:
        found: list[Sent] = []
        left = MAX_OCTETS
        for portion in portions(await self._places.newest(account, _is_sent)):
            for place, head in (await self._places.heads(account, portion)).items():
                message = None if head.uuid in known else await self._places.message(account, place)
                if message is None:
                    continue
                raw = message.header + message.body
                left -= len(raw)
                if left < 0:
                    return found
                found.append(await self._parsing.run(account, partial(_read, message.uuid, place), raw))
        return found


def _gathered(store: Store, account: AccountId, rows: list[OutgoingMessage]) -> _Submitted:
    mine, submission = store.account(account), store.outbox.submission(rows[0].submission)
    copy = None if submission.sent_content is None else mine.messages.by_content(submission.sent_content)
    is_open = any(row.state not in FINAL for row in rows)
    in_sent = copy is not None and any(
        mine.mailboxes.get(mailbox).kind is MailboxKind.SENT
        for mailbox, _ in mine.messages.places_of_content(copy.uuid)
    )
    return _Submitted(
        tuple(rows),
        _sender(mine, submission),
        submission.subject,
        submission.body,
        copy,
        in_sent or (copy is None and is_open),
    )


def _sender(mine: AccountStore, submission: Submission) -> str:
    """Empty once the address is gone for good."""
    try:
        return str(mine.identities.get(submission.identity).address)
    except Missing:
        return ""


def _is_sent(mailbox: Mailbox) -> bool:
    return mailbox.kind is MailboxKind.SENT


def _read(uuid: bytes, place: Place, raw: bytes) -> Sent:
    header = parse_header(raw.partition(b"\r\n\r\n")[0] + b"\r\n")
    subject, body = subject_and_body(raw)

    def first(name: str) -> str:
        return next((each.local for each in addresses_in(raw_field(header, name))), "")

    return Sent(None, uuid, first("From"), first("To"), place.row.internaldate, place.row.keywords, subject, body)
