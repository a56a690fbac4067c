"""What SORT and THREAD have in common: they search first, then read what orders the messages found (RFC 5256)."""

import asyncio
from itertools import islice

from bmgate.domain.mailbox import MessageRow
from bmgate.imap.batches import HEADERS_AT_ONCE, Batches
from bmgate.imap.data_items import Depth, StoredMail
from bmgate.imap.features import Feature
from bmgate.imap.replies import NO, Refusal
from bmgate.imap.search import asks_modseq
from bmgate.imap.search_commands import find
from bmgate.imap.search_keys import read_charset, read_keys
from bmgate.imap.search_values import SearchKey
from bmgate.imap.session import Session
from bmgate.imap.sort import Item, item_of
from bmgate.imap.vocabulary import CommandCursor


def read_program(cursor: CommandCursor) -> SearchKey:
    """A charset and search keys, to the end of the command."""
    cursor.space()
    read_charset(cursor)
    cursor.space()
    return read_keys(cursor)


async def found_places(session: Session, key: SearchKey) -> list[int]:
    """Places of the messages found, ascending. Raises Refusal when it takes too long."""
    if asks_modseq(key):
        session.enable(Feature.CONDSTORE)
    return await find(session, key)


async def items_found(session: Session, key: SearchKey) -> list[Item]:
    """What orders the messages found, in the order of their places; those that are gone are left out."""
    places = await found_places(session, key)
    waiting, batches = iter(places), Batches(session, places, Depth.HEADER, HEADERS_AT_ONCE)
    items: list[Item] = []
    try:
        async with asyncio.timeout(session.limits.search_seconds):
            while (batch := await batches.next()) is not None:
                rows, messages = batch.rows, batch.found
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
