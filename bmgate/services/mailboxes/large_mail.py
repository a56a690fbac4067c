"""Mail too large for memory, stored in many short transactions before the one that shows it.

Its body comes first, as a content that no message shows; others write in between. What fails is dropped again, what a
crash leaves is dropped at the next start, with what imports left (`services.moving`).
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import ContentId
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Database, Failpoints, Store
from bmgate.errors import MessageMissing, Unavailable
from bmgate.mail.headers import message_ids_in
from bmgate.mail.octets import LargeMail
from bmgate.mail.structure import MessageIndex, encode_index, index_message
from bmgate.services.mailboxes.mailbox_names import resolve
from bmgate.services.parsing import Parsing

PORTION = 1024 * 1024  # octets in one transaction: some 10 ms of the writer


@dataclass(frozen=True, slots=True)
class Staged:
    """A mail whose body is stored, and what is to be stored with it."""

    content: ContentId
    header: bytes
    index: bytes
    message_id: str

    def store(self, mine: AccountStore, message_id_tag: bytes, vector_tag: bytes) -> ContentId:
        """Make it whole, in the transaction that shows it. Raises Unavailable when an import swept it away."""
        try:
            mine.messages.finish_content(self.content, self.header, self.index, message_id_tag, vector_tag)
        except MessageMissing as error:
            raise _swept() from error
        return self.content


class LargeMails:
    """Brings them in."""

    def __init__(self, database: Database, failpoints: Failpoints, parsing: Parsing) -> None:
        self._database, self._failpoints, self._parsing = database, failpoints, parsing

    async def stage(self, account: AccountId, mailbox: str, raw: LargeMail) -> Staged:
        """Index it and store its body. Raises MailboxMissing and OverQuota before it does, Unavailable."""

        def begin(store: Store) -> ContentId:
            mine = store.account(account)
            resolve(mine.mailboxes, mailbox)
            return mine.messages.begin_content(len(raw))

        content = await self._database.transact(begin)
        try:
            index = await self._parsing.run(account, index_message, raw)
            await self._store_body(account, content, raw, index.header_size)
            return await asyncio.to_thread(_staged, content, raw, index)
        except BaseException:
            await self._drop(account, [content])
            raise

    async def drop(self, account: AccountId, mails: Iterable[object]) -> None:
        """The staged ones among mails of which nothing came go."""
        contents = _staged_among(mails)
        if contents:
            await self._drop(account, contents)

    async def _drop(self, account: AccountId, contents: list[ContentId]) -> None:
        """Now, or at the next start where the storage takes nothing any more."""
        with suppress(Unavailable):
            await asyncio.shield(
                self._database.transact(lambda store: store.account(account).messages.drop_contents(contents))
            )

    async def _store_body(self, account: AccountId, content: ContentId, raw: LargeMail, start: int) -> None:
        size = len(raw) - start
        for at in range(0, max(size, 1), PORTION):
            end = min(at + PORTION, size)
            data = await asyncio.to_thread(raw.__getitem__, slice(start + at, start + end))
            try:
                await self._database.transact(partial(_add_body, account, content, at, data, end == size))
            except MessageMissing as error:
                raise _swept() from error
            self._failpoints.pass_("append.staged")


def drop_unshown(mine: AccountStore, mails: Iterable[object]) -> None:
    """The staged ones among them for which no message was made go."""
    contents = _staged_among(mails)
    if contents:
        mine.messages.drop_contents(contents)


def _staged_among(mails: Iterable[object]) -> list[ContentId]:
    return [mail.content for mail in mails if isinstance(mail, Staged)]


def _add_body(account: AccountId, content: ContentId, at: int, data: bytes, last: bool, store: Store) -> None:
    store.account(account).messages.add_body(content, at, data, last=last)


def _staged(content: ContentId, raw: LargeMail, index: MessageIndex) -> Staged:
    header = raw[: index.header_size]
    message_id = next(iter(message_ids_in(index.value(header, "message-id") or b"")), "")
    return Staged(content, header, encode_index(index), message_id)


def _swept() -> Unavailable:
    return Unavailable("an import began meanwhile; try again")
