"""Header fields as bytes: where each one lies, what a MIME field says.

A linear scanner for mail as it is found, not as it should be: it is total, keeps the offsets of every field and changes
nothing. Decoding of words for people is in `headers`. Sources: RFC 5322 2.2, RFC 2045 5.1, RFC 2231.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bmgate.mail.octets import Octets

MAX_HEADER = 1024 * 1024  # octets of one header; what follows counts as its body
MAX_FIELDS = 2000  # of one header; what follows is kept as one field without a name
MAX_VALUE = 65536  # bytes of one field that are looked at
MAX_PARAMETERS = 50  # of one field

# a name, a colon, the rest of the line and its continuation lines; possessive, so nothing is tried twice
_FIELD = re.compile(rb"([!-9;-~]*+)[ \t]*+:[^\n]*+(?:\n[ \t][^\n]*+)*+(?:\n|\Z)")
_MBOX_FROM = re.compile(rb">?From [^\n]*+(?:\n|\Z)")
_BLANK_LINE = re.compile(rb"\r?\n")
_LINE = re.compile(rb"[^\n]*+\n")
_HEADER_END = re.compile(rb"\n\r?\n")
_PARAMETER = re.compile(rb';\s*+([^;=\s"]++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"?|([^;]*+))', re.DOTALL)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_FIRST_LOOK = 64 * 1024  # octets of a large mail, in which most headers end
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_LINE_BYTES = bytes.maketrans(b"\r\n\0", b"   ")
_TOKEN = re.compile(rb"[!#$%&'*+\-.0-9A-Z^_`a-z|~]++")
_COMMENT = re.compile(rb"\([^()]*+\)")
_SECTION = re.compile(rb"([^*]++)\*(\d{1,3})(\*?)\Z")  # RFC 2231 3: name*0, name*0*
_MUST_ESCAPE = re.compile(rb"[^!#$&+\-.0-9A-Z^_`a-z|~]")


Field = tuple[str, int, int]
"""One header field: name in lower case, start and end, which enclose it with its line end. A bare tuple: FETCH reads
some twenty of them a message from storage."""


@dataclass(frozen=True, slots=True)
class Header:
    """The fields of one header; `end` is where the body begins, behind the empty line."""

    fields: tuple[Field, ...]
    end: int

    def value(self, raw: Octets, name: str) -> bytes | None:
        """The first field of that lower-case name, unfolded and trimmed; None where there is none."""
        return next(self.values(raw, name), None)

    def values(self, raw: Octets, name: str) -> Iterator[bytes]:
        """Every field of that name, in order."""
        return (field_value(raw, field) for field in self.fields if field[0] == name)


def scan_header(raw: Octets, start: int, end: int) -> Header:
    """The header that begins at `start` of `raw`, up to and with its empty line.

    A line among the fields that is none counts as one without a name, as other servers have it. Where no empty line
    follows, or no field was before it, it is the first line of the body.
    """
    end = min(end, start + MAX_HEADER)
    if isinstance(raw, bytes):
        return _scan(raw, start, end)
    piece = raw[start : min(end, start + min(raw.window, _FIRST_LOOK))]
    header = _scan(piece, 0, len(piece))
    is_open = bool(header.fields) and not ends_header(piece[: header.end])
    if is_open or piece.find(b"\n", header.end) < 0:  # the line that ended it may have been cut
        piece = raw[start:end]
        header = _scan(piece, 0, len(piece))
    fields = tuple([(name, first + start, last + start) for name, first, last in header.fields])
    return Header(fields, header.end + start)


def ends_header(octets: bytes) -> bool:
    """Whether the empty line that ends a header is the last one of `octets`."""
    return octets in (b"\n", b"\r\n") or octets.endswith((b"\n\n", b"\n\r\n"))


def _scan(raw: bytes, start: int, end: int) -> Header:
    fields: list[Field] = []
    position = start
    unix_from = _MBOX_FROM.match(raw, start, end)
    if unix_from:
        position = unix_from.end()
        fields.append(("", start, position))
    while position < end:
        field = _FIELD.match(raw, position, end)
        if field is None:
            blank = _BLANK_LINE.match(raw, position, end)
            if blank is not None or not any(name for name, _, _ in fields):
                return Header(tuple(fields), blank.end() if blank else position)
            return _with_junk(raw, fields, position, end)
        if len(fields) == MAX_FIELDS:
            return _cut_short(raw, fields, position, end)
        fields.append((field[1].decode("ascii").lower(), position, field.end()))
        position = field.end()
    return Header(tuple(fields), position)


def _with_junk(raw: bytes, fields: list[Field], position: int, end: int) -> Header:
    """A line that is no field stands among `fields`: go on to the empty line, if there is one."""
    blank = _HEADER_END.search(raw, position, end)
    if blank is None:
        return Header(tuple(fields), position)
    last = blank.start() + 1
    while position < last and len(fields) < MAX_FIELDS:
        found = _FIELD.match(raw, position, last) or _LINE.match(raw, position, last)
        assert found is not None
        name = found[1].decode("ascii").lower() if found.re is _FIELD else ""
        fields.append((name, position, found.end()))
        position = found.end()
    if position < last:
        return _cut_short(raw, fields, position, end)
    return Header(tuple(fields), blank.end())


def _cut_short(raw: bytes, fields: list[Field], position: int, end: int) -> Header:
    blank = _HEADER_END.search(raw, position, end)
    rest = ("", position, blank.start() + 1 if blank else end)
    return Header((*fields, rest), blank.end() if blank else end)


def field_value(raw: Octets, field: Field) -> bytes:
    """What follows the colon, unfolded and trimmed, without CR, LF and NUL; at most `MAX_VALUE` bytes are read."""
    _, start, end = field
    text = raw[start : min(end, start + MAX_VALUE)]
    return _FOLD.sub(b"", text.partition(b":")[2]).translate(_LINE_BYTES).strip()


def without_comments(value: bytes) -> bytes:
    """A structured value with its (innermost) comments blanked."""
    return _COMMENT.sub(b" ", value)


def token(value: bytes | None) -> bytes:
    """The first token of a structured value, in lower case; empty when it does not begin with one."""
    found = _TOKEN.match(without_comments(value or b"").lstrip())
    return found[0].lower() if found else b""


def media_type(value: bytes | None) -> tuple[bytes, bytes] | None:
    """Type and subtype of a Content-Type in lower case; None when it is absent or no `type/subtype`."""
    kind, slash, rest = without_comments((value or b"").partition(b";")[0]).partition(b"/")
    subtype = rest.strip()
    kind = kind.strip()
    if slash and _TOKEN.fullmatch(kind) and _TOKEN.fullmatch(subtype):
        return kind.lower(), subtype.lower()
    return None


def parameters(value: bytes | None) -> tuple[tuple[bytes, bytes], ...]:
    """The parameters of a Content-Type or Content-Disposition, names in lower case.

    Continuations are joined, as RFC 2231 section 8 asks of IMAP servers; percent-encoding stays, under `name*`.
    """
    found: dict[bytes, bytes] = {}
    sections: dict[bytes, dict[int, tuple[bytes, bool]]] = {}
    for number, match in enumerate(_PARAMETER.finditer(value or b"")):
        if number == MAX_PARAMETERS:
            break
        name, text = match[1].lower(), _parameter_value(match)
        section = _SECTION.match(name)
        if section:
            sections.setdefault(section[1], {}).setdefault(int(section[2]), (text, bool(section[3])))
        else:
            found.setdefault(name, text)
    for base, pieces in sections.items():
        name, text = _join_sections(base, pieces)
        found.setdefault(name, text)
    return tuple(found.items())


def _parameter_value(match: re.Match[bytes]) -> bytes:
    if match[2] is not None:
        return _QUOTED_PAIR.sub(rb"\1", match[2])
    return match[3].partition(b" (")[0].strip()


def _join_sections(base: bytes, pieces: dict[int, tuple[bytes, bool]]) -> tuple[bytes, bytes]:
    ordered = [pieces[number] for number in sorted(pieces)]
    if not any(extended for _, extended in ordered):
        return base, b"".join(text for text, _ in ordered)
    return base + b"*", b"".join(text if extended else _percent(text) for text, extended in ordered)


def _percent(text: bytes) -> bytes:
    return _MUST_ESCAPE.sub(lambda match: b"%%%02X" % match[0][0], text)
