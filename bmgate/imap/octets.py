"""What a plain look at the octets of a mail rules out, before anything of it is decoded.

Most messages do not have what is searched for. Where header or body is plain ASCII that stands for itself, the text
would stand there too; each answer is False unless that is certain, and then what decodes has the word.
"""

import re
from functools import lru_cache

_DROPPED = bytes([*range(33), 127])  # blanks and controls: decoding a header drops, joins or exchanges them
_CHARSET = re.compile(rb'"charset" "([^"]*)"')
_ASCII_WITHIN = re.compile(rb"utf-8|us-ascii|iso-8859-\d{1,2}|windows-125\d")  # ASCII octets mean ASCII
_ENCODED = (b'"base64"', b'"quoted-printable"', b'"rfc822"')


def header_lacks(text: str, header: bytes) -> bool:
    """Whether no field of `header`, decoded, can have the case-folded `text`, comments counting as written."""
    needle = _bare(text)
    if needle is None or not header.isascii() or b"=?" in header:
        return False
    return needle not in header.translate(None, _DROPPED).lower()


def body_lacks(text: str, body: bytes, bodystructure: bytes) -> bool:
    """Whether no text part of `body`, decoded, can have the case-folded `text`."""
    if not text.isascii() or not body.isascii() or b"\0" in body or text.encode("ascii") in body.lower():
        return False
    structure = bodystructure.lower()
    if any(word in structure for word in _ENCODED):
        return False
    return all(map(_ASCII_WITHIN.fullmatch, _CHARSET.findall(structure)))


@lru_cache(maxsize=256)
def _bare(text: str) -> bytes | None:
    """What must stand in a header, None for what may come about by decoding."""
    bare = text.encode("ascii").translate(None, _DROPPED) if text.isascii() else b""
    return bare if bare and b"," not in bare else None  # a comma may join two fields
