"""NAMESPACE: one personal namespace, nothing shared (RFC 2342)."""

from dataclasses import dataclass

from bmgate.imap.extension import INSIDE, Extension, Verb
from bmgate.imap.replies import Reply
from bmgate.imap.session import Session, ok
from bmgate.imap.values import Command


@dataclass(frozen=True, slots=True)
class Namespace(Command):
    """NAMESPACE."""


async def _namespace(session: Session, _: Namespace) -> Reply:
    session.channel.write(b'* NAMESPACE (("" "/")) NIL NIL\r\n')
    return ok("Done")


NAMESPACE = Extension("NAMESPACE", verbs=(Verb("NAMESPACE", lambda _: Namespace(), _namespace, INSIDE),))
