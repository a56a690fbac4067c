"""SAVEDATE: when a message came into its mailbox, to the minute; NIL for those stored before it was kept (RFC 8514)."""

from collections.abc import Callable
from dataclasses import dataclass

from bmgate.domain.mailbox import MessageRow
from bmgate.imap.cursor import Cursor
from bmgate.imap.data_items import AddedItem, Depth, Shown
from bmgate.imap.extension import Extension
from bmgate.imap.fetch import internal_date
from bmgate.imap.pieces import Piece
from bmgate.imap.search_keys import read_day
from bmgate.imap.search_values import AddedKey, Constant, Relation, Subject
from bmgate.mail.structure import MessageIndex
from bmgate.units import DAY


def _render(row: MessageRow, _: Shown, __: MessageIndex, out: list[Piece]) -> None:
    out.append(b"SAVEDATE " + (b"NIL" if row.saved_at is None else internal_date(row.saved_at)))


@dataclass(frozen=True, slots=True)
class SavedOn(AddedKey):
    """SAVEDBEFORE, SAVEDON, SAVEDSINCE; `day` counts from 1970-01-01."""

    relation: Relation
    day: int

    def verdict(self, subject: Subject) -> bool:
        """By the row alone."""
        saved_at = subject.row.saved_at
        return saved_at is not None and self.relation.holds(saved_at // DAY, self.day)


def _reader(relation: Relation) -> Callable[[Cursor], SavedOn]:
    return lambda cursor: SavedOn(relation, read_day(cursor))


SAVEDATE = Extension(
    "SAVEDATE",
    fetch_items={"SAVEDATE": lambda _: AddedItem(_render, Depth.ROW)},
    search_keys={
        "SAVEDATESUPPORTED": lambda _: Constant(value=True),
        **{f"SAVED{relation.name}": _reader(relation) for relation in Relation},
    },
)
