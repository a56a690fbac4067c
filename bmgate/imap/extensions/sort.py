"""SORT: what is found, in the order of some criteria (RFC 5256 section 3); `imap.sort` makes the order."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from bmgate.imap.cursor import BadSyntax, Cursor
from bmgate.imap.extension import SELECTED, Extension, Verb
from bmgate.imap.fetch import told_date
from bmgate.imap.ordering import found_places, items_found, read_program
from bmgate.imap.replies import Reply
from bmgate.imap.search import asks_modseq
from bmgate.imap.search_values import SearchKey
from bmgate.imap.session import Session, ok
from bmgate.imap.sort import Criterion, SortKey, sorted_items
from bmgate.imap.values import Command
from bmgate.imap.vocabulary import CommandCursor

MAX_CRITERIA = 20
_KEYS = {key.value: key for key in SortKey}


@dataclass(frozen=True, slots=True)
class Sort(Command):
    """SORT, or UID SORT."""

    criteria: tuple[Criterion, ...]
    key: SearchKey
    uid: bool


def _read(uid: bool) -> Callable[[CommandCursor], Sort]:
    def read(cursor: CommandCursor) -> Sort:
        cursor.space()
        cursor.expect(b"(")
        criteria = [_criterion(cursor)]
        while cursor.skip(b" "):
            criteria.append(_criterion(cursor))
        cursor.expect(b")")
        if len(criteria) > MAX_CRITERIA:
            raise BadSyntax("Too many criteria")
        return Sort(tuple(criteria), read_program(cursor), uid)

    return read


def _criterion(cursor: Cursor) -> Criterion:
    word, reverse = cursor.word(), False
    if word == "REVERSE":
        cursor.space()
        word, reverse = cursor.word(), True
    if word not in _KEYS:
        raise BadSyntax("Unknown sort key")
    return Criterion(_KEYS[word], reverse)


async def _sort(session: Session, command: Sort) -> Reply:
    view = session.view
    if all(criterion.key is SortKey.ARRIVAL for criterion in command.criteria):
        places = await _by_arrival(session, command)
    else:
        items = await items_found(session, command.key)
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
    places = await found_places(session, command.key)
    reverse = command.criteria[0].reverse
    places.sort(key=lambda place: told_date(view.rows[view.uids[place]].internaldate), reverse=reverse)
    return places


SORT = Extension(
    "SORT",
    verbs=(
        Verb("SORT", _read(uid=False), _sort, SELECTED, tells_expunge=False),
        Verb("UID SORT", _read(uid=True), _sort, SELECTED),
    ),
)
