"""A whole mail as the body of a Bitmessage (I8), which gateways of old make: its parts become ours.

What its header claims is kept as a claim, never believed. A mail that cannot be taken apart stays the text it is.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from bmgate.bm.encodings import File
from bmgate.errors import BadMail, TooLarge, UnsupportedMedia
from bmgate.mail.charsets import decode_text
from bmgate.mail.filenames import OCTET_STREAM
from bmgate.mail.headers import decode_header, media_type, message_ids_in, raw_field
from bmgate.mail.outgoing import answered_by
from bmgate.mail.parse import Part, children, content_type, disposition, parse_header, parse_mail
from bmgate.mail.reading import Claims, Manner, Reading
from bmgate.mail.selection import Selection, is_body_text
from bmgate.mail.text import clean_line
from bmgate.mail.transfer import decoded_body

MAX_LINES = 200  # of the header
MAX_HEADER = 32 * 1024  # bytes
MAX_ANSWERS = 20
NUL_SHOWN = "\ufffd".encode()

_HEADER = re.compile(rb"(?:[!-9;-~]+[ \t]*:[^\n]*\n(?:[ \t]+[^ \t\n][^\n]*\n)*)+(?=\n)")
_ORIGIN = ("From", "Return-Path")
_COMPANY = ("To", "Subject", "Date", "Message-ID", "Received")


def whole_mail(reading: Reading, _manner: Manner) -> Reading:
    """I8; the same reading where the body is no mail."""
    try:
        if _header_of(reading.raw) is None:
            return reading
        mail = parse_mail(reading.raw.replace(b"\0", NUL_SHOWN))
        selection = Selection(mail)
        files = [_file(part, name) for part, name in (*selection.attachments, *selection.logos)]
        pages = list(_pages(mail))
    except (BadMail, UnsupportedMedia, TooLarge):
        return reading
    subject = decode_header(raw_field(mail, "Subject"))
    return replace(
        reading,
        subject=subject or reading.subject,
        body=selection.body,
        files=(*reading.files, *files, *(File(name, data, OCTET_STREAM, "attachment") for name, data, _ in pages)),
        notes=(*reading.notes, *_outer_subject(reading.subject, subject), *map(_left_out, selection.left_out)),
        claims=_claims(mail),
        alias=next(iter(message_ids_in(raw_field(mail, "Message-ID"))), ""),
        answers=answered_by(mail)[:MAX_ANSWERS],
        markup=next((markup for _, _, markup in pages), ""),
    )


def _header_of(raw: bytes) -> "Part | None":
    """The header that the text begins with; None where the evidence does not do. Raises BadMail."""
    text = raw[: MAX_HEADER + 1].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    found = _HEADER.match(text)
    if found is None or found.end() > MAX_HEADER or found[0].count(b"\n") > MAX_LINES:
        return None
    header = parse_header(found[0])
    if "MIME-Version" in header or media_type(raw_field(header, "Content-Type"), "").value:
        return header
    has_origin = any(name in header for name in _ORIGIN)
    return header if has_origin and any(name in header for name in _COMPANY) else None


def _claims(mail: Part) -> Claims:
    sender, recipient, date, message_id = (
        decode_header(raw_field(mail, name)) for name in ("From", "To", "Date", "Message-ID")
    )
    return Claims(sender, recipient, date, message_id)


def _file(part: Part, name: str) -> File:
    place = "inline" if disposition(part).value == "inline" else "attachment"
    return File(name, decoded_body(part), content_type(part).value, place)


def _pages(mail: Part) -> Iterator[tuple[str, bytes, str]]:
    """Name, bytes and markup of each text/html that is read in place."""
    number = 0
    for part in _leaves(mail):
        media = content_type(part)
        if media.value == "text/html" and is_body_text(part):
            number += 1
            data = decoded_body(part)
            name = "message.html" if number == 1 else f"message-{number}.html"
            yield name, data, decode_text(data, media.parameters.get("charset", ""))


def _leaves(part: Part) -> Iterator[Part]:
    parts = children(part)
    if not parts:
        yield part
    for child in parts:
        yield from _leaves(child)


def _outer_subject(outer: str, inner: str) -> list[str]:
    outer = clean_line(outer)
    return [f"The message was sent with the subject: {outer}"] if inner and outer and outer != inner else []


def _left_out(name: str) -> str:
    return f"Left out: {name}"
