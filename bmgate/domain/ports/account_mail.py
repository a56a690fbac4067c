"""Mail as one account sees it: its mailboxes, messages, threads, and what it has seen before."""

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from bmgate.domain.mailbox import (
    Changes,
    ContentId,
    FlagChange,
    Flags,
    Mailbox,
    MailboxId,
    MailboxKind,
    MailboxStatus,
    MessageHead,
    MessageRow,
    NewContent,
    SentCopy,
    StagedMail,
    StoredMessage,
)
from bmgate.domain.thread import Exchange, Thread, ThreadEntry


class AccountMailboxes(Protocol):
    """One account's mailboxes. UIDs, UIDVALIDITY and MODSEQ come from stored counters, moved in the transaction."""

    def all(self) -> list[Mailbox]:
        """Special ones first, then by name."""
        ...

    def count(self) -> int:
        """How many there are."""
        ...

    def find(self, name: str) -> Mailbox | None:
        """Exact name; INBOX in any case."""
        ...

    def get(self, mailbox: MailboxId) -> Mailbox:
        """Raises MailboxMissing."""
        ...

    def by_kind(self, kind: MailboxKind) -> Mailbox: ...

    def create(self, name: str, kind: MailboxKind, now: int, subscribed: bool = True) -> Mailbox:
        """Raises MailboxExists; UIDVALIDITY is max(last + 1, now) of the account (U3)."""
        ...

    def delete(self, mailbox: MailboxId) -> None:
        """With its messages; who is subscribed to it stays so (RFC 3501 6.3.6)."""
        ...

    def former_subscriptions(self) -> list[str]:
        """Names of mailboxes that are gone, and still subscribed to."""
        ...

    def keep_subscription(self, name: str) -> None:
        """Somebody is subscribed to this name, of which there is no mailbox; beyond a number it is passed over."""
        ...

    def forget_subscription(self, name: str) -> bool:
        """Whether that was the name of a mailbox that is gone."""
        ...

    def rename(self, mailbox: MailboxId, name: str) -> None:
        """Raises MailboxExists."""
        ...

    def set_subscribed(self, mailbox: MailboxId, subscribed: bool) -> None: ...

    def status(self, mailbox: MailboxId, recent_uid: int = 1) -> MailboxStatus:
        """With the messages from `recent_uid` on counted as recent, if the mailbox does not say a later one."""
        ...

    def claim_recent(self, mailbox: MailboxId, uid: int) -> None:
        """Messages below `uid` are recent for no further session."""
        ...


