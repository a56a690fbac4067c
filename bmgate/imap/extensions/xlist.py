"""XLIST: LIST with the roles of mailboxes as Outlook 2013 reads them; what they are called stands in `lists`."""

from bmgate.imap.cursor import Cursor
from bmgate.imap.extension import INSIDE, Extension, Verb
from bmgate.imap.mailbox_commands import list_
from bmgate.imap.mailbox_grammar import read_lsub
from bmgate.imap.values import ListCommand


def _read(cursor: Cursor) -> ListCommand:
    asked = read_lsub(cursor)
    return ListCommand(asked.reference, (asked.pattern,), is_xlist=True)


XLIST = Extension("XLIST", verbs=(Verb("XLIST", _read, list_, INSIDE),))
