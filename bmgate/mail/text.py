"""Text as bmgate carries it: one clean line (subjects, labels, names) and the normal form of a body.

Leaves decoding to `charsets` and wrapping to `flowed`. Both functions are idempotent and their results encode to UTF-8.
"""

import re
import unicodedata

_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_INVISIBLE = re.compile("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")
_SPACES = re.compile(" {2,}")
_LINE_END = re.compile("\r\n|[\r\x0b\x0c\x85]")
_BODY_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")
SIGNATURE_DELIMITER = "-- "
QUOTE_LINE = "-" * 54  # PyBitmessage's, above what is answered
MAX_MARKS = 8  # combining marks in a row; more only serve to smear over other lines
REPLACEMENT = "\ufffd"


def clean_line(text: str) -> str:
    """One line fit for a header field or a label: no controls, no bidi tricks, single spaces, trimmed."""
    text = _SURROGATE.sub(REPLACEMENT, text)
    text = _INVISIBLE.sub("", _CONTROL.sub(" ", text))
    if not text.isascii():
        text = _cut_marks(text)
    return _SPACES.sub(" ", text).strip(" ")


def normal_body(text: str) -> str:
    """The normal form N(b) of a body (O9): LF line ends, no controls but TAB, no trailing spaces but those of `-- `."""
    text = _SURROGATE.sub(REPLACEMENT, text)
    text = _BODY_CONTROL.sub("", _LINE_END.sub("\n", text))
    lines = [line if line == SIGNATURE_DELIMITER else line.rstrip(" ") for line in text.split("\n")]
    return "\n".join(lines).rstrip("\n")


def truncate_utf8(text: str, limit: int) -> str:
    """The longest beginning of `text` that takes at most `limit` bytes of UTF-8 and splits no character."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= limit:
        return text
    return encoded[:limit].decode("utf-8", "ignore")


def size_in_words(size: int) -> str:
    """`34 kB` for 34,567 bytes; `812 bytes` below one kB."""
    return f"{size // 1000} kB" if size >= 1000 else f"{size} bytes"


def _cut_marks(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= MAX_MARKS:
            kept.append(character)
    return "".join(kept)
