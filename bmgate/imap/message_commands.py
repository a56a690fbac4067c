"""The commands on messages: FETCH, STORE, COPY, MOVE, EXPUNGE (RFC 9051 section 6.4)."""

import asyncio
from collections.abc import Sequence

from bmgate.domain.mailbox import FlagChange, Flags, MessageRow
from bmgate.errors import MailboxMissing
from bmgate.imap.batches import ROWS_AT_ONCE, Batches
from bmgate.imap.capabilities import Feature
from bmgate.imap.fetch import NOTHING, Depth, ResponseWriter, depth_of, marks_seen, render_flags, unseen
from bmgate.imap.mailbox_commands import try_create
from bmgate.imap.replies import BAD, NO, Refusal, Reply
from bmgate.imap.resync import tell_vanished
from bmgate.imap.session import Session, ok
from bmgate.imap.sets import SAVED, write_set
from bmgate.imap.values import Attribute, Copy, Expunge, Fetch, FetchItem, Store


async def fetch(session: Session, command: Fetch) -> Reply:
    """FETCH, UID FETCH: the next batch is read when the client took the one before."""
    view, items = session.view, command.items
    if command.changed_since is not None or Attribute.MODSEQ in items:
        session.enable(Feature.CONDSTORE)
    if command.vanished and command.changed_since is not None:
        await _tell_vanished(session, command.changed_since, command)
    places = view.places(command.messages, command.uid)
    if command.changed_since is not None:
        since = command.changed_since
        places = [place for place in places if view.rows[view.uids[place]].modseq > since]
    marked: frozenset[int] = frozenset()
    if marks_seen(items) and not view.read_only:
        marked = await _mark_seen(session, places)
    depth = depth_of(items)
    if depth is Depth.ROW:
        await _fetch_rows(session, places, items)
        return ok("Done")
    missing, batches, writer = False, Batches(session, places, depth), ResponseWriter(items)
    telling = ResponseWriter(_with_flags(items, view.tells_modseq)) if marked else writer
    while (batch := await batches.next()) is not None:
        rows, found = batch
        out: list[bytes] = []
        for number, row in rows:
            message = found.get(row.uid)
            if message is not None:
                (telling if row.uid in marked else writer).add(number, row, message, out)
        _write(session, out)
        await session.channel.drain()
        missing = missing or len(found) < len(rows)
    return _outcome(missing)


async def _tell_vanished(session: Session, since: int, command: Fetch) -> None:
    if Feature.QRESYNC not in session.enabled:
        raise Refusal(BAD, b"CLIENTBUG", "QRESYNC was not enabled")
    known = command.messages if command.messages != SAVED else tuple((uid, uid) for uid in session.view.saved)
    await tell_vanished(session, since, known)


def _outcome(missing: bool, is_lost: bool = False) -> Reply:
    """The answer to a command on messages some of which another session has expunged (RFC 2180, RFC 5530).

    It fails only when it was about nothing else: programs show a NO to their users.
    """
    if not missing:
        return ok("Done")
    if not is_lost:
        return ok("Some messages have been deleted meanwhile", b"EXPUNGEISSUED")
    raise Refusal(NO, b"EXPUNGEISSUED", "These messages have been deleted meanwhile")


async def _mark_seen(session: Session, places: Sequence[int]) -> frozenset[int]:
    r"""Set \Seen where it is not; the UIDs where it was not."""
    uids = unseen(session.view.pairs(places))
    if uids:
        rows = await session.services.mailboxes.set_flags(
            session.account, session.view.id, uids, FlagChange.ADD, Flags.SEEN, ()
        )
        session.channel.write(b"".join(session.view.stored(rows)))
    return frozenset(uids)


def _with_flags(items: tuple[FetchItem, ...], tells_modseq: bool) -> tuple[FetchItem, ...]:
    r"""What is told of messages where \Seen was set by this command."""
    changed = (Attribute.FLAGS, Attribute.MODSEQ) if tells_modseq else (Attribute.FLAGS,)
    return tuple(dict.fromkeys((*items, *changed)))


