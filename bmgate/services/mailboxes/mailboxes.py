"""Mailboxes as IMAP, POP3 and web ask for them.

Every method takes the account it acts for. What changed is committed before a method returns, and watchers of the
mailbox are told after that. Mail is indexed once, when it is stored; nothing here parses a stored message again.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import (
    DELIMITER,
    SYNONYMS,
    Changes,
    FlagChange,
    Flags,
    Mailbox,
    MailboxId,
    MailboxKind,
    MailboxSnapshot,
    MailboxStatus,
    MessageHead,
    MessageRow,
    NewContent,
    NewMail,
    SentCopy,
    StoredMessage,
    Transfer,
)
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Database, Failpoints, Store
from bmgate.domain.ports.world import Clock
from bmgate.errors import LimitReached, MailboxExists, NotAllowed
from bmgate.mail.headers import message_ids_in
from bmgate.mail.structure import MessageIndex, encode_index, index_message
from bmgate.services.disk import room_for_all
from bmgate.services.events import MailboxEvents
from bmgate.services.mailboxes.mailbox_names import (
    check_name,
    make_with_parents,
    move_inbox,
    refuse_special,
    rename_tree,
    resolve,
    resolve_with_mail,
)
from bmgate.services.mailboxes.mailbox_rules import Effects, Made, MailboxRules, RuleBook
from bmgate.services.mailboxes.sent_status import sent_keywords
from bmgate.services.mailboxes.status_flags import WITH_STATUS, set_flags_of_client, words_of_client
from bmgate.services.parsing import Parsing

MAX_MAILBOXES = 1_000
REPLACEABLE_SECONDS = 86_400  # how long our copy in Sent waits for the client's (M7)


@dataclass(frozen=True, slots=True)
class Indexed:
    """Mail with its index, ready to be stored."""

    raw: bytes
    index: MessageIndex

    @property
    def message_id(self) -> str:
        """With its angle brackets; empty when the mail has none."""
        value = self.index.value(self.raw, "message-id")
        return next(iter(message_ids_in(value)), "") if value else ""

    def content(self, message_id_tag: bytes = b"", vector_tag: bytes = b"") -> NewContent:
        """As the two blobs of storage."""
        split = self.index.header_size
        return NewContent(self.raw[:split], encode_index(self.index), self.raw[split:], message_id_tag, vector_tag)


def to_minute(now: int) -> int:
    """When mail of our own making is said to have come: the exact second is nobody's business."""
    return now // 60 * 60


def indexed(raw: bytes) -> Indexed:
    """Index `raw` (RFC 5322, any line ends); about a millisecond for 4 kB, so large mail goes through a thread."""
    return Indexed(raw, index_message(raw))


