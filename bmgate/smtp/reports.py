"""The reports of an MTA, into the INBOX of each account they are for: each has an outcome of its own (RFC 2033 4.2)."""

from collections.abc import Sequence

from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import Flags
from bmgate.mail.reports import stored_report
from bmgate.smtp.ports import Mailboxes
from bmgate.smtp.replies import TROUBLE, Reply, Stage
from bmgate.smtp.submitting import Replies
from bmgate.smtp.trouble import answer

DELIVERED = Reply(250, "2.0.0", "delivered")


async def deliver(mailboxes: Mailboxes, domain: str, owners: Sequence[AccountId], raw: bytes) -> Replies:
    """A reply for each of `owners`, who get it once however often they are named; raises NotAllowed for no report."""
    report = stored_report(raw, domain)
    outcomes = {owner: await _delivered(mailboxes, owner, report) for owner in dict.fromkeys(owners)}
    return tuple(outcomes[owner] for owner in owners)


async def _delivered(mailboxes: Mailboxes, owner: AccountId, report: bytes) -> Reply:
    try:
        await mailboxes.append(owner, "INBOX", report, Flags.NONE, (), None)
    except Exception as error:  # noqa: BLE001 - S12: what one account's mailbox does is no matter of the others
        reply = answer(error, Stage.DATA)
        return TROUBLE if reply.code == 421 else reply  # 421 would leave the others without their replies
    return DELIVERED
