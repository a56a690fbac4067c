"""PREVIEW: how the text of a message begins, made when it is asked for (RFC 8970)."""

from bmgate.domain.mailbox import MessageRow
from bmgate.imap.cursor import BadSyntax, Cursor
from bmgate.imap.data_items import AddedItem, Depth, Shown
from bmgate.imap.extension import Extension
from bmgate.imap.fetch import octets_of
from bmgate.imap.parts import preview
from bmgate.imap.pieces import Piece
from bmgate.mail.imaptext import string
from bmgate.mail.structure import MessageIndex


def _render(_: MessageRow, message: Shown, index: MessageIndex, out: list[Piece]) -> None:
    out.append(b"PREVIEW " + string(preview(octets_of(message), index).encode("utf-8", "replace")))


def _read(cursor: Cursor) -> AddedItem:
    if cursor.skip(b" ("):
        if cursor.word() != "LAZY":
            raise BadSyntax("Unknown modifier of PREVIEW")
        cursor.expect(b")")  # a preview costs little enough not to wait for
    return AddedItem(_render, Depth.BODY, wants_index=True)


PREVIEW = Extension("PREVIEW", fetch_items={"PREVIEW": _read})
