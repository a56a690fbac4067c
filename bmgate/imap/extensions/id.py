"""ID: our name and no more; what the client says of itself is not kept (RFC 2971, V23)."""

from dataclasses import dataclass

from bmgate.imap.cursor import BadSyntax, Cursor
from bmgate.imap.extension import ANY, Extension, Verb
from bmgate.imap.replies import Reply
from bmgate.imap.session import Session, ok
from bmgate.imap.values import Command

_PAIRS = 30


@dataclass(frozen=True, slots=True)
class Id(Command):
    """ID."""


def _read(cursor: Cursor) -> Id:
    cursor.space()
    if not cursor.skip(b"("):
        if cursor.nstring() is not None:
            raise BadSyntax("Expected a list or NIL")
        return Id()
    cursor.skip(b" ")  # aioimaplib: ID ( "name" "x" )
    if cursor.skip(b")"):
        return Id()
    for _ in range(_PAIRS):
        cursor.string()
        cursor.space()
        cursor.nstring()
        if cursor.skip(b")") or cursor.skip(b" )"):
            return Id()
        cursor.space()
    raise BadSyntax("Too many fields")


async def _identify(session: Session, _: Id) -> Reply:
    session.channel.write(b'* ID ("name" "bmgate")\r\n')
    return ok("Done")


ID = Extension("ID", verbs=(Verb("ID", _read, _identify, ANY),))
