"""The commands on messages: FETCH, STORE, COPY, MOVE, EXPUNGE (RFC 9051 section 6.4)."""

import asyncio
from collections.abc import Sequence
from typing import cast

from bmgate.domain.mailbox import FlagChange, Flags, MessageRow
from bmgate.errors import MailboxMissing
from bmgate.imap.batches import ROWS_AT_ONCE, Batch, Batches
from bmgate.imap.data_items import Attribute, Depth, FetchItem, copies_in, depth_of, marks_seen
from bmgate.imap.features import Feature
from bmgate.imap.fetch import NOTHING, ResponseWriter, render_flags, unseen
from bmgate.imap.large import send_by_item, send_large
from bmgate.imap.mailbox_commands import try_create
from bmgate.imap.pieces import Piece
from bmgate.imap.replies import BAD, NO, Refusal, Reply
from bmgate.imap.resync import tell_vanished
from bmgate.imap.session import Session, ok
from bmgate.imap.sets import SAVED, write_set
from bmgate.imap.undecodable import undecodable
from bmgate.imap.values import Copy, Expunge, Fetch, Store


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
    refused = await undecodable(session, places, items)
    places = [place for place in places if place not in refused]
    marked: frozenset[int] = frozenset()
    if marks_seen(items) and not view.read_only:
        marked = await _mark_seen(session, places)
    depth = depth_of(items)
    if depth is Depth.ROW:
        await _fetch_rows(session, places, items)
        return ok("Done")
    missing, batches, writers = False, Batches(session, places, depth, copies=copies_in(items)), _Writers(items)
    if marked:
        writers = _Writers(items, _with_flags(items, view.tells_modseq), marked)
    while (batch := await batches.next()) is not None:
        if batch.large is not None:
            numbered = batch.rows[-1]
            missing = not await send_large(session, numbered, batch.large, writers.of(numbered[1])) or missing
        elif (heavy := batches.heavy(batch)) is not None:
            await send_by_item(session, batch.rows[-1], heavy, writers.of(batch.rows[-1][1]))
        else:
            session.channel.write(writers.responses(batch))
        missing = missing or len(batch.found) < len(batch.rows)
        del batch  # while the client takes its time, only the channel has it (I7)
        await session.channel.drain()
    if refused:
        raise Refusal(NO, b"UNKNOWN-CTE", "Some messages have a transfer encoding that is not known")
    return _outcome(missing)


class _Writers:
    r"""What writes the responses of one FETCH; those with \Seen set by it tell their flags too."""

    def __init__(
        self, items: tuple[FetchItem, ...], telling: tuple[FetchItem, ...] = (), marked: frozenset[int] = frozenset()
    ) -> None:
        self._plain, self._marked = ResponseWriter(items), marked
        self._telling = ResponseWriter(telling)

    def responses(self, batch: Batch) -> bytes:
        """To messages none of which is large."""
        found = batch.found
        out: list[Piece] = []
        for number, row in batch.rows:
            message = found.get(row.uid)
            if message is not None:
                self.of(row).add(number, row, message, out)
        return b"".join(cast(list[bytes], out))

    def of(self, row: MessageRow) -> ResponseWriter:
        """What writes the response to this one."""
        return self._telling if row.uid in self._marked else self._plain


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


async def _fetch_rows(session: Session, places: Sequence[int], items: tuple[FetchItem, ...]) -> None:
    writer = ResponseWriter(items)
    for at in range(0, len(places), ROWS_AT_ONCE):
        rows = session.view.pairs(places[at : at + ROWS_AT_ONCE])
        if items == (Attribute.UID, Attribute.FLAGS):
            session.channel.write(render_flags(rows))
        else:
            out: list[Piece] = []
            for number, row in rows:
                writer.add(number, row, NOTHING, out)
            session.channel.write(b"".join(cast(list[bytes], out)))
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
