"""QUOTA=RES-STORAGE: one quota root for the whole account, changed by the operator alone (RFC 9208)."""

from bmgate.imap.replies import NO, Refusal, Reply
from bmgate.imap.session import Session, ok
from bmgate.imap.values import GetQuota

_UNIT = 1024  # octets


async def quota(session: Session, command: GetQuota) -> Reply:
    """GETQUOTA, GETQUOTAROOT, SETQUOTA."""
    if command.is_change:
        raise Refusal(NO, b"NOPERM", "The quota is set by the operator")
    if command.root:
        raise Refusal(NO, b"NONEXISTENT", "No such quota root")
    mailboxes, write = session.services.mailboxes, session.channel.write
    if command.mailbox is not None:
        await mailboxes.status(session.account, command.mailbox)
        write(b'* QUOTAROOT %b ""\r\n' % session.mailbox_name(command.mailbox))
    used, limit = await mailboxes.quota(session.account)
    resource = b"" if limit is None else b"STORAGE %d %d" % (storage_units(used), limit // _UNIT)
    write(b'* QUOTA "" (' + resource + b")\r\n")
    return ok("Done")


def storage_units(octets: int) -> int:
    """Octets in units of 1,024, rounded up."""
    return -(-octets // _UNIT)
