"""SORT and THREAD as commands: search first, then read what orders the messages found, then order it off the loop."""

import asyncio
from itertools import islice

from bmgate.domain.mailbox import MessageRow
from bmgate.imap.batches import HEADERS_AT_ONCE, Batches
from bmgate.imap.capabilities import Feature
from bmgate.imap.fetch import Depth, StoredMail
from bmgate.imap.replies import NO, Refusal, Reply
from bmgate.imap.search import asks_modseq
from bmgate.imap.search_commands import find
from bmgate.imap.search_values import SearchKey
from bmgate.imap.session import Session, ok
from bmgate.imap.sort import Item, item_of, sorted_items
from bmgate.imap.thread import thread_by_references, thread_by_subject, write_threads
from bmgate.imap.values import Sort, SortKey, Thread


async def sort(session: Session, command: Sort) -> Reply:
    """SORT, UID SORT."""
    view = session.view
    if all(criterion.key is SortKey.ARRIVAL for criterion in command.criteria):
        places = await _by_arrival(session, command)
    else:
        items = await _items(session, command.key)
        places = [item.place for item in await asyncio.to_thread(sorted_items, items, command.criteria)]
    numbers = "".join(f" {view.uids[place] if command.uid else place + 1}" for place in places)
    modseq = b""
    if asks_modseq(command.key) and places:
        modseq = b" (MODSEQ %d)" % max(view.rows[view.uids[place]].modseq for place in places)
    session.channel.write(b"* SORT" + numbers.encode("ascii") + modseq + b"\r\n")
    return ok("Done")


async def _by_arrival(session: Session, command: Sort) -> list[int]:
    """Without reading a message."""
    view = session.view
    places = await _found(session, command.key)
    places.sort(key=lambda place: view.rows[view.uids[place]].internaldate, reverse=command.criteria[0].reverse)
    return places


async def thread(session: Session, command: Thread) -> Reply:
    """THREAD, UID THREAD."""
    view = session.view
    items = await _items(session, command.key)
    make = thread_by_references if command.algorithm == "REFERENCES" else thread_by_subject
    numbers = view.uids if command.uid else range(1, view.count + 1)
    written = await asyncio.to_thread(lambda: write_threads(make(items), list(numbers)))
    session.channel.write(b"* THREAD" + (b" " + written if written else b"") + b"\r\n")
    return ok("Done")


async def _found(session: Session, key: SearchKey) -> list[int]:
    if asks_modseq(key):
        session.enable(Feature.CONDSTORE)
    return await find(session, key)


async def _items(session: Session, key: SearchKey) -> list[Item]:
    """What orders the messages found, in the order of their places; those that are gone are left out."""
    places = await _found(session, key)
    waiting, batches = iter(places), Batches(session, places, Depth.HEADER, HEADERS_AT_ONCE)
    items: list[Item] = []
    try:
        async with asyncio.timeout(session.limits.search_seconds):
            while (batch := await batches.next()) is not None:
                rows, messages = batch
                part = list(islice(waiting, len(rows)))
                items += await asyncio.to_thread(_read_items, part, rows, messages)
    except TimeoutError as error:
        raise Refusal(NO, b"LIMIT", "There is too much to sort") from error
    return items


def _read_items(places: list[int], rows: list[tuple[int, MessageRow]], messages: dict[int, StoredMail]) -> list[Item]:
    return [
        item_of(place, row, messages[row.uid])
        for place, (_, row) in zip(places, rows, strict=True)
        if row.uid in messages
    ]
