"""Reading: the bytes inside a msg or broadcast become what a mail will say (I1-I4). Total: any bytes make a mail.

Pure, and slow for the largest messages: it belongs on a thread.
"""

from dataclasses import replace

from bmgate.bm.addresses import parse_address
from bmgate.bm.encodings import (
    BODY_MARK,
    SIMPLE,
    TRIVIAL,
    DecodedMessage,
    File,
    UndecodableMessage,
    decode_message,
    decode_text,
)
from bmgate.errors import BadAddress
from bmgate.mail.filenames import OCTET_STREAM
from bmgate.mail.reading import Claims, Manner, Reading
from bmgate.mail.recognisers import recognised

NUL_SHOWN = "\ufffd"
MAX_ADDRESSES = 4


def read_message(encoding: int, data: bytes, manner: Manner) -> Reading:
    """What `data` says in `encoding`; a placeholder with the bytes as a file where nobody can tell (I2)."""
    try:
        decoded = decode_message(encoding, data)
    except UndecodableMessage:
        return unreadable(encoding, data, manner)
    reading = from_decoded(decoded, manner, _raw_body(encoding, data, decoded.body))
    if manner.recognise and encoding in (TRIVIAL, SIMPLE):
        reading = recognised(reading, manner)
    if manner.shows_html:
        from bmgate.mail.sanitise import sanitised  # and nh3: 1.5 MB, when it is needed

        reading = replace(reading, html=sanitised(reading.markup or reading.body))
    return reading


def from_decoded(decoded: DecodedMessage, manner: Manner, raw: bytes = b"") -> Reading:
    """The same with nothing recognised in it, as mail that never was on the network is read."""
    return Reading(
        kind=manner.kind,
        subject=decoded.subject,
        body=decoded.body.replace("\0", NUL_SHOWN),
        files=decoded.files,
        parents=decoded.parents,
        notes=decoded.notes,
        raw=raw,
        claims=Claims(recipient=_addresses(decoded.disclosed)),
    )


def unreadable(encoding: int, data: bytes, manner: Manner) -> Reading:
    """A placeholder with the bytes as a file (I2)."""
    return Reading(
        kind=manner.kind,
        subject=f"[Bitmessage: unreadable message, encoding {encoding}]",
        body=f"This message cannot be shown: its encoding {encoding} is unknown, or it is damaged.\n"
        "What was received is attached as message.bin.",
        files=(File("message.bin", data, OCTET_STREAM, "attachment"),),
        is_readable=False,
    )


def _addresses(disclosed: tuple[str, ...]) -> str:
    """Who else got it, as the sender says: as many addresses as fit a claim, and how many more."""
    addresses = list(dict.fromkeys(filter(None, map(_canonical, disclosed))))
    rest = len(addresses) - MAX_ADDRESSES
    return ", ".join(addresses[:MAX_ADDRESSES]) + (f" and {rest} more" if rest > 0 else "")


def _canonical(text: str) -> str:
    try:
        return str(parse_address(text))
    except BadAddress:
        return ""


def _raw_body(encoding: int, data: bytes, body: str) -> bytes:
    """The bytes that were decoded to `body`, where they stand in `data` as they are."""
    if encoding not in (TRIVIAL, SIMPLE):
        return b""
    behind = data.partition(BODY_MARK)[2]
    return next((raw for raw in (behind, data) if raw and decode_text(raw) == body), body.encode(errors="replace"))