class AccountMessages(Protocol):
    """One account's messages. UID lists are in ascending order, unknown UIDs are passed over."""

    def rows(self, mailbox: MailboxId) -> list[MessageRow]: ...

    def changes(self, mailbox: MailboxId, since_modseq: int) -> Changes:
        """Where the memory of expunges does not reach back so far, all UIDs that are not there count as expunged."""
        ...

    def heads(self, mailbox: MailboxId, uids: Collection[int], budget_octets: int | None = None) -> list[MessageHead]:
        """Headers and indexes; with a budget the first of them that fit, but at least one (I7)."""
        ...

    def messages(
        self, mailbox: MailboxId, uids: Collection[int], budget_octets: int | None = None
    ) -> list[StoredMessage]:
        """Whole messages; with a budget the first of them that fit, but at least one (I7)."""
        ...

    def portion(
        self, mailbox: MailboxId, uids: Collection[int], budget_octets: int
    ) -> list[StoredMessage] | list[MessageHead]:
        """The first whose sizes fit; one that is larger than the budget comes alone, as its head (I7)."""
        ...

    def body(self, uuid: bytes, start: int, end: int) -> bytes:
        """Octets of the body of that content from `start` on: some at least, and none from `end` on.

        Raises MessageMissing when no message shows it any more.
        """
        ...

    def by_content(self, content: ContentId) -> StoredMessage | None:
        """A mail by its content, with UID 0; None when it is gone."""
        ...

    def add_content(self, content: NewContent) -> ContentId:
        """Sealed and stored once; raises OverQuota."""
        ...

    def begin_content(self, size: int) -> ContentId:
        """Room for a mail of `size` octets that comes in several transactions; raises OverQuota."""
        ...

    def add_body(self, content: ContentId, start: int, data: bytes, *, last: bool) -> None:
        """Octets of its body from `start` on, in whole MiB but for the last; raises MessageMissing."""
        ...

    def finish_content(
        self, content: ContentId, header: bytes, index: bytes, message_id_tag: bytes, vector_tag: bytes
    ) -> None:
        """Its header and tags, behind its body, as `NewContent` has them; raises MessageMissing."""
        ...

    def drop_contents(self, contents: Collection[ContentId]) -> None:
        """Those of them that no message shows go."""
        ...

    def append(
        self,
        mailbox: MailboxId,
        content: ContentId,
        flags: Flags,
        keywords: Collection[str],
        internaldate: int,
        saved_at: int | None = None,
    ) -> MessageRow:
        """Saved at its internaldate, if nothing else is said."""
        ...

    def show_staged(self, mailbox: MailboxId, staged: Sequence[StagedMail], saved_at: int) -> None:
        """Contents that were stored before become messages, in their order."""
        ...

    def has_staged(self) -> bool:
        """Whether there are contents that no message shows."""
        ...

    def drop_staged(self) -> int:
        """Contents that no message shows go; how many there were."""
        ...

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
        ...

    def expunge(self, mailbox: MailboxId, uids: Collection[int]) -> list[int]:
        """Which of them were there; contents nobody shows any more go too."""
        ...

    def copy(
        self, mailbox: MailboxId, uids: Collection[int], target: MailboxId, saved_at: int | None = None
    ) -> list[tuple[int, int]]:
        """Pairs of source and new UID; flags, keywords and internaldate travel along."""
        ...

    def places_of(self, message_id: str) -> list[tuple[MailboxId, int]]:
        """Mailbox and UID of each mail of that Message-ID."""
        ...

    def untagged(self) -> list[tuple[MailboxId, int]]:
        """Mailbox and UID of each mail that is found by no Message-ID, but what the Outbox shows."""
        ...

    def places_of_content(self, uuid: bytes) -> list[tuple[MailboxId, int]]:
        """Mailbox and UID of each message that shows the content of that name."""
        ...

    def sent_copies(self, mailbox: MailboxId, message_id: str) -> list[SentCopy]:
        """The mails of that Message-ID, by UID."""
        ...

    def client_copy_tag(self, message_id: str) -> bytes:
        """The `NewContent.vector_tag` of a copy in Sent that a client stored."""
        ...

    def message_id_tag(self, message_id: str) -> bytes:
        """The tag under which `NewContent.message_id_tag` stores a Message-ID."""
        ...

    def used_octets(self) -> int:
        """What the account's mail counts against its quota."""
        ...

    def keywords(self, mailbox: MailboxId, uids: Collection[int] | None = None) -> set[str]:
        """All that its messages have, or those of `uids`; in lower case."""
        ...

    def status_keywords(self, content: ContentId, remove: Collection[str], add: Collection[str]) -> list[MailboxId]:
        """Change keywords of every message showing `content`, and tell in which mailboxes."""
        ...


class AccountThreads(Protocol):
    """What one account's mail is threaded by. Times are Unix seconds."""

    def add_vector(self, vector: bytes, mail: Thread, exchange: Exchange, now: int) -> None:
        """The object `vector` carried this mail, between these two."""
        ...

    def by_vector(self, vector: bytes) -> Thread | None:
        """The mail that an object carried."""
        ...

    def vectors_of(self, message_id: str, exchange: Exchange) -> list[bytes]:
        """The objects that carried this mail between exactly these two, oldest first."""
        ...

    def add_alias(self, alias: str, mail: Thread, exchange: Exchange, now: int) -> None:
        """The correspondent's own program calls this mail `alias`, a Message-ID (I8)."""
        ...

    def by_alias(self, alias: str, exchange: Exchange) -> Thread | None:
        """What this correspondent calls so."""
        ...

    def add_subject(self, subject: str, mail: Thread, exchange: Exchange, now: int) -> None:
        """The latest mail about `subject`, a base subject, between these two."""
        ...

    def by_subject(self, subject: str, exchange: Exchange, now: int) -> Thread | None:
        """The latest mail about it, if that is not long ago."""
        ...

    def entries(self, limit: int) -> list[ThreadEntry]:
        """What is kept longest, at most `limit` vectors and as many other words: what another gateway needs."""
        ...

    def take_over(self, entries: Iterable[ThreadEntry]) -> int:
        """What another gateway kept, and is not known here; how much that was."""
        ...

    def forget(self, before: int) -> None:
        """Drop what was to be kept until a time before that."""
        ...


class AccountDuplicates(Protocol):
    """The duplicate filter of one account (I14)."""

    def tags(self) -> list[tuple[bytes, int]]:
        """All of it, each with its end of time: what another gateway needs beside the dedupe key."""
        ...

    def take_over(self, tags: Iterable[tuple[bytes, int]]) -> None:
        """What another gateway's filter held under the dedupe key that this account has now."""
        ...

    def seen(self, content_id: bytes) -> bool: ...

    def remember(self, content_id: bytes, keep_until: int) -> None:
        """Insert, or prolong."""
        ...

    def forget(self, before: int) -> None:
        """Drop what was to be kept until a time before that."""
        ...
