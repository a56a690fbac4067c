"""BINARY of parts whose transfer encoding is not known: for which messages it is refused (RFC 3516 4.3).

They are found before anything is told, so that the others are answered in full, and only those marked as seen.
"""

from collections.abc import Iterable, Sequence

from bmgate.domain.mailbox import MessageHead, StoredMessage
from bmgate.errors import MessageMissing
from bmgate.imap.batches import Batches
from bmgate.imap.data_items import BinarySection, Depth, FetchItem, StoredMail
from bmgate.imap.parts import Octets, decoder_of
from bmgate.imap.replies import Refusal
from bmgate.imap.session import Session
from bmgate.mail.structure import decode_index

_Path = tuple[int, ...]


async def undecodable(session: Session, places: Sequence[int], items: Iterable[FetchItem]) -> frozenset[int]:
    """Places of messages with a part that is asked for decoded and cannot be."""
    paths = frozenset(item.path for item in items if isinstance(item, BinarySection))
    if not paths:
        return frozenset()
    found, batches = set[int](), Batches(session, places, Depth.BODY, copies=1)
    while (batch := await batches.next()) is not None:
        if batch.large is not None:
            found |= {batch.large.uid} if await _is_large_one(session, batch.large, paths) else set()
            continue
        found |= {uid for uid, message in batch.found.items() if _is_undecodable(message, _raw(message), paths)}
    return frozenset(session.view.place(uid) for uid in found)


async def _is_large_one(session: Session, head: MessageHead, paths: frozenset[_Path]) -> bool:
    try:
        return await session.services.mailboxes.look_into(
            session.account, head, lambda octets: _is_undecodable(head, octets, paths)
        )
    except MessageMissing:
        return False


def _raw(message: StoredMail) -> bytes:
    return message.header + message.body if isinstance(message, StoredMessage) else message.header


def _is_undecodable(message: StoredMail, raw: Octets, paths: frozenset[_Path]) -> bool:
    for part in decode_index(message.encoded_index).parts:
        if part.path in paths:
            try:
                decoder_of(raw, part)
            except Refusal:
                return True
    return False
