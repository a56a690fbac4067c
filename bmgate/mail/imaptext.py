"""IMAP strings from whatever a mail holds: quoted where that is safe, literals otherwise, never a NUL.

Source: RFC 3501 4.3, RFC 9051 4.3. 8-bit text leaves as UTF-8, so that it is legal under UTF8=ACCEPT as well.
"""

import re

NIL = b"NIL"
MAX_STRING = 16384  # bytes of one string of ENVELOPE or BODYSTRUCTURE; longer ones are cut
_MAX_QUOTED = 900
_QUOTABLE = re.compile(rb"[ -~]*\Z")
_ESCAPED = re.compile(rb'(["\\])')


def string(value: bytes) -> bytes:
    """`value` as an IMAP string."""
    if len(value) <= _MAX_QUOTED and _QUOTABLE.match(value):
        return b'"' + _ESCAPED.sub(rb"\\\1", value) + b'"'
    text = _safe(value)
    return b"{%d}\r\n%b" % (len(text), text)


def nstring(value: bytes | None) -> bytes:
    """`value` as an IMAP string, or NIL."""
    return NIL if value is None else string(value)


def parenthesised(items: list[bytes]) -> bytes:
    """A parenthesised list of ready items; NIL when there are none."""
    return b"(" + b" ".join(items) + b")" if items else NIL


def _safe(value: bytes) -> bytes:
    value = value[:MAX_STRING].replace(b"\0", b" ")
    try:
        value.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(value) == MAX_STRING and error.start > MAX_STRING - 4:
            return value[: error.start]
        return value.decode("windows-1252", "replace").encode("utf-8")
    return value
