"""What messages are known by: content id, Message-ID, boundary, and the References of an answer (I13-I17, I20).

All of it is derived, so that it is the same after a restart, a resend and a move; with the account's keys, so that
nobody else can link it to an object.
"""

import base64
import hashlib
import hmac
import re

from bmgate.bm.addresses import Address
from bmgate.bm.wire import encode_varint
from bmgate.mail.bodies import boundary_of

MAX_REFERENCES = 20

_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,248}>")


def content_id(
    sender: Address, recipient: Address, encoding: int, data: bytes, ack_data: bytes, signed_data: bytes
) -> bytes:
    """The 32 bytes that all copies of a message share (I13).

    `ack_data` is the embedded ack's object from the type field on, empty when there is none (chans, broadcasts); only
    then `signed_data` counts.
    """
    if not ack_data:
        return hashlib.sha256(_prefixed(b"bmgate-signed-1", hashlib.sha256(signed_data).digest())).digest()
    addresses = (str(sender).encode("ascii"), str(recipient).encode("ascii"))
    return hashlib.sha256(_prefixed(b"bmgate-msg-1", *addresses, encode_varint(encoding), data, ack_data)).digest()


def imported_id(*items: bytes) -> bytes:
    """The content id of a message that another program kept, from all that it kept of it: each import makes the same
    one.
    """
    return hashlib.sha256(_prefixed(b"bmgate-import-1", *items)).digest()


def in_mailbox(content: bytes, mailbox: int) -> bytes:
    """What a content id is remembered as where it counts for one mailbox alone."""
    return hashlib.sha256(_prefixed(b"bmgate-in-mailbox-1", content, mailbox.to_bytes(8))).digest()


def dedupe_tag(dedupe_key: bytes, content: bytes) -> bytes:
    """The 32 bytes by which an account remembers a content id (I14)."""
    return hmac.digest(dedupe_key, content, "sha256")


def message_id(id_key: bytes, content: bytes, domain: str) -> str:
    """The Message-ID of a content id, `<...@domain>` (I15)."""
    digest = _keyed(id_key, b"message-id", content)[:20]
    return f"<{base64.b32encode(digest).decode('ascii').lower()}@{domain}>"


def boundary(id_key: bytes, content: bytes) -> str:
    """The MIME boundary of a content id (I20)."""
    return boundary_of(_keyed(id_key, b"boundary", content))


def inner_boundary(id_key: bytes, content: bytes) -> str:
    """The boundary of a multipart within the multipart of a content id."""
    return boundary_of(_keyed(id_key, b"inner boundary", content))


def thread_references(ancestors: tuple[str, ...], parents: tuple[str, ...]) -> tuple[str, ...]:
    """The References of an answer to `parents`, whose last has `ancestors` itself (I17).

    At most 20, the oldest dropped after the first; what is no Message-ID is left out.
    """
    last_wins = dict.fromkeys(reversed([name for name in (*ancestors, *parents) if is_message_id(name)]))
    names = list(reversed(last_wins))
    if len(names) > MAX_REFERENCES:
        names = [names[0], *names[1 - MAX_REFERENCES :]]
    return tuple(names)


def is_message_id(name: str) -> bool:
    """Whether it can stand in a field of ours: `<...>`, ASCII, of a bearable length."""
    return _MESSAGE_ID.fullmatch(name) is not None


def _keyed(key: bytes, purpose: bytes, content: bytes) -> bytes:
    return hmac.digest(key, _prefixed(purpose, content), "sha256")


def _prefixed(*items: bytes) -> bytes:
    return b"".join(len(item).to_bytes(4) + item for item in items)
