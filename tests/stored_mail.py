"""Mail as storage gives it out, for services in memory."""

from functools import lru_cache
from hashlib import sha256

from bmgate.domain.mailbox import MessageHead, StoredMessage
from bmgate.mail.structure import encode_index, index_message

PORTION = 256 * 1024  # octets that `body` of a store gives out at once


@lru_cache(maxsize=4096)
def stored(raw: bytes) -> StoredMessage:
    """With UID 0; the same mail has the same uuid."""
    index = index_message(raw)
    split = index.header_size
    return StoredMessage(0, 0, raw[:split], encode_index(index), raw[split:], sha256(raw).digest()[:16])


def head_of(message: StoredMessage) -> MessageHead:
    """What is read of it where its body is not wanted, or too large."""
    return MessageHead(message.uid, message.internaldate, message.header, message.encoded_index, message.uuid)
