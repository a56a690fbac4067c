"""Mail that comes in, some at a time: how much at once, what it is found by, and whether it is there already."""

from collections.abc import Collection, Iterator
from hashlib import sha256

from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import ContentId, MailboxId
from bmgate.domain.moving import MovedMail
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Store
from bmgate.errors import MailboxMissing
from bmgate.services.mailboxes.indexed import Indexed
from bmgate.services.moving.places import Place

BATCH_MAILS, BATCH_OCTETS = 64, 4 * 1024 * 1024  # of one transaction


def place_named(mail: MovedMail) -> Place:
    """Where it belongs."""
    return mail.mailbox, mail.of


def take(mails: Iterator[MovedMail]) -> list[MovedMail]:
    """As many as one transaction takes."""
    batch, octets = list[MovedMail](), 0
    for mail in mails:
        batch.append(mail)
        octets += len(mail.raw)
        if len(batch) >= BATCH_MAILS or octets >= BATCH_OCTETS:
            break
    return batch


def _name_of(mail: MovedMail, index: Indexed) -> str:
    """What it is found by: its Message-ID, or for want of one its bytes."""
    return mail.known_by or index.message_id or f"<{digest_of(mail.raw).hex()}@bytes>"


def digest_of(raw: bytes) -> bytes:
    """The same for what other programs' files make of a mail: other line ends, one more at the end, no NUL."""
    return sha256(_plain(raw)).digest()


def _plain(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n").replace(b"\0", b"").rstrip(b"\n")


def is_there(mine: AccountStore, mail: MovedMail, index: Indexed, unnamed: Collection[bytes]) -> bool:
    """Whether the account shows this mail, in whatever mailbox its owner put it.

    `unnamed` are the digests of those that are found by no name.
    """
    if unnamed and not mail.known_by and digest_of(mail.raw) in unnamed:
        return True
    places = mine.messages.places_of(_name_of(mail, index))
    if mail.known_by:
        return bool(places)
    return any(
        _is_same(stored.header + stored.body, mail.raw)
        for mailbox, uid in places
        for stored in mine.messages.messages(mailbox, [uid])
    )


def digests_of(account: AccountId, mailbox: MailboxId, uids: list[int], store: Store) -> list[tuple[int, bytes]]:
    """UID and digest of the first of these mails; none where the mailbox is gone."""
    try:
        found = store.account(account).messages.messages(mailbox, uids, BATCH_OCTETS)
    except MailboxMissing:
        return []
    return [(mail.uid, digest_of(mail.header + mail.body)) for mail in found]


def _is_same(there: bytes, raw: bytes) -> bool:
    return there == raw or _plain(there) == _plain(raw)


def look_up(
    account: AccountId, batch: list[tuple[MovedMail, Indexed]], unnamed: Collection[bytes], store: Store
) -> list[tuple[MovedMail, bool]]:
    """Each with whether it is there."""
    mine = store.account(account)
    return [(mail, is_there(mine, mail, index, unnamed)) for mail, index in batch]


def add(mine: AccountStore, mail: MovedMail, index: Indexed) -> ContentId:
    """Stored, where no mailbox shows it; raises OverQuota."""
    return mine.messages.add_content(index.content(mine.messages.message_id_tag(_name_of(mail, index))))
