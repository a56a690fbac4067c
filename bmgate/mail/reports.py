"""The reports of an MTA as they are stored.

They come from the null reverse-path, which anybody may use whom the MTA lets: so they must be reports, and nothing in
their header may speak for this gateway. Sources: RFC 3464 section 2, RFC 8601 section 5, RFC 5321 section 4.4.
"""

from bmgate.errors import NotAllowed
from bmgate.mail.fields import MAX_FIELDS, media_type, scan_header
from bmgate.mail.write import CRLF, plain_field

_OURS = ("authentication-results", "delivered-to", "return-path")  # in lower case
_OUR_FAMILIES = ("list-", "x-bitmessage-")


def stored_report(raw: bytes, domain: str) -> bytes:
    """The report with fields of our own in front, and without those that only we may write; raises NotAllowed."""
    header = scan_header(raw, 0, len(raw))
    types = [media_type(value) for value in header.values(raw, "content-type")]
    has_junk = any(not name for name, _, _ in header.fields[1:MAX_FIELDS])
    if types != [(b"multipart", b"report")] or has_junk or not raw.startswith(CRLF + CRLF, header.end - 4):
        raise NotAllowed("from <> only reports are taken: one Content-Type, multipart/report, in a well-formed header")
    fields = (raw[start:end] for name, start, end in header.fields if not _is_ours(name))
    ours = (plain_field("Return-Path", "<>"), plain_field("Authentication-Results", f"{domain}; x-bitmessage=none"))
    return b"".join((*ours, *fields, raw[header.end - len(CRLF) :]))


def _is_ours(name: str) -> bool:
    """Also what has no name: a line of mbox, and what follows upon more fields than are looked at."""
    return not name or name in _OURS or name.startswith(_OUR_FAMILIES)
