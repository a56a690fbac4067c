"""UNSELECT: leave a mailbox without expunging (RFC 3691)."""

from dataclasses import dataclass

from bmgate.imap.extension import SELECTED, Extension, Verb
from bmgate.imap.replies import Reply
from bmgate.imap.session import Session, ok
from bmgate.imap.values import Command


@dataclass(frozen=True, slots=True)
class Unselect(Command):
    """UNSELECT."""


async def _unselect(session: Session, _: Unselect) -> Reply:
    session.deselect()
    return ok("Done")


UNSELECT = Extension("UNSELECT", verbs=(Verb("UNSELECT", lambda _: Unselect(), _unselect, SELECTED),))
