"""One account's messages: rows of a mailbox, each showing a content.

What is behind each call is told by the `message_...` modules beside this one; here they come together, with what finds
a mail by its Message-ID.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, exists, select

from bmgate.domain.mailbox import (
    Changes,
    ContentId,
    FlagChange,
    Flags,
    MailboxId,
    MailboxKind,
    MessageHead,
    MessageRow,
    NewContent,
    SentCopy,
    StagedMail,
    StoredMessage,
)
from bmgate.errors import MessageMissing
from bmgate.storage.repositories.contents import (
    IS_KEPT,
    add_body,
    add_content,
    begin_content,
    delete_unshown,
    finish_content,
)
from bmgate.storage.repositories.message_contents import (
    read_body,
    read_content,
    read_heads,
    read_messages,
    read_portion,
)
from bmgate.storage.repositories.message_flags import change_rows, changed, exchange_keywords, with_keywords
from bmgate.storage.repositories.message_history import changes_since, expunge
from bmgate.storage.repositories.message_rows import (
    advance,
    all_rows,
    counters,
    insert_rows,
    keywords_of,
    shown_contents,
    some_rows,
)
from bmgate.storage.repositories.message_staging import drop_staged, has_staged, show_staged
from bmgate.storage.repositories.scope import AccountScope
from bmgate.storage.schema import account as accounts
from bmgate.storage.schema import content as contents
from bmgate.storage.schema import mailbox as mailboxes
from bmgate.storage.schema import message as messages
from bmgate.storage.schema import submission as submissions
from bmgate.storage.statements import Prepared

_OWN_CONTENT = Prepared(
    select(contents.c.id).where(
        contents.c.id == bindparam("content"), contents.c.account == bindparam("account"), IS_KEPT
    )
)


@dataclass(frozen=True, slots=True)
class AccountMessageRepository:
    """One account's messages. UID lists are in ascending order, unknown UIDs are passed over."""

    scope: AccountScope

    def rows(self, mailbox: MailboxId) -> list[MessageRow]:
        """Raises MailboxMissing."""
        counters(self.scope, mailbox)
        return all_rows(self.scope, mailbox)

    def changes(self, mailbox: MailboxId, since_modseq: int) -> Changes:
        """Where the memory of expunges does not reach back so far, all UIDs that are not there count as expunged.

        Raises MailboxMissing.
        """
        return changes_since(self.scope, mailbox, since_modseq)

    def heads(self, mailbox: MailboxId, uids: Collection[int], budget_octets: int | None = None) -> list[MessageHead]:
        """With a budget the first that fit, but at least one (I7). Raises MailboxMissing, AccountLocked."""
        return read_heads(self.scope, mailbox, uids, budget_octets)

    def messages(
        self, mailbox: MailboxId, uids: Collection[int], budget_octets: int | None = None
    ) -> list[StoredMessage]:
        """With a budget the first whose sizes fit, but at least one (I7). Raises MailboxMissing, AccountLocked."""
        return read_messages(self.scope, mailbox, uids, budget_octets)

    def portion(
        self, mailbox: MailboxId, uids: Collection[int], budget_octets: int
    ) -> list[StoredMessage] | list[MessageHead]:
        """The first whose sizes fit; one that is larger than the budget comes alone, as its head (I7).

        Raises MailboxMissing, AccountLocked.
        """
        return read_portion(self.scope, mailbox, uids, budget_octets)

    def body(self, uuid: bytes, start: int, end: int) -> bytes:
        """Octets of the body of that content from `start` on: some at least, and none from `end` on.

        Raises MessageMissing when no message shows it any more, AccountLocked.
        """
        return read_body(self.scope, uuid, start, end)

    def by_content(self, content: ContentId) -> StoredMessage | None:
        """A mail by its content, with UID 0; None when it is gone. Raises AccountLocked."""
        return read_content(self.scope, content)

    def add_content(self, content: NewContent) -> ContentId:
        """Sealed and stored once, for a locked account too; raises OverQuota."""
        return add_content(self.scope, content)

    def begin_content(self, size: int) -> ContentId:
        """Room for a mail of `size` octets that comes in several transactions; raises OverQuota."""
        return begin_content(self.scope, size)

    def add_body(self, content: ContentId, start: int, data: bytes, *, last: bool) -> None:
        """Octets of its body from `start` on, in whole MiB but for the last; raises MessageMissing, AccountLocked."""
        add_body(self.scope, content, start, data, last=last)

    def finish_content(
        self, content: ContentId, header: bytes, index: bytes, message_id_tag: bytes, vector_tag: bytes
    ) -> None:
        """Its header and tags, behind its body; raises MessageMissing, AccountLocked."""
        finish_content(self.scope, content, header, index, message_id_tag, vector_tag)

    def drop_contents(self, contents: Collection[ContentId]) -> None:
        """Those of them that no message shows go."""
        delete_unshown(self.scope, contents)

    def append(
        self,
        mailbox: MailboxId,
        content: ContentId,
        flags: Flags,
        keywords: Collection[str],
        internaldate: int,
        saved_at: int | None = None,
    ) -> MessageRow:
        """Saved at its internaldate, if nothing else is said.

        Raises MailboxMissing, or MessageMissing for a content of nobody or somebody else.
        """
        self._require_content(content)
        uidnext, modseq = advance(self.scope, mailbox, uids=1)
        saved = internaldate if saved_at is None else saved_at
        row = MessageRow(uidnext - 1, modseq, flags, with_keywords((), keywords), internaldate, saved)
        insert_rows(self.scope, mailbox, [(row, content)])
        return row

    def show_staged(self, mailbox: MailboxId, staged: Sequence[StagedMail], saved_at: int) -> None:
        """Contents that were stored before become messages, in their order; raises MailboxMissing, MessageMissing."""
        show_staged(self.scope, mailbox, staged, saved_at)

    def has_staged(self) -> bool:
        """Whether there are contents that no message shows."""
        return has_staged(self.scope)

    def drop_staged(self) -> int:
        """Contents that no message shows go; how many there were."""
        return drop_staged(self.scope)

    def set_flags(
        self,
        mailbox: MailboxId,
        uids: Collection[int],
        change: FlagChange,
        flags: Flags,
        keywords: Collection[str],
        unchanged_since: int | None = None,
    ) -> list[MessageRow]:
        """The rows as they are afterwards; MODSEQ rises where something changed.

        Rows that changed after the MODSEQ `unchanged_since` are left alone and left out.
        """
        return change_rows(
            self.scope, mailbox, uids, lambda row: changed(row, change, flags, keywords), unchanged_since
        )

    def keywords(self, mailbox: MailboxId, uids: Collection[int] | None = None) -> set[str]:
        """All that its messages have, or those of `uids`; in lower case. Raises MailboxMissing."""
        counters(self.scope, mailbox)
        return keywords_of(self.scope, mailbox, uids)

    def status_keywords(self, content: ContentId, remove: Collection[str], add: Collection[str]) -> list[MailboxId]:
        """Change keywords of every message showing `content`, and tell in which mailboxes that changed something."""
        return exchange_keywords(self.scope, content, remove, add)

    def expunge(self, mailbox: MailboxId, uids: Collection[int]) -> list[int]:
        """Which of them were there; contents nobody shows any more go too."""
        return expunge(self.scope, mailbox, uids)

    def copy(
        self, mailbox: MailboxId, uids: Collection[int], target: MailboxId, saved_at: int | None = None
    ) -> list[tuple[int, int]]:
        """Pairs of source and new UID; flags, keywords and internaldate travel along.

        A copy is saved at `saved_at`, which may be rounded down, but not before what it is a copy of.
        """
        counters(self.scope, mailbox)
        counters(self.scope, target)
        rows = some_rows(self.scope, mailbox, uids)
        shown = [content for _, content in shown_contents(self.scope, mailbox, uids)]
        if not rows:
            return []
        uidnext, modseq = advance(self.scope, target, uids=len(rows))
        first = uidnext - len(rows)
        copies = [
            row._replace(
                uid=first + place,
                modseq=modseq,
                saved_at=None if saved_at is None else max(saved_at, row.saved_at or 0),
            )
            for place, row in enumerate(rows)
        ]
        insert_rows(self.scope, target, zip(copies, shown, strict=True))
        return [(row.uid, copy.uid) for row, copy in zip(rows, copies, strict=True)]

    def used_octets(self) -> int:
        """What the account's mail counts against its quota."""
        query = select(accounts.c.used_bytes).where(accounts.c.id == self.scope.account.id)
        used: int = self.scope.connection.execute(query).scalar_one()
        return used

    def _require_content(self, content: ContentId) -> None:
        where = {"content": content, "account": self.scope.account.id}
        if _OWN_CONTENT.first(self.scope.connection, where) is None:
            raise MessageMissing("this mail is not there any more")

    # -- by Message-ID ---------------------------------------------------------------------------------------------

    def places_of(self, message_id: str) -> list[tuple[MailboxId, int]]:
        """Mailbox and UID of each mail of that Message-ID."""
        query = (
            select(messages.c.mailbox, messages.c.uid)
            .select_from(messages.join(contents, contents.c.id == messages.c.content))
            .where(
                contents.c.account == self.scope.account.id,
                contents.c.message_id_tag == self.message_id_tag(message_id),
            )
            .order_by(messages.c.mailbox, messages.c.uid)
        )
        return [(MailboxId(mailbox), uid) for mailbox, uid in self.scope.connection.execute(query)]

    def untagged(self) -> list[tuple[MailboxId, int]]:
        """Mailbox and UID of each mail that is found by no Message-ID, but what the Outbox shows."""
        query = (
            select(messages.c.mailbox, messages.c.uid)
            .select_from(messages.join(contents).join(mailboxes, mailboxes.c.id == messages.c.mailbox))
            .where(
                contents.c.account == self.scope.account.id,
                contents.c.message_id_tag.is_(None),
                mailboxes.c.kind != MailboxKind.OUTBOX.value,
            )
            .order_by(messages.c.mailbox, messages.c.uid)
        )
        return [(MailboxId(mailbox), uid) for mailbox, uid in self.scope.connection.execute(query)]

    def places_of_content(self, uuid: bytes) -> list[tuple[MailboxId, int]]:
        """Mailbox and UID of each message that shows the content of that name."""
        query = (
            select(messages.c.mailbox, messages.c.uid)
            .select_from(messages.join(contents, contents.c.id == messages.c.content))
            .where(contents.c.account == self.scope.account.id, contents.c.uuid == uuid)
            .order_by(messages.c.mailbox, messages.c.uid)
        )
        return [(MailboxId(mailbox), uid) for mailbox, uid in self.scope.connection.execute(query)]

    def sent_copies(self, mailbox: MailboxId, message_id: str) -> list[SentCopy]:
        """The mails of that Message-ID, by UID."""
        client = self.client_copy_tag(message_id)
        submitted = exists().where(submissions.c.sent_content == contents.c.id)
        query = (
            select(messages.c.uid, messages.c.internaldate, messages.c.keywords, submitted, contents.c.vector_tag)
            .select_from(messages.join(contents, contents.c.id == messages.c.content))
            .where(
                messages.c.mailbox == mailbox,
                contents.c.account == self.scope.account.id,
                contents.c.message_id_tag == self.message_id_tag(message_id),
            )
            .order_by(messages.c.uid)
        )
        return [
            SentCopy(uid, date, tuple(keywords.split()), bool(is_submitted), tag == client)
            for uid, date, keywords, is_submitted, tag in self.scope.connection.execute(query)
        ]

    def client_copy_tag(self, message_id: str) -> bytes:
        """The `NewContent.vector_tag` of a copy in Sent that a client stored."""
        return self.scope.vault.tag(b"client copy", self.scope.account.uuid, message_id.encode(errors="replace"))

    def message_id_tag(self, message_id: str) -> bytes:
        """The tag under which `NewContent.message_id_tag` stores a Message-ID."""
        return self.scope.vault.tag(b"message-id", self.scope.account.uuid, message_id.encode(errors="replace"))
