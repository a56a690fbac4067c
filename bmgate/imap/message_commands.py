"""The commands on messages: FETCH, STORE, COPY, MOVE, SEARCH, EXPUNGE (RFC 9051 section 6.4)."""

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice

from bmgate.domain.mailbox import FlagChange, Flags, MessageHead, MessageRow, StoredMessage
from bmgate.errors import MailboxMissing
from bmgate.imap.fetch import Content, Depth, depth_of, marks_seen, render, render_flags, renderer, unseen
from bmgate.imap.mailbox_commands import try_create
from bmgate.imap.replies import NO, Refusal, Reply
from bmgate.imap.search import Judge, Subject, depth_needed
from bmgate.imap.session import Session, ok
from bmgate.imap.sets import write_set
from bmgate.imap.values import Attribute, Copy, Expunge, Fetch, FetchItem, Search, Store

_ROWS_AT_ONCE = 2000  # rows rendered or judged before others get a turn

StoredMail = MessageHead | StoredMessage


class _Batches:
    """Messages of the view, read in batches that make about the octets one write should have (I7)."""

    def __init__(self, session: Session, places: Sequence[int], depth: Depth) -> None:
        self._session, self._places, self._depth, self._at = session, places, depth, 0
        self._size = session.limits.fetch_messages

    async def next(self) -> tuple[list[tuple[int, MessageRow]], dict[int, StoredMail]] | None:
        """Rows with their sequence numbers, and what was found of them by UID; None at the end."""
        rows = self._session.view.pairs(self._places[self._at : self._at + self._size])
        if not rows:
            return None
        uids = [row.uid for _, row in rows]
        found = await (self._heads(uids) if self._depth is Depth.HEADER else self._messages(uids))
        if self._depth is not Depth.HEADER and found:
            rows = rows[: bisect_right(uids, found[-1].uid)]  # what comes behind did not fit, or is gone
        self._at += len(rows)
        return rows, {message.uid: message for message in found}

    async def _heads(self, uids: list[int]) -> Sequence[StoredMail]:
        """All of them; how many fit is learned for the next batch, for headers are small."""
        session = self._session
        found = await session.services.mailboxes.heads(session.account, session.view.id, uids)
        fitting = session.limits.fetch_octets * len(uids) // max(sum(len(head.header) for head in found), 1)
        self._size = max(1, min(fitting, self._size * 4, session.limits.fetch_messages))
        return found

    async def _messages(self, uids: list[int]) -> Sequence[StoredMail]:
        """The first of them, as many as fit; bodies are large, so the storage looks at their sizes before it reads."""
        session = self._session
        budget = session.limits.fetch_octets
        return await session.services.mailboxes.messages(session.account, session.view.id, uids, budget)


async def fetch(session: Session, command: Fetch) -> Reply:
    """FETCH, UID FETCH: the next batch is read when the client took the one before."""
    view, items = session.view, command.items
    places = view.places(command.messages, command.uid)
    marked: frozenset[int] = frozenset()
    if marks_seen(items) and not view.read_only:
        marked = await _mark_seen(session, places)
    depth = depth_of(items)
    if depth is Depth.ROW:
        await _fetch_rows(session, places, items)
        return ok("Done")
    missing, batches = False, _Batches(session, places, depth)
    while (batch := await batches.next()) is not None:
        rows, found = batch
        for piece in _render(rows, found, items, marked):
            session.channel.write(piece)
        await session.channel.drain()
        missing = missing or len(found) < len(rows)
    return _outcome(missing, command.uid)


def _outcome(missing: bool, uid: bool) -> Reply:
    """The answer to a command on messages some of which another session has expunged (RFC 2180, RFC 5530)."""
    if not missing:
        return ok("Done")
    if uid:
        return ok("Some messages were expunged", b"EXPUNGEISSUED")
    raise Refusal(NO, b"EXPUNGEISSUED", "Some messages were expunged")


async def _mark_seen(session: Session, places: Sequence[int]) -> frozenset[int]:
    r"""Set \Seen where it is not; the UIDs where it was not."""
    uids = unseen(session.view.pairs(places))
    if uids:
        session.view.stored(
            await session.services.mailboxes.set_flags(
                session.account, session.view.id, uids, FlagChange.ADD, Flags.SEEN, ()
            )
        )
    return frozenset(uids)


async def _fetch_rows(session: Session, places: Sequence[int], items: tuple[FetchItem, ...]) -> None:
    nothing, renderers = Content(), [renderer(item) for item in items]
    for at in range(0, len(places), _ROWS_AT_ONCE):
        rows = session.view.pairs(places[at : at + _ROWS_AT_ONCE])
        if items == (Attribute.UID, Attribute.FLAGS):
            session.channel.write(render_flags(rows))
        else:
            out: list[bytes] = []
            render([(number, row, nothing) for number, row in rows], renderers, out)
            session.channel.write(b"".join(out))
        await session.channel.drain()
        await asyncio.sleep(0)


def _render(
    rows: list[tuple[int, MessageRow]],
    found: dict[int, StoredMail],
    items: tuple[FetchItem, ...],
    marked: frozenset[int],
) -> list[bytes]:
    r"""One batch in pieces; where \Seen was set by this command the flags are told too."""
    plain = [renderer(item) for item in items]
    telling = plain if Attribute.FLAGS in items else [*plain, renderer(Attribute.FLAGS)]
    out: list[bytes] = []
    for number, row in rows:
        if row.uid in found:
            render([(number, row, Content(found[row.uid]))], telling if row.uid in marked else plain, out)
    return out


