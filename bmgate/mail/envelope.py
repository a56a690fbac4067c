"""ENVELOPE of IMAP, and the address lists in it, from the raw header.

Linear and total: what is no address becomes one odd address, never an error. Names stay encoded (RFC 2047), as clients
expect. Sources: RFC 3501 7.4.2 (ENVELOPE), RFC 5322 3.4 and 4.4.
"""

import re
from dataclasses import dataclass, field

from bmgate.mail.fields import MAX_VALUE, Header
from bmgate.mail.imaptext import NIL, nstring
from bmgate.mail.octets import Octets

MAX_ADDRESSES = 1000  # of one list in the header of a mail
MAX_INNER_ADDRESSES = 100  # of one list in a mail inside a mail, of which there may be many

# A mailbox without a host would read as the start of a group, so both always have text (the words Dovecot uses).
_NO_HOST = b"MISSING_DOMAIN"
_NO_MAILBOX = b"MISSING_MAILBOX"

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"?|\[[^\]]*+\]?|[<>,:;@()]|\\.?|[^\s"\[<>,:;@()\\]++|\s++', re.DOTALL)
_COMMENT_PIECE = re.compile(rb"[()]|\\.?|[^()\\]++", re.DOTALL)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class EnvelopeAddress:
    """The four strings of an IMAP address; a group opens with only `mailbox` set and closes with nothing set."""

    name: bytes | None = None
    route: bytes | None = None
    mailbox: bytes | None = None
    host: bytes | None = None

    def rendered(self) -> bytes:
        """`(name adl mailbox host)`."""
        return b"(%b %b %b %b)" % (nstring(self.name), nstring(self.route), nstring(self.mailbox), nstring(self.host))


def render_envelope(raw: Octets, header: Header, max_addresses: int = MAX_ADDRESSES) -> bytes:
    """The ENVELOPE of a header of `raw`, ready to send."""

    def rendered(name: str) -> bytes:
        return _rendered_list(address_field(raw, header, name), max_addresses)

    senders = rendered("from")
    return b"(%b)" % b" ".join(
        [
            nstring(header.value(raw, "date")),
            nstring(header.value(raw, "subject")),
            senders,
            *(found if (found := rendered(name)) != NIL else senders for name in ("sender", "reply-to")),
            *(rendered(name) for name in ("to", "cc", "bcc")),
            nstring(header.value(raw, "in-reply-to")),
            nstring(header.value(raw, "message-id")),
        ]
    )


def _rendered_list(value: bytes, max_addresses: int) -> bytes:
    # RFC 3501 spells a list of addresses without spaces between them
    rendered = b"".join(address.rendered() for address in envelope_addresses(value, max_addresses))
    return b"(%b)" % rendered if rendered else NIL


def address_field(raw: Octets, header: Header, name: str) -> bytes:
    """All fields of that name as one list."""
    return b", ".join(header.values(raw, name))[:MAX_VALUE]


@dataclass(slots=True)
class _Reader:
    """What has been read since the last comma."""

    found: list[EnvelopeAddress] = field(default_factory=list)
    words: list[bytes] = field(default_factory=list)  # quoted strings still quoted
    angle: list[bytes] | None = None
    in_angle: bool = False
    comment: bytes = b""
    in_group: bool = False

    def word(self, token: bytes) -> None:
        if self.in_angle and self.angle is not None:
            self.angle.append(token)
        else:
            self.words.append(token)

    def special(self, token: bytes) -> None:
        if token == b"<" and not self.in_angle:
            self.angle, self.in_angle = [], True
        elif token == b">":
            self.in_angle = False
        elif token == b":" and self._opens_group():
            self.found.append(EnvelopeAddress(mailbox=_phrase(self.words)))
            self.words, self.comment, self.in_group = [], b"", True
        elif token == b";" or (token == b"," and not self._in_route()):
            self.flush()
            if token == b";":
                self.close_group()
        elif token != b"<":
            self.word(token)

    def _opens_group(self) -> bool:
        return not (self.in_angle or self.in_group or b"@" in self.words) and bool(_phrase(self.words))

    def _in_route(self) -> bool:
        return self.in_angle and bool(self.angle) and self.angle is not None and self.angle[0] == b"@"

    def flush(self) -> None:
        """The end of one address."""
        if self.angle is not None:
            self.found.append(_address(self.angle, _phrase(self.words) or None))
        elif _phrase(self.words):
            self.found.append(_address(self.words, self.comment or None))
        self.words, self.angle, self.in_angle, self.comment = [], None, False, b""

    def close_group(self) -> None:
        if self.in_group:
            self.found.append(EnvelopeAddress())
            self.in_group = False


def envelope_addresses(value: bytes, max_addresses: int) -> list[EnvelopeAddress]:
    """The addresses of a list field, groups with their markers."""
    reader, position = _Reader(), 0
    while position < len(value) and len(reader.found) < max_addresses:
        match = _TOKEN.match(value, position)
        assert match is not None  # every byte begins a token
        token, position = match[0], match.end()
        if token == b"(":
            reader.comment, position = _comment(value, position)
        elif token in b"<>,:;@":
            reader.special(token)
        elif token != b")":
            reader.word(token)
    reader.flush()
    reader.close_group()
    return reader.found


def _comment(value: bytes, position: int) -> tuple[bytes, int]:
    """The text of a comment whose parenthesis is open, and the position behind it."""
    depth = 1
    pieces: list[bytes] = []
    for match in _COMMENT_PIECE.finditer(value, position):
        piece = match[0]
        depth += (piece == b"(") - (piece == b")")
        if depth == 0:
            return b"".join(pieces).strip(), match.end()
        pieces.append(piece[1:] if piece[:1] == b"\\" else piece)
    return b"".join(pieces).strip(), len(value)


def _phrase(words: list[bytes]) -> bytes:
    return b" ".join(b"".join(map(_unquoted, words)).split())


def _address(tokens: list[bytes], name: bytes | None) -> EnvelopeAddress:
    route = None
    if tokens[:1] == [b"@"] and b":" in tokens:
        colon = len(tokens) - 1 - tokens[::-1].index(b":")
        route, tokens = b"".join(tokens[:colon]), tokens[colon + 1 :]
    if b"@" not in tokens:
        return EnvelopeAddress(name, route, _phrase(tokens) or _NO_MAILBOX, _NO_HOST)
    at = len(tokens) - 1 - tokens[::-1].index(b"@")
    mailbox = b"".join(_unquoted(token) for token in tokens[:at] if not token.isspace())
    host = b"".join(b"".join(tokens[at + 1 :]).split())
    return EnvelopeAddress(name, route, mailbox or _NO_MAILBOX, host or _NO_HOST)


def _unquoted(token: bytes) -> bytes:
    if token[:1] != b'"':
        return token
    closed = len(token) > 1 and token.endswith(b'"')
    return _QUOTED_PAIR.sub(rb"\1", token[1:-1] if closed else token[1:])
