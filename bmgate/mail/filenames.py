"""Names of files in mails: what a sender wrote, wherever his program put it, made safe to show and to store (O13)."""

import unicodedata

from bmgate.mail.headers import decode_header, raw_field
from bmgate.mail.parse import Part, content_type, disposition, parse_header, raw_body
from bmgate.mail.text import clean_line, truncate_utf8

OCTET_STREAM = "application/octet-stream"  # the media type of bytes nobody knows more about
MAX_NAME = 120  # bytes of UTF-8
MAX_EXTENSION = 20  # bytes, the dot included
_EXTENSIONS = {  # `mimetypes` differs from one Python to the next, and bytes of a stored mail must not
    "application/gzip": ".gz",
    "application/json": ".json",
    "application/msword": ".doc",
    OCTET_STREAM: ".bin",
    "application/pdf": ".pdf",
    "application/pgp-keys": ".asc",
    "application/pgp-signature": ".asc",
    "application/pkcs7-signature": ".p7s",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/x-pkcs7-signature": ".p7s",
    "application/zip": ".zip",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
    "audio/x-wav": ".wav",
    "image/bmp": ".bmp",
    "image/gif": ".gif",
    "image/heic": ".heic",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/svg+xml": ".svg",
    "image/tiff": ".tiff",
    "image/webp": ".webp",
    "message/rfc822": ".eml",
    "text/calendar": ".ics",
    "text/css": ".css",
    "text/csv": ".csv",
    "text/html": ".html",
    "text/plain": ".txt",
    "text/vcard": ".vcf",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
}


def given_name(part: Part) -> str:
    """The file name a part claims, as written; empty when it has none."""
    return disposition(part).parameters.get("filename", "") or content_type(part).parameters.get("name", "")


def file_name(part: Part, number: int) -> str:
    """The clean name of a part; `number` (from 1) names the nameless, an embedded mail is named by its subject."""
    media = content_type(part).value
    name = clean_file_name(given_name(part))
    if not name and media == "message/rfc822":
        subject = decode_header(raw_field(parse_header(raw_body(part)), "Subject"))
        name = clean_file_name(f"{subject.replace('/', '-')}.eml") if subject else ""
    return name or numbered_name(number, media)


def numbered_name(number: int, media_type: str) -> str:
    """What a nameless file is called; `number` counts from 1."""
    return f"attachment-{number}{_EXTENSIONS.get(media_type, '')}"


def clean_file_name(name: str) -> str:
    """Base name, NFC, one clean line, no leading dots, at most 120 bytes with the extension kept; may be empty."""
    base = clean_line(name).replace("\\", "/").rpartition("/")[2]
    base = clean_line(unicodedata.normalize("NFC", base)).lstrip(". ")
    stem, dot, extension = base.rpartition(".")
    suffix = f".{extension}" if dot and stem else ""
    if len(suffix.encode()) > MAX_EXTENSION:
        suffix = ""
    room = MAX_NAME - len(suffix.encode())
    return truncate_utf8(base.removesuffix(suffix), room).rstrip(" ") + suffix
