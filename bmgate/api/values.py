"""Parameters of calls, as tools write them: each function takes what came and gives a value, or raises `Fault`.

What came is anything that XML-RPC or JSON carries. Texts that need not be ASCII are base64 ("b64"), bytes are hex.
"""

import base64
import binascii
from typing import TypeAlias

from bmgate.api.faults import Code, Fault
from bmgate.api.replies import ADDRESS_FAULTS
from bmgate.bm.addresses import PREFIX, Address, parse_address
from bmgate.bm.network import STREAM
from bmgate.errors import BadAddress

Wire: TypeAlias = object
"""A parameter or result: None, bool, int, float, str, bytes, or lists and dicts of these."""

MAX_SHOWN = 200  # characters of a parameter that an error repeats


def text(value: Wire) -> str:
    """A string as it is."""
    if not isinstance(value, str):
        raise Fault(f"Unexpected API Failure - a string is expected, not {type(value).__name__}")
    return value


def number(value: Wire) -> int:
    """A whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise Fault(f"Unexpected API Failure - a whole number is expected, not {type(value).__name__}")
    return value


def multiple(value: Wire) -> float:
    """A number that may have a fraction, not NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise Fault(f"Unexpected API Failure - a number is expected, not {type(value).__name__}")
    return value


def flag(value: Wire, name: str) -> bool:
    """True or false; XML-RPC and JSON both have these."""
    if not isinstance(value, bool):
        raise Fault(f"Bool expected in {name}, saw {type(value).__name__} instead", Code.NOT_BOOL)
    return value


def unbase64(value: Wire) -> bytes:
    """What base64 text stands for; letters outside its alphabet are passed over, as tools wrap lines."""
    written = text(value)
    try:
        return base64.b64decode(written.encode("ascii"))
    except (binascii.Error, ValueError) as error:
        raise Fault(_decode_error(error, written), Code.DECODING) from error


def unhex(value: Wire) -> bytes:
    """What hex digits stand for."""
    written = text(value)
    try:
        return binascii.unhexlify(written.encode("ascii"))
    except (binascii.Error, ValueError) as error:
        raise Fault(_decode_error(error, written), Code.DECODING) from error


def label(value: Wire) -> str:
    """A b64 label, which is UTF-8."""
    try:
        return unbase64(value).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Fault("Label is not valid UTF-8 data.", Code.LABEL) from error


def words(value: Wire) -> str:
    """A b64 subject or message; bytes that are no UTF-8 are shown as such."""
    return unbase64(value).decode("utf-8", "replace")


def passphrase(value: Wire) -> str:
    """A b64 passphrase, which is text."""
    try:
        return passphrase_bytes(value).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Fault("Decode error - the passphrase is not valid UTF-8 data.", Code.DECODING) from error


def passphrase_bytes(value: Wire) -> bytes:
    """A b64 passphrase, which may be any bytes."""
    data = unbase64(value) if text(value) else b""
    if not data:
        raise Fault("The specified passphrase is blank.", Code.BLANK_PASSPHRASE)
    return data


def address(value: Wire) -> Address:
    """A usable address of stream 1; `BM-` may be missing."""
    written = text(value)
    try:
        parsed = parse_address(written)
    except BadAddress as error:
        code, reason = ADDRESS_FAULTS.get(error.status, (Code.ADDRESS, "Could not decode address: "))
        shown = shortened(written)
        raise Fault(f"{reason}{shown}" + (f" : {error.status}" if code is Code.ADDRESS else ""), code) from error
    if parsed.stream != STREAM:
        raise Fault("The stream number must be 1. Others aren't supported. Check the address.", Code.STREAM_UNUSABLE)
    return parsed


def prefixed(value: Wire) -> str:
    """The text of what shall be an address, with `BM-` before it."""
    written = text(value).strip()
    return written if written.startswith(PREFIX) else PREFIX + written


def b64(data: str | bytes) -> str:
    """As results carry text."""
    raw = data.encode("utf-8", "replace") if isinstance(data, str) else data
    return base64.b64encode(raw).decode("ascii")


def shortened(written: str) -> str:
    """As much of a parameter as an error may repeat."""
    return written if len(written) <= MAX_SHOWN else written[:MAX_SHOWN] + "..."


def _decode_error(error: Exception, written: str) -> str:
    return f"Decode error - {error}. Had trouble while decoding string: {shortened(written)!r}"
