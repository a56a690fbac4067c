"""One account's messages: rows of a mailbox, each showing a content.

Every change moves the mailbox's counters in the same transaction; one call is one step of MODSEQ (RFC 7162).
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, exists, insert, literal, select, update

from bmgate.domain.mailbox import (
    Changes,
    ContentId,
    FlagChange,
    Flags,
    MailboxId,
    MessageHead,
    MessageRow,
    NewContent,
    SentCopy,
    StoredMessage,
)
from bmgate.errors import MailboxMissing, MessageMissing
from bmgate.storage.repositories.contents import HEADER, add_content, content_reader, delete_unshown
from bmgate.storage.repositories.scope import AccountScope, AnyRow, portions
from bmgate.storage.schema import account as accounts
from bmgate.storage.schema import content as contents
from bmgate.storage.schema import content_blob as blobs
from bmgate.storage.schema import expunged
from bmgate.storage.schema import mailbox as mailboxes
from bmgate.storage.schema import message as messages
from bmgate.storage.schema import submission as submissions

_FLAGS = tuple(Flags(bits) for bits in range(int(sum(Flags)) + 1))  # calling the enum costs 1 us a row

_COUNTERS = select(mailboxes.c.uidnext, mailboxes.c.modseq, mailboxes.c.purged_modseq).where(
    mailboxes.c.id == bindparam("mailbox"), mailboxes.c.account == bindparam("account")
)
_ADVANCE = (
    update(mailboxes)
    .where(mailboxes.c.id == bindparam("row"), mailboxes.c.account == bindparam("owner"))
    .values(uidnext=mailboxes.c.uidnext + bindparam("uids"), modseq=mailboxes.c.modseq + 1)
    .returning(mailboxes.c.uidnext, mailboxes.c.modseq)
)
_ROWS = (
    select(
        messages.c.uid,
        messages.c.modseq,
        messages.c.flags,
        messages.c.keywords,
        messages.c.internaldate,
        messages.c.saved_at,
    )
    .where(messages.c.mailbox == bindparam("mailbox"))
    .order_by(messages.c.uid)
)
_SOME_ROWS = _ROWS.where(messages.c.uid.in_(bindparam("uids", expanding=True)))
_CHANGED_ROWS = _ROWS.where(messages.c.modseq > bindparam("since"))
_EXPUNGED = (
    select(expunged.c.uid)
    .where(expunged.c.mailbox == bindparam("mailbox"), expunged.c.modseq > bindparam("since"))
    .order_by(expunged.c.uid)
)
_UIDS = select(messages.c.uid).where(messages.c.mailbox == bindparam("mailbox"))
EXPUNGES_KEPT = 20_000  # per mailbox, and as many more as one expunge or so removes
_EXPUNGES_BETWEEN = 64
_OLDEST_KEPT = (
    select(expunged.c.modseq)
    .where(expunged.c.mailbox == bindparam("mailbox"))
    .order_by(expunged.c.modseq.desc())
    .limit(1)
    .offset(bindparam("kept"))
)
_INSERT = insert(messages)
_OWN_CONTENT = select(contents.c.id).where(
    contents.c.id == bindparam("content"), contents.c.account == bindparam("account")
)
_CHUNK = (
    contents.c.uuid,
    contents.c.scheme,
    contents.c.sealed_key,
    blobs.c.kind,
    blobs.c.n,
    blobs.c.last,
    blobs.c.data,
)
_CHUNKS = (
    select(messages.c.uid, messages.c.internaldate, *_CHUNK)
    .select_from(
        messages.join(contents, contents.c.id == messages.c.content).join(blobs, blobs.c.content == contents.c.id)
    )
    .where(
        messages.c.mailbox == bindparam("mailbox"),
        messages.c.uid.in_(bindparam("uids", expanding=True)),
        contents.c.account == bindparam("account"),
    )
    .order_by(messages.c.uid, blobs.c.kind, blobs.c.n)
)
_SIZES = (
    select(messages.c.uid, contents.c.size_class)
    .select_from(messages.join(contents, contents.c.id == messages.c.content))
    .where(
        messages.c.mailbox == bindparam("mailbox"),
        messages.c.uid.in_(bindparam("uids", expanding=True)),
        contents.c.account == bindparam("account"),
    )
    .order_by(messages.c.uid)
)
_CONTENT_CHUNKS = (
    select(literal(0), literal(0), *_CHUNK)
    .select_from(contents.join(blobs, blobs.c.content == contents.c.id))
    .where(contents.c.id == bindparam("content"), contents.c.account == bindparam("account"))
    .order_by(blobs.c.kind, blobs.c.n)
)
_HEADER_CHUNKS = _CHUNKS.where(blobs.c.kind == HEADER)


@dataclass(frozen=True, slots=True)
class AccountMessageRepository:
    """One account's messages. UID lists are in ascending order, unknown UIDs are passed over."""

    scope: AccountScope

    def rows(self, mailbox: MailboxId) -> list[MessageRow]:
        """Raises MailboxMissing."""
        self._counters(mailbox)
        return _read_rows(self.scope.connection.execute(_ROWS, {"mailbox": mailbox}).all())

    def changes(self, mailbox: MailboxId, since_modseq: int) -> Changes:
        """Where the memory of expunges does not reach back so far, all UIDs that are not there count as expunged.

        Raises MailboxMissing.
        """
        uidnext, modseq, purged = self._marks(mailbox)
        where = {"mailbox": mailbox, "since": since_modseq}
        updated = _read_rows(self.scope.connection.execute(_CHANGED_ROWS, where))
        if since_modseq >= purged:
            return Changes(modseq, uidnext, updated, list(self.scope.connection.execute(_EXPUNGED, where).scalars()))
        present = set(self.scope.connection.execute(_UIDS, {"mailbox": mailbox}).scalars())
        return Changes(modseq, uidnext, updated, [uid for uid in range(1, uidnext) if uid not in present])

    def heads(self, mailbox: MailboxId, uids: Collection[int]) -> list[MessageHead]:
        """Raises MailboxMissing, AccountLocked."""
        self._counters(mailbox)
        reader = content_reader(self.scope)
        heads: list[MessageHead] = []
        for portion in portions(uids):
            heads += reader.heads(self.scope.connection.execute(_HEADER_CHUNKS, self._where(mailbox, portion)).all())
        return heads

    def messages(
        self, mailbox: MailboxId, uids: Collection[int], budget_octets: int | None = None
    ) -> list[StoredMessage]:
        """With a budget the first whose sizes fit, but at least one (I7). Raises MailboxMissing, AccountLocked."""
        self._counters(mailbox)
        reader = content_reader(self.scope)
        found: list[StoredMessage] = []
        for portion in portions(uids if budget_octets is None else self._fitting(mailbox, uids, budget_octets)):
            found += reader.messages(self.scope.connection.execute(_CHUNKS, self._where(mailbox, portion)).all())
        return found

    def add_content(self, content: NewContent) -> ContentId:
        """Sealed and stored once, for a locked account too; raises OverQuota."""
        return add_content(self.scope, content)

    def by_content(self, content: ContentId) -> StoredMessage | None:
        """A mail by its content, with UID 0; None when it is gone. Raises AccountLocked."""
        where = {"content": content, "account": self.scope.account.id}
        chunks = self.scope.connection.execute(_CONTENT_CHUNKS, where)
        return next(content_reader(self.scope).messages(chunks), None)

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
        uidnext, modseq = self._advance(mailbox, uids=1)
        saved = internaldate if saved_at is None else saved_at
        row = MessageRow(uidnext - 1, modseq, flags, _with_keywords((), keywords), internaldate, saved)
        self._insert(mailbox, [(row, content)])
        return row

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
        return self._change(mailbox, uids, lambda row: _changed(row, change, flags, keywords), unchanged_since)

    def expunge(self, mailbox: MailboxId, uids: Collection[int]) -> list[int]:
        """Which of them were there; contents nobody shows any more go too."""
        self._counters(mailbox)
        doomed = [row for portion in portions(uids) for row in self._shown_contents(mailbox, portion)]
        if not doomed:
            return []
        _, modseq = self._advance(mailbox)
        for portion in portions([uid for uid, _ in doomed]):
            where = (messages.c.mailbox == mailbox, messages.c.uid.in_(portion))
            self.scope.connection.execute(delete(messages).where(*where))
        gone = [{"mailbox": mailbox, "uid": uid, "modseq": modseq} for uid, _ in doomed]
        self.scope.connection.execute(insert(expunged), gone)
        self._forget_expunged(mailbox, modseq, len(gone))
        delete_unshown(self.scope, [content for _, content in doomed])
        return [uid for uid, _ in doomed]

    def copy(
        self, mailbox: MailboxId, uids: Collection[int], target: MailboxId, saved_at: int | None = None
    ) -> list[tuple[int, int]]:
        """Pairs of source and new UID; flags, keywords and internaldate travel along."""
        self._counters(mailbox)
        self._counters(target)
        rows = [row for portion in portions(uids) for row in self._some_rows(mailbox, portion)]
        shown = [content for portion in portions(uids) for _, content in self._shown_contents(mailbox, portion)]
        if not rows:
            return []
        uidnext, modseq = self._advance(target, uids=len(rows))
        first = uidnext - len(rows)
        copies = [row._replace(uid=first + place, modseq=modseq, saved_at=saved_at) for place, row in enumerate(rows)]
        self._insert(target, zip(copies, shown, strict=True))
        return [(row.uid, copy.uid) for row, copy in zip(rows, copies, strict=True)]

    def find_by_message_id(self, mailbox: MailboxId, message_id: str) -> list[MessageRow]:
        """Raises MailboxMissing."""
        self._counters(mailbox)
        mine = (
            contents.c.account == self.scope.account.id,
            contents.c.message_id_tag == self.message_id_tag(message_id),
        )
        query = _ROWS.join(contents, contents.c.id == messages.c.content).where(*mine)
        return _read_rows(self.scope.connection.execute(query, {"mailbox": mailbox}))

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

    def used_octets(self) -> int:
        """What the account's mail counts against its quota."""
        query = select(accounts.c.used_bytes).where(accounts.c.id == self.scope.account.id)
        used: int = self.scope.connection.execute(query).scalar_one()
        return used

    def status_keywords(self, content: ContentId, remove: Collection[str], add: Collection[str]) -> list[MailboxId]:
        """Change keywords of every message showing `content`, and tell in which mailboxes that changed something."""

        def exchange(row: MessageRow) -> MessageRow:
            kept = _changed(row, FlagChange.REMOVE, Flags.NONE, remove)
            return _changed(kept, FlagChange.ADD, Flags.NONE, add)

        query = select(messages.c.mailbox, messages.c.uid).join(mailboxes, mailboxes.c.id == messages.c.mailbox)
        mine = (messages.c.content == content, mailboxes.c.account == self.scope.account.id)
        shown: dict[MailboxId, list[int]] = {}
        for mailbox, uid in self.scope.connection.execute(query.where(*mine).order_by(messages.c.mailbox)):
            shown.setdefault(MailboxId(mailbox), []).append(uid)
        before = {mailbox: self._counters(mailbox) for mailbox in shown}
        for mailbox, uids in shown.items():
            self._change(mailbox, uids, exchange)
        return [mailbox for mailbox in shown if self._counters(mailbox) != before[mailbox]]

    # -- rows ------------------------------------------------------------------------------------------------------

    def _counters(self, mailbox: MailboxId) -> tuple[int, int]:
        """UIDNEXT and MODSEQ; raises MailboxMissing for mailboxes of others, too."""
        return self._marks(mailbox)[:2]

    def _marks(self, mailbox: MailboxId) -> tuple[int, int, int]:
        """UIDNEXT, MODSEQ, and the MODSEQ up to which expunges were forgotten; raises MailboxMissing."""
        where = {"mailbox": mailbox, "account": self.scope.account.id}
        row = self.scope.connection.execute(_COUNTERS, where).first()
        return (*_required(row), (row[2] if row is not None else None) or 0)

    def _forget_expunged(self, mailbox: MailboxId, modseq: int, added: int) -> None:
        """Keep the memory of expunges bounded (RFC 7162 3.2.5.2); looked at now and then, for counting costs."""
        if modseq % _EXPUNGES_BETWEEN and added < _EXPUNGES_BETWEEN:
            return
        where = {"mailbox": mailbox, "kept": EXPUNGES_KEPT}
        oldest = self.scope.connection.execute(_OLDEST_KEPT, where).scalar_one_or_none()
        if oldest is None:
            return
        gone = (expunged.c.mailbox == mailbox, expunged.c.modseq <= oldest)
        self.scope.connection.execute(delete(expunged).where(*gone))
        self.scope.connection.execute(update(mailboxes).where(mailboxes.c.id == mailbox).values(purged_modseq=oldest))

    def _advance(self, mailbox: MailboxId, uids: int = 0) -> tuple[int, int]:
        """UIDNEXT after giving out `uids`, and the next MODSEQ; raises MailboxMissing."""
        where = {"row": mailbox, "owner": self.scope.account.id, "uids": uids}
        return _required(self.scope.connection.execute(_ADVANCE, where).first())

    def _where(self, mailbox: MailboxId, uids: list[int]) -> dict[str, object]:
        return {"mailbox": mailbox, "account": self.scope.account.id, "uids": uids}

    def _some_rows(self, mailbox: MailboxId, uids: list[int]) -> list[MessageRow]:
        return _read_rows(self.scope.connection.execute(_SOME_ROWS, {"mailbox": mailbox, "uids": uids}))

    def _fitting(self, mailbox: MailboxId, uids: Collection[int], budget_octets: int) -> list[int]:
        """The first of them that are there and fit together, at least one; a size counts as its size class."""
        fitting: list[int] = []
        left = budget_octets
        for portion in portions(uids):
            for uid, size in self.scope.connection.execute(_SIZES, self._where(mailbox, portion)).all():
                if fitting and size > left:
                    return fitting
                fitting.append(uid)
                left -= size
        return fitting

    def _shown_contents(self, mailbox: MailboxId, uids: list[int]) -> list[tuple[int, int]]:
        query = select(messages.c.uid, messages.c.content).order_by(messages.c.uid)
        found = self.scope.connection.execute(query.where(messages.c.mailbox == mailbox, messages.c.uid.in_(uids)))
        return [(uid, content) for uid, content in found]

    def _require_content(self, content: ContentId) -> None:
        where = {"content": content, "account": self.scope.account.id}
        if self.scope.connection.execute(_OWN_CONTENT, where).first() is None:
            raise MessageMissing("this mail is not there any more")

    def _insert(self, mailbox: MailboxId, rows: Iterable[tuple[MessageRow, int]]) -> None:
        values = [
            {
                "mailbox": mailbox,
                "uid": row.uid,
                "modseq": row.modseq,
                "internaldate": row.internaldate,
                "flags": int(row.flags),
                "keywords": " ".join(row.keywords),
                "content": content,
                "saved_at": row.saved_at,
            }
            for row, content in rows
        ]
        self.scope.connection.execute(_INSERT, values)

    def _change(
        self,
        mailbox: MailboxId,
        uids: Collection[int],
        change: Callable[[MessageRow], MessageRow],
        unchanged_since: int | None = None,
    ) -> list[MessageRow]:
        self._counters(mailbox)
        before = [row for portion in portions(uids) for row in self._some_rows(mailbox, portion)]
        if unchanged_since is not None:
            before = [row for row in before if row.modseq <= unchanged_since]
        after = [change(row) for row in before]
        if after == before:
            return after
        _, modseq = self._advance(mailbox)
        after = [new if new == old else new._replace(modseq=modseq) for old, new in zip(before, after, strict=True)]
        self._update(mailbox, [row for row in after if row.modseq == modseq], modseq)
        return after

    def _update(self, mailbox: MailboxId, rows: list[MessageRow], modseq: int) -> None:
        """Write flags and keywords, one statement for all that look alike."""
        alike: dict[tuple[int, tuple[str, ...]], list[int]] = {}
        for row in rows:
            alike.setdefault((int(row.flags), row.keywords), []).append(row.uid)
        for (flags, keywords), uids in alike.items():
            for portion in portions(uids):
                change = update(messages).where(messages.c.mailbox == mailbox, messages.c.uid.in_(portion))
                self.scope.connection.execute(change.values(flags=flags, keywords=" ".join(keywords), modseq=modseq))


