"""The body of a mail that came from the network: its text, a cleaned HTML rendering of it, its files (I18-I20, P35).

Nothing a stranger sends is shown by itself but pictures that are pictures: HTML, SVG and whole messages travel as
files without a type.
"""

import re
from dataclasses import dataclass

from bmgate.bm.encodings import File
from bmgate.mail.bodies import BodyPart, base64_lines, multipart, text_part
from bmgate.mail.filenames import OCTET_STREAM, clean_file_name, numbered_name
from bmgate.mail.reading import Reading
from bmgate.mail.text import clean_line, normal_body
from bmgate.mail.write import CRLF, field, parameter

_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}")
_ACTIVE_TYPES = frozenset({"text/html", "application/xhtml+xml", "image/svg+xml", "application/x-msdownload"})
_ACTIVE_FAMILIES = ("message/", "multipart/")


@dataclass(frozen=True, slots=True, repr=False)
class Parts:
    """The parts of a body, encoded: all of it that takes long."""

    texts: tuple[BodyPart, ...]  # renderings of the same, the plain one first
    files: tuple[BodyPart, ...]

    @property
    def size(self) -> int:
        """Bytes of all parts together."""
        return sum(len(part.content) for part in (*self.texts, *self.files))


def parts_of(reading: Reading) -> Parts:
    """The parts that a message becomes."""
    pages = (text_part(reading.html, "html"),) if reading.html else ()
    files = tuple(_file_part(file, number) for number, file in enumerate(reading.files, 1))
    return Parts((text_part(_text(reading)), *pages), files)


def body_of(parts: Parts, boundary: str, inner_boundary: str) -> bytes:
    """The Content-* fields, the empty line and the body; ends with one CRLF."""
    text = parts.texts[0]
    if len(parts.texts) > 1:
        text = _multipart("alternative", inner_boundary if parts.files else boundary, parts.texts)
    if parts.files:
        text = _multipart("mixed", boundary, (text, *parts.files))
    return text.encoded + CRLF


def _multipart(subtype: str, boundary: str, parts: tuple[BodyPart, ...]) -> BodyPart:
    fields = field("Content-Type", [f"multipart/{subtype};", f'boundary="{boundary}"'])
    return BodyPart(fields, multipart(boundary, [part.encoded for part in parts]).removesuffix(CRLF))


def _text(reading: Reading) -> str:
    body = normal_body(reading.body)
    return "\n\n".join([*([body] if body else []), *(f"[{clean_line(note)}]" for note in reading.notes)])


def _file_part(file: File, number: int) -> BodyPart:
    media_type = _harmless_type(file.media_type)
    words = ["attachment", *parameter("filename", clean_file_name(file.name) or numbered_name(number, media_type))]
    fields = (
        field("Content-Type", [media_type]),
        field("Content-Transfer-Encoding", ["base64"]),
        field("Content-Disposition", [*(f"{word};" for word in words[:-1]), words[-1]]),
    )
    return BodyPart(b"".join(fields), base64_lines(file.data).replace(b"\n", CRLF))


def _harmless_type(media_type: str) -> str:
    media_type = media_type.lower()
    if not _MEDIA_TYPE.fullmatch(media_type) or media_type in _ACTIVE_TYPES or media_type.startswith(_ACTIVE_FAMILIES):
        return OCTET_STREAM
    return media_type