class Mailboxes:
    """The mailboxes of all accounts, one account at a time."""

    def __init__(
        self,
        database: Database,
        events: MailboxEvents,
        clock: Clock,
        failpoints: Failpoints,
        limit: int = MAX_MAILBOXES,
        rules: Sequence[MailboxRules] = (),
        check_room: Callable[[], None] = room_for_all,
        parsing: Parsing | None = None,
    ) -> None:
        self._database, self._events, self._clock, self._failpoints = database, events, clock, failpoints
        self._limit, self._rules, self._check_room = limit, RuleBook(rules), check_room
        self._parsing = parsing or Parsing()
        self._told: dict[MailboxId, int] = {}  # the first UID that no session was told of, since the start

    # -- looking ---------------------------------------------------------------------------------------------------

    async def all(self, account: AccountId) -> list[Mailbox]:
        """Special mailboxes first, then by name."""
        return await self._database.read(lambda store: store.account(account).mailboxes.all())

    async def former_subscriptions(self, account: AccountId) -> list[str]:
        """Names of mailboxes that were deleted while they were subscribed to."""
        return await self._database.read(lambda store: store.account(account).mailboxes.former_subscriptions())

    async def status(self, account: AccountId, name: str) -> MailboxStatus:
        """Raises MailboxMissing, NotAllowed for one that holds no mail."""

        def count(store: Store) -> MailboxStatus:
            mailboxes = store.account(account).mailboxes
            mailbox = resolve_with_mail(mailboxes, name)
            return mailboxes.status(mailbox.id, self._told.get(mailbox.id, 1))

        await self._rules.of(name).looking(account)
        return await self._database.read(count)

    async def quota(self, account: AccountId) -> tuple[int, int | None]:
        """Octets in use, and how many there may be; None without a limit."""

        def look(store: Store) -> tuple[int, int | None]:
            mine = store.account(account)
            return mine.messages.used_octets(), mine.account.quota_bytes

        return await self._database.read(look)

    def now(self) -> int:
        """Unix seconds."""
        return self._clock.now()

    async def open(self, account: AccountId, name: str, read_only: bool = True) -> MailboxSnapshot:
        """A mailbox with all its rows, at one instant; raises MailboxMissing, NotAllowed for one that holds no mail.

        What it calls recent is recent for no later session, unless this one only reads (U7).
        """

        def snapshot(store: Store) -> MailboxSnapshot:
            mine = store.account(account)
            mailbox = resolve_with_mail(mine.mailboxes, name)
            return MailboxSnapshot(mailbox, mine.messages.rows(mailbox.id))

        await self._rules.of(name).looking(account)
        found = await self._database.read(snapshot)
        mailbox = found.mailbox
        self._rules.opened(mailbox)
        first = max(mailbox.recent_uid, self._told.get(mailbox.id, 1))
        if not read_only and mailbox.recent_uid < mailbox.uidnext:
            self.claim_recent(mailbox.id, mailbox.uidnext)
            await self._database.transact(
                lambda store: store.account(account).mailboxes.claim_recent(mailbox.id, mailbox.uidnext)
            )
        return replace(found, mailbox=replace(mailbox, recent_uid=first))

    def claim_recent(self, mailbox: MailboxId, uidnext: int) -> int:
        r"""A session is told of all messages below `uidnext`; those from the returned UID on are \Recent for it.

        Only remembered: the next SELECT stores it, so after a crash some mail is recent once more (RFC 3501 2.3.2).
        """
        first = self._told.get(mailbox, 1)
        self._told[mailbox] = max(first, uidnext)
        return first

    async def changes(self, account: AccountId, mailbox: MailboxId, since_modseq: int) -> Changes:
        """Raises MailboxMissing when it was deleted meanwhile."""

        def since(store: Store) -> Changes:
            mine = store.account(account)
            return mine.messages.changes(mine.mailboxes.get(mailbox).id, since_modseq)

        await self._rules.of_opened(mailbox).looking(account)
        return await self._database.read(since)

    async def heads(self, account: AccountId, mailbox: MailboxId, uids: Collection[int]) -> list[MessageHead]:
        """Headers and indexes."""
        return await self._database.read(lambda store: store.account(account).messages.heads(mailbox, uids))

    async def messages(
        self, account: AccountId, mailbox: MailboxId, uids: Collection[int], budget_octets: int | None = None
    ) -> list[StoredMessage]:
        """Whole messages by ascending UID; with a budget the first of them that fit, but at least one (I7)."""
        return await self._database.read(
            lambda store: store.account(account).messages.messages(mailbox, uids, budget_octets)
        )

    def watch(self, mailbox: MailboxId, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` after each change of an opened mailbox, until the returned function is called."""
        return self._events.watch(mailbox, callback)

    # -- mailboxes -------------------------------------------------------------------------------------------------

    async def create(self, account: AccountId, name: str) -> Mailbox:
        """Make a mailbox, and those above it; a synonym of a special mailbox is there already (M3).

        Raises MailboxExists, NotAllowed for an impossible name, LimitReached at 1,000 mailboxes.
        """
        wanted = name.rstrip(DELIMITER)
        if wanted.lower() in SYNONYMS:
            return await self._database.read(lambda store: resolve(store.account(account).mailboxes, wanted))
        check_name(wanted)
        now, rules = self._clock.now(), self._rules.of(wanted)
        await rules.prepare(account, wanted)

        def make(store: Store) -> Made:
            mine = store.account(account)
            mailboxes = mine.mailboxes
            if mailboxes.find(wanted) is not None:
                raise MailboxExists(f"mailbox {wanted!r} exists already")
            if len(mailboxes.all()) >= self._limit:
                raise LimitReached(f"an account has at most {self._limit} mailboxes")
            own = rules.creating(mine, wanted, now)
            return own or Made(make_with_parents(mailboxes, wanted, now, subscribed=False))

        made = await self._database.transact(make)
        _carry_out(made.effects)
        return made.mailbox

    async def delete(self, account: AccountId, name: str) -> None:
        """Delete a mailbox of the user's own with its messages; mailboxes below it stay."""

        def remove(store: Store) -> tuple[MailboxId, Effects]:
            mine = store.account(account)
            mailbox = resolve(mine.mailboxes, name)
            refuse_special(mailbox, "deleted")
            effects = self._rules.of(mailbox.name).deleting(mine, mailbox)
            mine.mailboxes.delete(mailbox.id)
            return mailbox.id, effects

        gone, effects = await self._database.transact(remove)
        _carry_out(effects)
        self._told.pop(gone, None)
        self._events.changed([gone])

    async def rename(self, account: AccountId, name: str, new_name: str) -> None:
        """Rename a mailbox and those below it; INBOX keeps its place and its mail moves (RFC 9051 6.3.6)."""
        wanted = new_name.rstrip(DELIMITER)
        check_name(wanted)
        now = self._clock.now()

        def move(store: Store) -> tuple[list[MailboxId], Effects]:
            mine = store.account(account)
            mailbox = resolve(mine.mailboxes, name)
            if wanted.lower() in SYNONYMS or mine.mailboxes.find(wanted) is not None:
                raise MailboxExists(f"mailbox {wanted!r} exists already")
            effects = self._renaming(mine, mailbox, wanted)
            if mailbox.kind is MailboxKind.INBOX:
                return move_inbox(
                    mine, mailbox, make_with_parents(mine.mailboxes, wanted, now, False), to_minute(now)
                ), effects
            refuse_special(mailbox, "renamed")
            if wanted.startswith(mailbox.name + DELIMITER):
                raise NotAllowed("a mailbox cannot be moved below itself")
            rename_tree(mine.mailboxes, mailbox, wanted, now)
            return [], effects

        changed, effects = await self._database.transact(move)
        _carry_out(effects)
        self._events.changed(changed)

    def _renaming(self, mine: AccountStore, mailbox: Mailbox, wanted: str) -> Effects:
        """Ask the rules of the old name and of the new one, once where they are the same."""
        asked = {id(rules): rules for rules in (self._rules.of(mailbox.name), self._rules.of(wanted))}
        return tuple(effect for rules in asked.values() for effect in rules.renaming(mine, mailbox, wanted))

    async def set_subscribed(self, account: AccountId, name: str, subscribed: bool) -> None:
        """SUBSCRIBE and UNSUBSCRIBE; raises MailboxMissing."""

        def change(store: Store) -> None:
            mailboxes = store.account(account).mailboxes
            if not subscribed and mailboxes.forget_subscription(name):
                return
            mailboxes.set_subscribed(resolve(mailboxes, name).id, subscribed)

        await self._database.transact(change)

    # -- messages --------------------------------------------------------------------------------------------------

    async def append(
        self,
        account: AccountId,
        name: str,
        raw: bytes,
        flags: Flags,
        keywords: Collection[str],
        internaldate: int | None,
    ) -> Transfer:
        """Store a mail; durable when this returns. Raises MailboxMissing, OverQuota.

        In Sent, the client's copy of a mail that was submitted here takes the place of the gateway's (M7).
        """
        return await self.append_all(account, name, [NewMail(raw, flags, tuple(keywords), internaldate)])

    async def append_all(self, account: AccountId, name: str, mails: Sequence[NewMail]) -> Transfer:
        """Store several mails, all or none."""
        self._check_room()
        now = self._clock.now()
        new = [(mail, await self._parsing.run(indexed, mail.raw)) for mail in mails]

        def store_mails(store: Store) -> tuple[MailboxId, Transfer, Effects]:
            self._failpoints.pass_("append.begin")
            mine = store.account(account)
            mailbox = resolve(mine.mailboxes, name)
            effects = self._rules.of(mailbox.name).appending(mine, mailbox, mails)
            uids = [_append(mine, mailbox, mail, index, now) for mail, index in new]
            self._failpoints.pass_("append.stored")
            return mailbox.id, Transfer(mailbox.uidvalidity, [], uids), effects

        mailbox, transfer, effects = await self._database.transact(store_mails)
        self._failpoints.pass_("append.committed")
        _carry_out(effects)
        self._events.changed([mailbox])
        return transfer

    async def set_flags(
        self,
        account: AccountId,
        mailbox: MailboxId,
        uids: Collection[int],
        change: FlagChange,
        flags: Flags,
        keywords: Collection[str],
        unchanged_since: int | None = None,
    ) -> list[MessageRow]:
        """STORE: the rows as they are now, without those that changed after `unchanged_since`."""

        def store_flags(store: Store) -> tuple[list[MessageRow], Effects]:
            mine = store.account(account)
            it = mine.mailboxes.get(mailbox)
            effects = self._rules.of(it.name).flagging(mine, it, uids, change, flags)
            if it.kind in WITH_STATUS:
                rows = set_flags_of_client(mine.messages, mailbox, uids, change, flags, keywords, unchanged_since)
            else:
                rows = mine.messages.set_flags(mailbox, uids, change, flags, keywords, unchanged_since)
            return rows, effects

        rows, effects = await self._database.transact(store_flags)
        _carry_out(effects)
        self._events.changed([mailbox])
        return rows

    async def expunge(self, account: AccountId, mailbox: MailboxId, uids: Collection[int] | None) -> list[int]:
        """Remove the messages marked \\Deleted, of `uids` only if given; returns the UIDs removed."""
        done = await self._rules.of_opened(mailbox).expunging(account, mailbox, uids)
        if done is not None:
            return done

        def remove(store: Store) -> tuple[list[int], Effects]:
            mine = store.account(account)
            it = mine.mailboxes.get(mailbox)
            doomed = [row.uid for row in mine.messages.rows(mailbox) if row.flags & Flags.DELETED]
            if uids is not None:
                doomed = sorted(set(doomed) & set(uids))
            self._failpoints.pass_("expunge.begin")
            effects = self._rules.of(it.name).leaving(mine, it, doomed, None) if doomed else ()
            return mine.messages.expunge(mailbox, doomed), effects

        expunged, effects = await self._database.transact(remove)
        self._failpoints.pass_("expunge.committed")
        _carry_out(effects)
        if expunged:
            self._events.changed([mailbox])
        return expunged

    async def copy(self, account: AccountId, mailbox: MailboxId, uids: Collection[int], target: str) -> Transfer:
        """COPY; raises MailboxMissing for the target."""
        return await self._transfer(account, mailbox, uids, target, move=False)

    async def move(self, account: AccountId, mailbox: MailboxId, uids: Collection[int], target: str) -> Transfer:
        """MOVE: copy and expunge in one transaction (RFC 6851)."""
        return await self._transfer(account, mailbox, uids, target, move=True)

    async def _transfer(
        self, account: AccountId, mailbox: MailboxId, uids: Collection[int], target: str, *, move: bool
    ) -> Transfer:
        done = await self._rules.of_opened(mailbox).transferring(account, mailbox, uids, target, move)
        if done is not None:
            return done
        now = to_minute(self._clock.now())

        def carry(store: Store) -> tuple[MailboxId, Transfer, Effects]:
            mine = store.account(account)
            here, there = mine.mailboxes.get(mailbox), resolve(mine.mailboxes, target)
            effects = self._rules.of(there.name).arriving(mine, there, here, uids, move)
            if move:
                effects += self._rules.of(here.name).leaving(mine, here, uids, there)
            pairs = mine.messages.copy(mailbox, uids, there.id, now)
            if move:
                mine.messages.expunge(mailbox, [source for source, _ in pairs])
                self._failpoints.pass_("move.stored")
            return there.id, Transfer(there.uidvalidity, [a for a, _ in pairs], [b for _, b in pairs]), effects

        there, transfer, effects = await self._database.transact(carry)
        _carry_out(effects)
        self._events.changed([mailbox, there] if move else [there])
        return transfer


def _carry_out(effects: Effects) -> None:
    for effect in effects:
        effect()


def _append(mine: AccountStore, mailbox: Mailbox, mail: NewMail, new: Indexed, now: int) -> int:
    """The UID of the mail; in Sent, the client's copy of a submission takes the place of ours, and keeps it (M7)."""
    message_id, messages, keywords = new.message_id, mine.messages, mail.keywords
    ours: list[SentCopy] = []
    is_sent = mailbox.kind is MailboxKind.SENT and message_id != ""
    if is_sent:
        copies = messages.sent_copies(mailbox.id, message_id)
        theirs = [copy.uid for copy in copies if copy.is_of_submission and copy.is_of_client]
        if theirs:
            return theirs[0]
        ours = [copy for copy in copies if copy.is_of_submission and copy.internaldate > now - REPLACEABLE_SECONDS]
        keywords = words_of_client(keywords)
        keywords += tuple(word for copy in ours for word in copy.keywords if word not in keywords)
    tag = messages.message_id_tag(message_id) if message_id else b""
    content = messages.add_content(new.content(tag, messages.client_copy_tag(message_id) if is_sent else b""))
    if is_sent:
        rows = mine.outbox.replace_sent_content(message_id, content)
        keywords += () if ours or not rows else tuple(sorted(sent_keywords(rows)))
    messages.expunge(mailbox.id, [copy.uid for copy in ours])
    date = now if mail.internaldate is None else mail.internaldate
    return messages.append(mailbox.id, content, mail.flags, keywords, date, to_minute(now)).uid