def _read_rows(rows: Iterable[Any]) -> list[MessageRow]:
    known: dict[str, tuple[str, ...]] = {"": ()}
    found = []
    for uid, modseq, flags, keywords, internaldate, saved_at in rows:
        words = known.get(keywords)
        if words is None:
            words = known[keywords] = tuple(keywords.split(" "))
        found.append(MessageRow(uid, modseq, _FLAGS[flags], words, internaldate, saved_at))
    return found


def _required(row: AnyRow | None) -> tuple[int, int]:
    if row is None:
        raise MailboxMissing("this mailbox is not there any more")
    return row[0], row[1]


def _changed(row: MessageRow, change: FlagChange, flags: Flags, keywords: Collection[str]) -> MessageRow:
    match change:
        case FlagChange.ADD:
            return row._replace(flags=row.flags | flags, keywords=_with_keywords(row.keywords, keywords))
        case FlagChange.REMOVE:
            gone = {word.lower() for word in keywords}
            kept = tuple(word for word in row.keywords if word.lower() not in gone)
            return row._replace(flags=row.flags & ~flags, keywords=kept)
        case FlagChange.REPLACE:
            return row._replace(flags=flags, keywords=_with_keywords((), keywords))


def _with_keywords(present: tuple[str, ...], added: Collection[str]) -> tuple[str, ...]:
    """Both lists without repetition; keywords are alike in any case (RFC 9051 section 2.3.2)."""
    words = {word.lower(): word for word in present}
    for word in added:
        assert word.strip(" ") == word != ""
        words.setdefault(word.lower(), word)
    return tuple(words.values())
