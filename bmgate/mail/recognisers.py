"""Recognisers: the conventions of programs in the wild, undone where the evidence is strict (4.2).

Each rule is one pure function that gives back the very reading it got when it finds nothing. They are tried in the
order of the table, each once; what hit is told in `X-Bitmessage-Converted`. Everything takes time in proportion to the
text.
"""

import binascii
import re
from collections.abc import Callable
from dataclasses import replace

from bmgate.bm.addresses import parse_address
from bmgate.errors import BadAddress
from bmgate.mail.data_parts import data_parts
from bmgate.mail.headers import decode_words
from bmgate.mail.reading import Claims, Kind, Manner, Reading
from bmgate.mail.text import QUOTE_LINE
from bmgate.mail.transfer import decode_quoted_printable
from bmgate.mail.whole_mail import whole_mail

Recogniser = Callable[[Reading, Manner], Reading]

MIN_BASE64 = 40  # characters
BASE64_COLUMNS = frozenset({60, 64, 72, 76})
QP_COLUMNS = 76
BMWRAPPER_MARK = "<!-- Email sent from bmwrapper -->"
MAX_QUOTES = 50  # marks before a line; what lies deeper gets no more
RELAY_MARK = "MAILCHUCK-FROM::"

_ENCODED_SUBJECT = re.compile(r"\s*=\?[^?\s]{1,60}\?[bBqQ]\?[^?\s]*\?=(?:\s+=\?[^?\s]{1,60}\?[bBqQ]\?[^?\s]*\?=)*\s*")
_SOFT_BREAK = re.compile(r"=$", re.MULTILINE)
_STRAY_EQUALS = re.compile(r"=(?![0-9A-Fa-f]{2}|\n)")
_BASE64 = re.compile(r"[A-Za-z0-9+/\n]*={0,2}")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LINE_END = re.compile(r"\r\n?")
_LIST_LINE = re.compile(
    r"((?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC)[ \t]+"
    r"Message ostensibly from (BM-[1-9A-HJ-NP-Za-km-z]{20,40}):[ \t]*\n[ \t]*\n"
)
_RELAYED = re.compile(r"(\S+) \| (.*)", re.DOTALL)


def recognised(reading: Reading, manner: Manner) -> Reading:
    """The reading with every convention undone that it follows."""
    for rule, recogniser in RECOGNISERS:
        found = recogniser(reading, manner)
        if found is not reading:
            reading = replace(found, rules=(*found.rules, rule))
    return reading


def encoded_subject(reading: Reading, _manner: Manner) -> Reading:
    """I5: a subject of nothing but encoded words, as bmagent writes it."""
    if not _ENCODED_SUBJECT.fullmatch(reading.subject):
        return reading
    subject = decode_words(reading.subject.strip())
    return reading if subject == reading.subject.strip() else replace(reading, subject=subject)


def raw_quoted_printable(reading: Reading, _manner: Manner) -> Reading:
    """I6: quoted-printable that nobody decoded, as bmwrapper and bmagent send it."""
    source = _lines(reading.body)
    if not source.isascii() or not _SOFT_BREAK.search(source) or _STRAY_EQUALS.search(source):
        return reading
    if max(map(len, source.split("\n"))) > QP_COLUMNS:
        return reading
    decoded = decode_quoted_printable(source.encode("ascii"))
    text = _utf8_or_none(decoded)
    if text is None or (text.isascii() and "=3D" not in source):
        return reading
    return replace(reading, body=text, raw=decoded)


def raw_base64(reading: Reading, _manner: Manner) -> Reading:
    """I7: base64 that nobody decoded."""
    source = _lines(reading.body).strip("\n")
    if len(source) < MIN_BASE64 or not _BASE64.fullmatch(source):
        return reading
    *lines, last = source.split("\n")
    columns = {len(line) for line in lines}
    if columns and (len(columns) > 1 or not columns <= BASE64_COLUMNS or not 0 < len(last) <= max(columns)):
        return reading
    try:
        decoded = binascii.a2b_base64(source.replace("\n", ""), strict_mode=True)
    except binascii.Error:
        return reading
    text = _utf8_or_none(decoded)
    if text is None or _CONTROLS.search(_lines(text)) or not re.search("[ \n]", text):
        return reading
    return replace(reading, body=text, raw=decoded)


def list_line(reading: Reading, manner: Manner) -> Reading:
    """I10: the line above what a mailing list passes on. The list signed it, not the author."""
    if manner.kind is not Kind.BROADCAST:
        return reading
    body = _lines(reading.body)
    line = _LIST_LINE.match(body)
    if line is None:
        return reading
    try:
        author = parse_address(line[2])
    except BadAddress:
        return reading
    claims = Claims(sender=str(author), date=line[1])
    return replace(reading, kind=Kind.LIST, body=body[line.end() :], claims=claims)


def pybitmessage_style(reading: Reading, manner: Manner) -> Reading:
    """I11: bmwrapper's mark goes; quotes below PyBitmessage's line are marked where the reader wants them so."""
    before = _lines(reading.body).rstrip("\n ")
    text = before.removesuffix(BMWRAPPER_MARK)
    if manner.marks_quotes:
        text = _with_marked_quotes(text)
    return reading if text == before else replace(reading, body=text)


def relayed(reading: Reading, manner: Manner) -> Reading:
    """I12: mail from the Internet, which a relay of the reader's signed."""
    before, mark, behind = reading.subject.rpartition(RELAY_MARK)
    found = _RELAYED.fullmatch(behind) if mark and manner.is_by_relay else None
    if found is None:
        return reading
    claims = replace(reading.claims, sender=found[1])
    return replace(reading, kind=Kind.RELAY, subject=before + found[2], claims=claims)


RECOGNISERS: tuple[tuple[str, Recogniser], ...] = (
    ("I5", encoded_subject),
    ("I6", raw_quoted_printable),
    ("I7", raw_base64),
    ("I8", whole_mail),
    ("I9", data_parts),
    ("I10", list_line),
    ("I11", pybitmessage_style),
    ("I12", relayed),
)


def _lines(text: str) -> str:
    return _LINE_END.sub("\n", text)


def _utf8_or_none(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _with_marked_quotes(text: str) -> str:
    """Everything below a line of dashes with one more `>`; the line itself goes."""
    depth, lines = 0, list[str]()
    for line in text.split("\n"):
        if line.rstrip() == QUOTE_LINE:
            depth = min(depth + 1, MAX_QUOTES)
        else:
            lines.append(f"{'>' * depth} {line}".rstrip() if depth else line)
    return "\n".join(lines)
