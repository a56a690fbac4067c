"""A mail inside a mail, as the file it travels as: what it says, without what its header tells (3.4).

Of every header, also of those inside its parts, only Subject, MIME-Version and Content-* stay; preambles, epilogues and
boundaries are replaced. Bodies stay as they are.
"""

import hashlib

from bmgate.mail.bodies import boundary_of
from bmgate.mail.headers import unfold
from bmgate.mail.parse import Part, children, content_type, parse_mail, raw_body

_KEPT = ("subject", "mime-version")
_KEPT_FAMILY = "content-"
_MAX_DEPTH = 10  # mails inside mails; what lies deeper is dropped with its header


def embedded_mail(raw: bytes, depth: int = 0) -> bytes:
    """The bytes of an embedded mail that may travel, with LF line ends; raises BadMail beyond the caps of O4."""
    return _written(parse_mail(raw), depth)


def _written(part: Part, depth: int) -> bytes:
    parts = children(part)
    if parts:
        return _multipart(part, [_written(child, depth) for child in parts])
    body = raw_body(part)
    if content_type(part).value == "message/rfc822":
        body = embedded_mail(body, depth + 1) if depth < _MAX_DEPTH else b""
    return _header(part) + b"\n" + body


def _multipart(part: Part, inside: list[bytes]) -> bytes:
    boundary = boundary_of(hashlib.sha256(b"".join(inside)).digest())
    delimiter = f"--{boundary}".encode("ascii")
    fields = _header(part, without=("content-type",))
    fields += f'Content-Type: {content_type(part).value}; boundary="{boundary}"\n'.encode("ascii", "replace")
    body = b"".join(delimiter + b"\n" + each + b"\n" for each in inside)
    return fields + b"\n" + body + delimiter + b"--\n"


def _header(part: Part, without: tuple[str, ...] = ()) -> bytes:
    fields = b""
    for name, value in part.raw_items():
        kept = name.lower() in _KEPT or name.lower().startswith(_KEPT_FAMILY)
        if kept and name.lower() not in without:
            text = unfold(str(value).encode("ascii", "surrogateescape")).strip()
            fields += name.encode("ascii", "replace") + b": " + text + b"\n"
    return fields
