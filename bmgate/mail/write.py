"""Header fields as we write them: ASCII, CRLF, folded at 78 columns, text in encoded words where it must be.

Values come cleaned (`text.clean_line`); nothing here can produce a second field. Sources: RFC 5322 2.2.3 and 3.2,
RFC 2047, RFC 2231.
"""

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bmgate.bm.addresses import parse_address
from bmgate.errors import BadAddress
from bmgate.mail.text import clean_line

CRLF = b"\r\n"
COLUMNS = 78
MAX_LABEL = 64  # characters (A2)

_ENCODED_WORD = 75  # characters (RFC 2047 2); a line that holds one has at most 76
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+")
_Q_SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")  # legal in a phrase too
_ATTRIBUTE_SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$&+-.^_`{|}~")
_MAX_WORD = 900  # characters of a word that need not be encoded
_NOT_PRINTABLE = re.compile(r"[^ -~]")
_ADDRESS_LIKE = re.compile(r"[A-Za-z0-9-]{25,}")
_PARAMETER_PIECE = 60  # columns of one piece of a continued parameter


@dataclass(frozen=True, slots=True)
class Mailbox:
    """`label <spec>`, or `spec` alone; `spec` is ASCII `local@domain`."""

    spec: str
    label: str = ""

    def words(self, used: int = 0) -> list[str]:
        """What it is written as, in pieces between which a line may end."""
        return [*phrase(self.label, used), f"<{self.spec}>"] if self.label else [self.spec]


def usable_label(label: str) -> str:
    """A label as display name (A2): clean, short, and empty when it looks like an address itself."""
    label = clean_line(label)[:MAX_LABEL].strip()
    if "@" in label or any(map(_decodes, _ADDRESS_LIKE.findall(label))):
        return ""
    return label


def _decodes(text: str) -> bool:
    try:
        parse_address(text)
    except BadAddress:
        return False
    return True


def field(name: str, words: Iterable[str]) -> bytes:
    """`Name: words`, folded between words; words are printable ASCII."""
    lines, line = [], f"{name}:"
    for number, word in enumerate(words):
        if number and len(line) + 1 + len(word) > COLUMNS:
            lines.append(line)
            line = ""
        line += f" {word}"
    return CRLF.join(text.encode("ascii") for text in (*lines, line)) + CRLF


def plain_field(name: str, value: str) -> bytes:
    """A field whose value is ASCII of our own making; folded at its spaces."""
    return field(name, value.split(" "))


def text_field(name: str, text: str) -> bytes:
    """An unstructured field: Subject and the like."""
    if not text:
        return f"{name}:".encode("ascii") + CRLF
    return field(name, [*_text_words(text, len(name) + 2)])


def mailbox_field(name: str, mailboxes: Iterable[Mailbox]) -> bytes:
    """A list of addresses."""
    words: list[str] = []
    for mailbox in mailboxes:
        if words:
            words[-1] += ","
        words += mailbox.words(0 if words else len(name) + 2)
    return field(name, words)


def _text_words(text: str, used: int) -> list[str]:
    words = text.split(" ")
    if text.isascii() and "=?" not in text and not _NOT_PRINTABLE.search(text) and max(map(len, words)) <= _MAX_WORD:
        return words
    return list(encoded_words(text, used))


def phrase(label: str, used: int = 0) -> list[str]:
    """A display name: an atom, a quoted string, or encoded words."""
    if "=?" in label or not label.isascii() or _NOT_PRINTABLE.search(label):
        return list(encoded_words(label, used))
    return [label if _ATOM.fullmatch(label) else quoted(label)]


def quoted(text: str) -> str:
    """An ASCII text as quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


# --- RFC 2047 ---


def encoded_words(text: str, used: int = 0) -> Iterator[str]:
    """`text` in encoded words of whole characters, B or Q, whichever is shorter; `used` columns precede the first."""
    q_size = sum(map(len, map(_q, text)))
    b_size = (len(text.encode("utf-8", "replace")) + 2) // 3 * 4
    letter = "q" if q_size <= b_size else "b"
    overhead = len("=?utf-8?q??=")
    room = min(_ENCODED_WORD, _ENCODED_WORD + 1 - used) - overhead
    piece, size = "", 0
    for character in text:
        cost = len(_q(character)) if letter == "q" else len(character.encode("utf-8", "replace"))
        if piece and (size + cost > room if letter == "q" else (size + cost + 2) // 3 * 4 > room):
            yield _encoded_word(letter, piece)
            piece, size, room = "", 0, _ENCODED_WORD - overhead
        piece += character
        size += cost
    yield _encoded_word(letter, piece)


def _encoded_word(letter: str, text: str) -> str:
    if letter == "q":
        content = "".join(map(_q, text))
    else:
        content = base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")
    return f"=?utf-8?{letter}?{content}?="


def _q(character: str) -> str:
    if character in _Q_SAFE:
        return character
    if character == " ":
        return "_"
    return "".join(f"={byte:02X}" for byte in character.encode("utf-8", "replace"))


# --- parameters ---


def parameter(name: str, text: str) -> list[str]:
    """A parameter of Content-Type or Content-Disposition, with an ASCII fallback beside the RFC 2231 form.

    The pieces are separated by `;`, which the caller writes.
    """
    plain = _NOT_PRINTABLE.sub("_", text)
    if plain == text:
        return [f"{name}={quoted(text)}"]
    return [f"{name}={quoted(plain)}", *_extended(name, text)]


def _extended(name: str, text: str) -> list[str]:
    characters = map(_percent, text)
    pieces = ["utf-8''"]
    for character in characters:
        if len(pieces[-1]) + len(character) > _PARAMETER_PIECE:
            pieces.append("")
        pieces[-1] += character
    if len(pieces) == 1:
        return [f"{name}*={pieces[0]}"]
    return [f"{name}*{number}*={piece}" for number, piece in enumerate(pieces)]


def _percent(character: str) -> str:
    if character in _ATTRIBUTE_SAFE:
        return character
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "replace"))
