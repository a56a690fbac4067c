"""The names by which callers know messages: msgid (32 bytes) and ackdata (38 bytes), both of our own making.

PyBitmessage's change with every attempt to send, or go with the first reply; these are good for as long as the message
is kept. Both carry what finds the message, and a digest that tells a name of ours from any other. A msgid is that of a
row of the outbox (queue id, number) or of a stored content (its uuid). An ackdata looks like those of PyBitmessage: the
head of a msg of stream 1, and 32 bytes.
"""

import re
from hashlib import sha256

from bmgate.domain.outbox import OutgoingMessage

_ACK_HEAD = bytes.fromhex("000000020101")
_ROW = re.compile(r"[0-9A-Z]{6}-[1-9][0-9]{0,3}")
_QUEUE_ID, _NUMBER, _UUID = 6, 2, 16
ACK_DIGITS = 76
"""Hex digits of the shortest ackdata there is."""


def msgid_of_content(uuid: bytes) -> bytes:
    """Of stored mail."""
    return uuid + _digest(b"content", uuid)[:_UUID]


def msgid_of_row(name: str) -> bytes:
    """Of an outgoing message, `QUEUEID-n`."""
    return _named(b"msgid", name)


def ack_data_of(row: OutgoingMessage) -> bytes:
    """Of an outgoing message."""
    return _ACK_HEAD + _named(b"ackdata", row.name)


def content_of(msgid: bytes) -> bytes | None:
    """The uuid that a msgid names, None where it names none."""
    return msgid[:_UUID] if msgid == msgid_of_content(msgid[:_UUID]) else None


def row_of_msgid(msgid: bytes) -> str | None:
    """The row that a msgid names, None where it names none."""
    return _row(b"msgid", msgid)


def row_of_ack_data(ack_data: bytes) -> str | None:
    """The row that an ackdata names, None where it names none."""
    return _row(b"ackdata", ack_data[len(_ACK_HEAD) :]) if ack_data.startswith(_ACK_HEAD) else None


def _named(purpose: bytes, name: str) -> bytes:
    queue_id, _, number = name.partition("-")
    head = queue_id.encode("ascii") + int(number).to_bytes(_NUMBER)
    return head + _digest(purpose, name.encode("ascii"))[: 32 - len(head)]


def _row(purpose: bytes, named: bytes) -> str | None:
    queue_id = named[:_QUEUE_ID].decode("ascii", "replace")
    name = f"{queue_id}-{int.from_bytes(named[_QUEUE_ID : _QUEUE_ID + _NUMBER])}"
    if not _ROW.fullmatch(name) or _named(purpose, name) != named:
        return None
    return name


def _digest(purpose: bytes, data: bytes) -> bytes:
    return sha256(purpose + b"\0" + data).digest()
