"""The parameters and modifiers that CONDSTORE and QRESYNC add to SELECT, FETCH and STORE (RFC 7162 section 7)."""

from bmgate.imap.cursor import BadSyntax, Cursor
from bmgate.imap.sets import SAVED, SequenceSet, read_set
from bmgate.imap.values import Resync


def read_select_parameters(cursor: Cursor) -> tuple[bool, Resync | None]:
    """Whether CONDSTORE is asked for, and what the client remembers."""
    if not cursor.skip(b" ("):
        return False, None
    condstore, resync = False, None
    while True:
        word = cursor.word()
        if word == "CONDSTORE":
            condstore = True
        elif word == "QRESYNC":
            cursor.space()
            resync = _resync(cursor)
        else:
            raise BadSyntax("Unknown parameter")
        if cursor.skip(b")"):
            return condstore or resync is not None, resync
        cursor.space()


def _resync(cursor: Cursor) -> Resync:
    """UIDVALIDITY, MODSEQ, known UIDs; the sample of sequence numbers that may follow is not needed: expunged UIDs
    are remembered, or found by what is there.
    """
    cursor.expect(b"(")
    uidvalidity = cursor.number()
    cursor.space()
    modseq, known = cursor.modseq(), None
    while not cursor.skip(b")"):
        cursor.space()
        if cursor.skip(b"("):
            _skip_sample(cursor)
        else:
            known = _known_set(cursor)
    return Resync(uidvalidity, modseq, known)


def _skip_sample(cursor: Cursor) -> None:
    _known_set(cursor)
    cursor.space()
    _known_set(cursor)
    cursor.expect(b")")


def _known_set(cursor: Cursor) -> SequenceSet:
    found = read_set(cursor)
    if found == SAVED or any(None in span for span in found):
        raise BadSyntax("Not a set of numbers")
    return found


def read_fetch_modifiers(cursor: Cursor, uid: bool) -> tuple[int | None, bool]:
    """CHANGEDSINCE with its MODSEQ, and VANISHED."""
    if not cursor.skip(b" ("):
        return None, False
    changed_since: int | None = None
    vanished = False
    while True:
        word = cursor.word()
        if word == "CHANGEDSINCE":
            cursor.space()
            changed_since = cursor.modseq()
        elif word == "VANISHED" and uid:
            vanished = True
        else:
            raise BadSyntax("Unknown modifier")
        if cursor.skip(b")"):
            break
        cursor.space()
    if vanished and changed_since is None:
        raise BadSyntax("VANISHED needs CHANGEDSINCE")
    return changed_since, vanished


def read_store_modifier(cursor: Cursor) -> int | None:
    """UNCHANGEDSINCE."""
    if not cursor.skip(b"("):
        return None
    if cursor.word() != "UNCHANGEDSINCE":
        raise BadSyntax("Unknown modifier")
    cursor.space()
    modseq = cursor.modseq()
    cursor.expect(b") ")
    return modseq
