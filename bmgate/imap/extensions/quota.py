"""QUOTA=RES-STORAGE: one quota root for the whole account, changed by the operator alone (RFC 9208).

An account without a limit has no root: a QUOTA response names one resource at least.
"""

from dataclasses import dataclass

from bmgate.imap.cursor import Cursor
from bmgate.imap.extension import INSIDE, Extension, Verb
from bmgate.imap.mailbox_grammar import read_mailbox
from bmgate.imap.replies import NO, Refusal, Reply
from bmgate.imap.session import Session, ok
from bmgate.imap.status_items import StatusItem
from bmgate.imap.values import Command

_UNIT = 1024  # octets


@dataclass(frozen=True, slots=True)
class GetQuota(Command):
    """GETQUOTA, GETQUOTAROOT with its mailbox, and SETQUOTA, which is refused."""

    root: str = ""
    mailbox: str | None = None
    is_change: bool = False


def _read(cursor: Cursor) -> GetQuota:
    cursor.space()
    return GetQuota(cursor.astring().decode("utf-8", "replace"))


def _read_change(cursor: Cursor) -> GetQuota:
    root = _read(cursor).root
    cursor.space()
    cursor.expect(b"(")
    while not cursor.skip(b")"):
        cursor.word()
        cursor.space()
        cursor.number(0x7FFFFFFFFFFFFFFF)
        cursor.skip(b" ")
    return GetQuota(root, is_change=True)


async def _quota(session: Session, command: GetQuota) -> Reply:
    """GETQUOTA, GETQUOTAROOT, SETQUOTA."""
    if command.is_change:
        raise Refusal(NO, b"NOPERM", "The quota is set by the operator")
    if command.root:
        raise Refusal(NO, b"NONEXISTENT", "No such quota root")
    mailboxes, write = session.services.mailboxes, session.channel.write
    used, limit = await mailboxes.quota(session.account)
    if command.mailbox is not None:
        await mailboxes.status(session.account, command.mailbox)
        root = b"" if limit is None else b' ""'
        write(b"* QUOTAROOT %b%b\r\n" % (session.mailbox_name(command.mailbox), root))
    elif limit is None:
        raise Refusal(NO, b"NONEXISTENT", "There is no quota")
    if limit is not None:
        write(b'* QUOTA "" (STORAGE %d %d)\r\n' % (_units(used), limit // _UNIT))
    return ok("Done")


def _units(octets: int) -> int:
    """Octets in units of 1,024, rounded up."""
    return -(-octets // _UNIT)


QUOTA = Extension(
    "QUOTA QUOTA=RES-STORAGE",
    verbs=(
        Verb("GETQUOTA", _read, _quota, INSIDE),
        Verb("GETQUOTAROOT", lambda cursor: GetQuota(mailbox=read_mailbox(cursor)), _quota, INSIDE),
        Verb("SETQUOTA", _read_change, _quota, INSIDE),
    ),
    status_items=(StatusItem("DELETED-STORAGE", lambda status, _: _units(status.deleted_size)),),
)
