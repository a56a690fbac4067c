"""What a client missed since it was here last (RFC 7162 sections 3.2.5 and 3.2.6)."""

from bmgate.imap.session import Session
from bmgate.imap.sets import SequenceSet, indices_of_uids, write_set


async def tell_changes(session: Session, modseq: int, known: SequenceSet | None) -> None:
    """The answer to QRESYNC: what vanished and what changed after `modseq`, of the `known` UIDs."""
    await tell_vanished(session, modseq, known)
    view = session.view
    for uid in _within(known, view.changed_since(modseq)):
        session.channel.write(view.flags_line(uid))


async def tell_vanished(session: Session, modseq: int, known: SequenceSet | None) -> None:
    """VANISHED (EARLIER), where something did; the view decides, so that later news are told as such."""
    view = session.view
    changes = await session.services.mailboxes.changes(session.account, view.id, modseq)
    gone = _within(known, [uid for uid in changes.expunged if uid not in view.rows])
    if gone:
        session.channel.write(b"* VANISHED (EARLIER) " + write_set(gone) + b"\r\n")


def _within(known: SequenceSet | None, uids: list[int]) -> list[int]:
    return uids if known is None else [uids[place] for place in indices_of_uids(known, uids)]