def _write(session: Session, pieces: list[bytes]) -> None:
    """Joined, but for a large mail: that would be in memory once more (I7)."""
    if sum(map(len, pieces)) <= 2 * session.limits.fetch_octets:
        pieces = [b"".join(pieces)]
    for piece in pieces:
        session.channel.write(piece)


async def _fetch_rows(session: Session, places: Sequence[int], items: tuple[FetchItem, ...]) -> None:
    writer = ResponseWriter(items)
    for at in range(0, len(places), ROWS_AT_ONCE):
        rows = session.view.pairs(places[at : at + ROWS_AT_ONCE])
        if items == (Attribute.UID, Attribute.FLAGS):
            session.channel.write(render_flags(rows))
        else:
            out: list[bytes] = []
            for number, row in rows:
                writer.add(number, row, NOTHING, out)
            session.channel.write(b"".join(out))
        await session.channel.drain()
        await asyncio.sleep(0)


async def store(session: Session, command: Store) -> Reply:
    """STORE, UID STORE; with UNCHANGEDSINCE what others changed meanwhile is left alone (RFC 7162 3.1.3)."""
    session.refuse_read_only()
    view, flags, since = session.view, command.flags, command.unchanged_since
    if since is not None:
        session.enable(Feature.CONDSTORE)
    uids = view.select_uids(command.messages, command.uid)
    if not uids:
        return ok("Nothing to do")
    rows = await session.services.mailboxes.set_flags(
        session.account, view.id, uids, command.change, flags.flags, flags.keywords, since
    )
    rows = [row for row in rows if row.uid in view.rows]
    silent = command.silent and not view.tells_modseq
    told = [row.uid for row in rows if not silent or _is_news(view.rows[row.uid], row, command)]
    session.channel.write(b"".join(view.stored(rows) + [view.flags_line(uid) for uid in told]))
    missing = sorted(set(uids) - {row.uid for row in rows})
    if missing and since is not None:
        return await _modified(session, missing, command.uid)
    return _outcome(bool(missing), is_lost=not rows and not command.uid)


async def _modified(session: Session, missing: list[int], uid: bool) -> Reply:
    """The answer when some messages were changed, or expunged, since the client looked at them."""
    view = session.view
    numbers = missing if uid else [view.place(one) + 1 for one in missing]
    code = b"MODIFIED " + write_set(numbers)
    await session.catch_up(force=True)
    if not uid and any(view.is_gone(one) for one in missing):
        raise Refusal(NO, code, "Some of the messages no longer exist")
    return ok("Some messages were changed meanwhile", code)


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
    known_flags, words = expected
    return (after.flags & ~Flags.RECENT, {word.lower() for word in after.keywords}) != (
        known_flags & ~Flags.RECENT,
        words,
    )


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
        return _outcome(missing, is_lost=not command.uid)
    sources, targets = write_set(transfer.source_uids), write_set(transfer.target_uids)
    code = b"COPYUID %d %b %b" % (transfer.uidvalidity, sources, targets)
    if not command.move:
        return ok("Done", code)
    view.removed(transfer.source_uids)
    session.channel.write(b"* OK [" + code + b"] Moved\r\n")
    await session.tell_news(expunge=True)
    return ok("Done", b"HIGHESTMODSEQ %d" % view.told_modseq if view.tells_vanished else b"")


async def expunge(session: Session, command: Expunge) -> Reply:
    """EXPUNGE, UID EXPUNGE; who has QRESYNC is told up to which MODSEQ he knows all (RFC 7162 3.2.7)."""
    session.refuse_read_only()
    view = session.view
    uids = None if command.uids is None else view.select_uids(command.uids, uid=True)
    view.removed(await session.services.mailboxes.expunge(session.account, view.id, uids))
    await session.tell_news(expunge=True)
    return ok("Done", b"HIGHESTMODSEQ %d" % view.told_modseq if view.tells_vanished else b"")
