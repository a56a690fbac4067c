"""Address books as vCards (RFC 6350), as other programs read and write them.

An address stands in three places: `IMPP:bitmessage:BM-...`, `X-BITMESSAGE:BM-...`, and an EMAIL that a mail program
completes. Versions 2.1, 3.0 and 4.0 are read, 4.0 is written. What else is in a card is passed over.
"""

import quopri
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bmgate.bm.addresses import PREFIX, Address, looks_like_address, parse_address
from bmgate.errors import BadAddress, BadVcard
from bmgate.mail.text import clean_line
from bmgate.mail.write import MAX_LABEL, usable_label

MAX_BYTES = 64 * 1024 * 1024  # pictures make files large
MAX_CARDS = 5_000
MAX_VALUE = 4_096  # characters of a value that is looked at
MAX_TOLD = 3  # wrong addresses
SCHEME = "bitmessage:"

_COLUMNS = 75  # octets of a line (RFC 6350 3.2)
_LINE = re.compile(r'(?:[A-Za-z0-9-]+\.)?([A-Za-z0-9-]+)((?:;(?:"[^"]*"|[^":])*)?):(.*)', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_OURS = ("X-BITMESSAGE", "X-BITMESSAGE-STANDING", "X-BITMESSAGE-RELAY")
_WANTED = frozenset(("BEGIN", "END", "FN", "N", "NICKNAME", "IMPP", "EMAIL", *_OURS))


@dataclass(frozen=True, slots=True)
class Card:
    """An address with the name it goes by; `line` is where its card begins, 0 for one of ours.

    `standing` is `allowed`, `blocked` or empty.
    """

    address: Address
    label: str
    standing: str = ""
    is_relay: bool = False
    line: int = 0


@dataclass(slots=True)
class _Draft:
    """A card as far as it has been read."""

    line: int
    names: dict[str, str] = field(default_factory=dict)
    addresses: dict[Address, None] = field(default_factory=dict)
    standing: str = ""
    is_relay: bool = False

    def cards(self) -> Iterator[Card]:
        name = next((self.names[key] for key in ("FN", "NICKNAME", "N") if self.names.get(key)), "")
        for address in self.addresses:
            label = usable_label(name).removeprefix(PREFIX) or str(address)[len(PREFIX) :][:9]
            yield Card(address, label, self.standing, self.is_relay, self.line)


def read_vcards(data: bytes) -> list[Card]:
    """The Bitmessage addresses in a file, one of several cards each once.

    Raises BadVcard for what is no vCard file or holds a wrong address, with the line; nothing is guessed of a damaged
    one.
    """
    if len(data) > MAX_BYTES:
        raise BadVcard(f"the file is larger than {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadVcard(f"line {data.count(bytes([10]), 0, error.start) + 1}: it is not UTF-8") from error
    found, wrong = dict[Address, Card](), list[str]()
    draft: _Draft | None = None
    for number, name, parameters, value in _properties(text):
        if name == "BEGIN":
            if draft is not None or value.strip().upper() != "VCARD":
                raise BadVcard(f"line {number}: a card begins where none may")
            draft = _Draft(number)
        elif draft is None:
            raise BadVcard(f"line {number}: hoped for BEGIN:VCARD")
        elif name == "END":
            for card in draft.cards():
                found.setdefault(card.address, card)
            if len(found) > MAX_CARDS:
                raise BadVcard(f"more than {MAX_CARDS} addresses are too many at once")
            draft = None
        else:
            try:
                _take(draft, name, _decoded(parameters, value))
            except BadAddress as error:
                wrong.append(f"line {number}: {error}")
    if draft is not None:
        raise BadVcard(f"line {draft.line}: this card has no end")
    if wrong:
        others = f"; and {len(wrong) - MAX_TOLD} more" if len(wrong) > MAX_TOLD else ""
        raise BadVcard("; ".join(wrong[:MAX_TOLD]) + others)
    return list(found.values())


def write_vcards(cards: Iterable[Card], domain: str) -> str:
    """A vCard 4.0 for each, with CRLF line ends."""
    return "".join(f"{_folded(line)}\r\n" for card in cards for line in _lines(card, domain))


def _lines(card: Card, domain: str) -> Iterator[str]:
    yield "BEGIN:VCARD"
    yield "VERSION:4.0"
    yield f"FN:{_escaped(card.label or str(card.address))}"
    yield f"IMPP:{SCHEME}{card.address}"
    yield f"EMAIL:{card.address}@{domain}"
    if card.standing:
        yield f"X-BITMESSAGE-STANDING:{card.standing}"
    if card.is_relay:
        yield "X-BITMESSAGE-RELAY:on"
    yield "END:VCARD"


def _take(draft: _Draft, name: str, value: str) -> None:
    match name:
        case "FN" | "NICKNAME" | "N":
            draft.names.setdefault(name, _name(name, value))
        case "X-BITMESSAGE-STANDING" if value.strip().lower() in ("allowed", "blocked"):
            draft.standing = value.strip().lower()
        case "X-BITMESSAGE-RELAY":
            draft.is_relay = value.strip().lower() == "on"
        case "IMPP" | "EMAIL" | "X-BITMESSAGE":
            address = _address(value, is_ours=name != "EMAIL")
            if address is not None:
                draft.addresses[address] = None


def _name(name: str, value: str) -> str:
    """FN as it is, the first of several nicknames, and `N` put together from its five parts."""
    if name == "N":
        family, given = [*_split(value, ";"), "", ""][:2]
        value = f"{given} {family}"
    elif name == "NICKNAME":
        value = _split(value, ",")[0]
    return clean_line(_ESCAPE.sub(_unescaped, value))[:MAX_LABEL]


def _split(value: str, separator: str) -> list[str]:
    return re.split(rf"(?<!\\){separator}", value)


def _address(value: str, *, is_ours: bool) -> Address | None:
    """None for that of another kind; raises BadAddress for one with a mistake in it."""
    text = value.strip()
    for scheme in (SCHEME, "mailto:", "xmpp:"):
        if text.lower().startswith(scheme):
            text = text[len(scheme) :]
    local = text.partition("?")[0].partition("@")[0]
    letters = local[len(PREFIX) :]
    if not local.upper().startswith(PREFIX) or not (is_ours or looks_like_address(letters)):
        return None
    try:
        return parse_address(PREFIX + letters)
    except BadAddress as error:
        raise BadAddress(error.status, f"{clean_line(local)[:_COLUMNS]}: {error}") from error


def _properties(text: str) -> Iterator[tuple[int, str, str, str]]:
    """Line number, name in upper case, parameters and value of every property that is looked at."""
    for number, line in _unfolded(text):
        found = _LINE.fullmatch(line[:MAX_VALUE])
        if found is None:
            raise BadVcard(f"line {number}: it is no property of a vCard")
        name = found[1].upper()
        if name in _WANTED:
            yield number, name, found[2], found[3]


def _unfolded(text: str) -> Iterator[tuple[int, str]]:
    """Logical lines with the number of their first one; of long ones no more than is looked at."""
    pieces: list[str] = []
    size = start = 0
    soft = False
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        is_more = line[:1] in (" ", "\t") or soft
        if not is_more:
            if pieces:
                yield start, "".join(pieces)
            pieces, size, start = [], 0, number
            if not line.strip():
                continue
        elif not pieces:
            raise BadVcard(f"line {number}: it continues nothing")
        piece = line if not is_more or soft else line[1:]
        if size <= MAX_VALUE:
            pieces.append(piece)
        size += len(piece)
        soft = line.endswith("=") and "QUOTED-PRINTABLE" in pieces[0].upper()
        if soft and size <= MAX_VALUE:
            pieces[-1] = pieces[-1][:-1]
    if pieces:
        yield start, "".join(pieces)


def _decoded(parameters: str, value: str) -> str:
    """Version 2.1 writes names in quoted-printable."""
    if "QUOTED-PRINTABLE" not in parameters.upper():
        return value
    return quopri.decodestring(value.encode("ascii", "replace")).decode("utf-8", "replace")


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] in "nN" else match[1]


def _escaped(text: str) -> str:
    return clean_line(text).replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;")


def _folded(line: str) -> str:
    """At most 75 octets a line, no character split."""
    pieces, size = [""], 0
    for character in line:
        cost = len(character.encode("utf-8", "replace"))
        if size + cost > _COLUMNS:
            pieces.append(" ")
            size = 1
        pieces[-1] += character
        size += cost
    return "\r\n".join(pieces)