async def store(session: Session, command: Store) -> Reply:
    """STORE, UID STORE."""
    session.refuse_read_only()
    view, flags = session.view, command.flags
    uids = view.select_uids(command.messages, command.uid)
    if not uids:
        return ok("Nothing to do")
    rows = await session.services.mailboxes.set_flags(
        session.account, view.id, uids, command.change, flags.flags, flags.keywords
    )
    rows = [row for row in rows if row.uid in view.rows]
    told = [row.uid for row in rows if not command.silent or _is_news(view.rows[row.uid], row, command)]
    view.stored(rows)
    session.channel.write(b"".join([view.flags_line(uid) for uid in told]))
    return _outcome(len(rows) < len(uids), command.uid)


def _is_news(before: MessageRow, after: MessageRow, command: Store) -> bool:
    """Whether a row holds more than the client knew and asked for: what others changed meanwhile, also if .SILENT."""
    flags, words = command.flags.flags, {word.lower() for word in command.flags.keywords}
    known = {word.lower() for word in before.keywords}
    match command.change:
        case FlagChange.ADD:
            expected = (before.flags | flags, known | words)
        case FlagChange.REMOVE:
            expected = (before.flags & ~flags, known - words)
        case FlagChange.REPLACE:
            expected = (flags, words)
    return (after.flags, {word.lower() for word in after.keywords}) != expected


async def copy(session: Session, command: Copy) -> Reply:
    """COPY, MOVE and their UID forms; COPYUID is told after the commit (U2)."""
    view, mailboxes = session.view, session.services.mailboxes
    if command.move:
        session.refuse_read_only()
    uids = view.select_uids(command.messages, command.uid)
    if not uids:
        return ok("Nothing to do")
    carry = mailboxes.move if command.move else mailboxes.copy
    try:
        transfer = await carry(session.account, view.id, uids, command.mailbox)
    except MailboxMissing as error:
        raise try_create() from error
    missing = len(transfer.source_uids) < len(uids)
    if not transfer.source_uids:
        return _outcome(missing, command.uid)
    sources, targets = write_set(transfer.source_uids), write_set(transfer.target_uids)
    code = b"COPYUID %d %b %b" % (transfer.uidvalidity, sources, targets)
    if not command.move:
        return ok("Done", code)
    view.removed(transfer.source_uids)
    session.channel.write(b"* OK [" + code + b"] Moved\r\n")
    return ok("Done")


async def expunge(session: Session, command: Expunge) -> Reply:
    """EXPUNGE, UID EXPUNGE; what went is told in the news of the command."""
    session.refuse_read_only()
    view = session.view
    uids = None if command.uids is None else view.select_uids(command.uids, uid=True)
    view.removed(await session.services.mailboxes.expunge(session.account, view.id, uids))
    return ok("Done")


async def search(session: Session, command: Search) -> Reply:
    """SEARCH, UID SEARCH; there is an answer also when nothing is found."""
    try:
        async with asyncio.timeout(session.limits.search_seconds):
            found = await _find(session, command)
    except TimeoutError as error:
        raise Refusal(NO, b"LIMIT", "The search took too long") from error
    uids = session.view.uids
    numbers = [uids[place] if command.uid else place + 1 for place in found]
    session.channel.write(b"* SEARCH" + "".join(f" {number}" for number in numbers).encode("ascii") + b"\r\n")
    return ok("Done")


async def _find(session: Session, command: Search) -> list[int]:
    """Places of what is found, ascending: by rows first, then by headers, then by bodies."""
    view, judge = session.view, Judge(command.key, session.view)
    found: list[int] = []
    unknown: list[Subject] = []
    for place, uid in enumerate(view.uids):
        if place % _ROWS_AT_ONCE == _ROWS_AT_ONCE - 1:
            await asyncio.sleep(0)
        subject = Subject(place, view.rows[uid])
        _sort_out(subject, judge.verdict(subject), found, unknown)
    needed = depth_needed(command.key)
    if unknown and needed >= Depth.HEADER:
        unknown = await _look_deeper(session, judge, Depth.HEADER, unknown, found)
    if unknown and needed is Depth.BODY:
        async with session.body_search:  # one at a time per account (I6)
            await _look_deeper(session, judge, Depth.BODY, unknown, found)
    return sorted(found)


def _sort_out(subject: Subject, verdict: bool | None, found: list[int], unknown: list[Subject]) -> None:
    if verdict is None:
        unknown.append(subject)
    elif verdict:
        found.append(subject.place)


async def _look_deeper(
    session: Session, judge: Judge, depth: Depth, subjects: list[Subject], found: list[int]
) -> list[Subject]:
    """Read more of `subjects` and judge them again, off the loop; what is still unknown comes back without content."""
    unknown: list[Subject] = []
    waiting, batches = iter(subjects), _Batches(session, [subject.place for subject in subjects], depth)
    while (batch := await batches.next()) is not None:
        rows, messages = batch
        part = list(islice(waiting, len(rows)))
        verdicts = await asyncio.to_thread(_judge_all, judge, part, messages)
        for subject, verdict in zip(part, verdicts, strict=True):
            _sort_out(subject, verdict, found, unknown)
    return unknown


def _judge_all(judge: Judge, subjects: list[Subject], messages: dict[int, StoredMail]) -> list[bool | None]:
    """Verdicts in order; a message that is gone is not found."""
    verdicts: list[bool | None] = []
    for subject in subjects:
        message = messages.get(subject.row.uid)
        verdicts.append(False if message is None else judge.verdict(subject.with_content(message)))
    return verdicts
