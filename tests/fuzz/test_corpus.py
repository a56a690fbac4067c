"""The mails of the corpus after accidents, out and in: each becomes a mail or is refused, soon, and nothing is lost.

Accidents are drawn from numbers, so that whatever fails is made again by its number. The nightly run has 10,000 each
way.
"""

import base64
import json
import random
import re
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings
from mail_corpus import parsed, read_corpus

from bmgate.bm.addresses import parse_address
from bmgate.bm.encodings import EXTENDED, decode_message
from bmgate.errors import BadMail, NotAllowed, TooLarge, UnsupportedMedia
from bmgate.mail.charsets import decode_text as decode_body
from bmgate.mail.filenames import given_name
from bmgate.mail.forms import Ends, Payload, Text, as_files, as_inline, as_mime, as_named, as_plain
from bmgate.mail.incoming import IncomingMail, render
from bmgate.mail.incoming_body import parts_of
from bmgate.mail.outgoing import OutgoingMail, convert
from bmgate.mail.parse import Part, children, content_type, disposition, parse_mail
from bmgate.mail.read import read_message
from bmgate.mail.reading import Kind, Manner, Reading
from bmgate.mail.selection import is_body_text
from bmgate.mail.transfer import decoded_body

T = TypeVar("T")
REFUSALS = (BadMail, NotAllowed, TooLarge, UnsupportedMedia)  # what a conversion may raise

ALICE = parse_address("BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z")
BOB = parse_address("BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuQ")
RECEIVED = Path(__file__).parents[1] / "received"
CASES = read_corpus()
MUTANTS = settings().max_examples * 5  # 500, of a night 10,000
SHARES = 10  # of them, each a test
STALL_SECONDS = 0.1  # of processor time, which other programs do not lengthen
TRIES = 4  # a collection of garbage may fall into one

UNSEEN = ("head", "title", "style", "script", "template")
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")

ODD_LINES = [
    b"",
    b"--",
    b"Content-Type: multipart/alternative; boundary=odd",
    b"Content-Type: text/html; charset=utf-16",
    b"Content-Type: application/octet-stream; name*0*=x''%ff; name*1=y",
    b"Content-Transfer-Encoding: base64",
    b"Content-Transfer-Encoding: quoted-printable",
    b'Content-Disposition: attachment; filename="../\\\xff"',
    b"Subject: =?utf-8?b?w7w=?= =?x?q?=zz?=",
    b"X-Bitmessage-TTL: 2d",
    b"<table><tr><td><blockquote><div>",
    b"> " * 30,
    b"\xff\xfe\xf0\x9f",
    b"begin 644 x",
    b"From me",
    b" folded",
]
WORDS = [
    b"text/plain",
    b"text/html",
    b"multipart/mixed",
    b"base64",
    b"7bit",
    b"utf-8",
    b"iso-2022-jp",
    b"flowed",
    b"related",
]


def accident(draw: random.Random, raw: bytes, other: bytes) -> bytes:
    """One thing that goes wrong, with bytes, words or lines."""
    at, end = sorted((draw.randint(0, len(raw)), draw.randint(0, len(raw))))
    end = min(end, at + draw.choice([1, 10, 100, 5_000]))
    lines = raw.split(b"\n")
    line = draw.randrange(len(lines))
    match draw.randrange(13):
        case 0:
            return raw[:at] + bytes([draw.randrange(256)]) + raw[at + 1 :]
        case 1:
            return raw[:at]
        case 2:
            return raw[:at] + raw[end:]
        case 3:
            return raw[:end] + raw[at:end] * draw.randint(1, 5) + raw[end:]
        case 4:
            return raw[:at] + draw.randbytes(draw.randint(1, 20)) + raw[at:]
        case 5:
            return raw[:at] + other[-min(len(other), draw.randint(1, 3_000)) :]
        case 6:
            lines.insert(line, draw.choice(ODD_LINES))
        case 7:
            del lines[line]
        case 8:
            lines[line:line] = other.split(b"\n")[: draw.randint(1, 20)]
        case 9:
            other_line = draw.randrange(len(lines))
            lines[line], lines[other_line] = lines[other_line], lines[line]
        case 10:
            return re.sub(re.escape(draw.choice(WORDS)), draw.choice(WORDS), raw, count=draw.randint(1, 3))
        case 11:
            lines = [lines[line].rstrip() + b" ", *lines[line + 1 :]] if draw.random() < 0.3 else lines[line:]
        case _:
            return (
                b"Subject: wrapped\nContent-Type: multipart/mixed; boundary=W\n\n--W\n"
                + raw
                + b"\n--W\n"
                + other
                + b"\n--W--\n"
            )
    return b"\n".join(lines)


def mutants(share: int) -> Iterator[tuple[str, bytes]]:
    """Name and bytes."""
    for number in range(share, MUTANTS, SHARES):
        draw = random.Random(number)
        case = draw.choice(CASES)
        raw = case.raw
        for _ in range(draw.randint(1, 4)):
            raw = accident(draw, raw, draw.choice(CASES).raw)
        yield f"{case.name}, {number}", raw


def soon(work: Callable[[], T], name: str) -> T:
    """What the work gives, which must not have held anybody up (S10)."""
    times = []
    for _ in range(TRIES):
        begun = time.thread_time()
        try:
            result = work()
        finally:
            times.append(time.thread_time() - begun)
        if times[-1] < STALL_SECONDS:
            return result
    raise AssertionError(f"{name} took {times} s of processor time")


def forms_of(mail: OutgoingMail) -> Iterator[Payload]:
    """Each form that takes this mail."""
    text = Text(mail.subject, mail.body, mail.files, mail.left_out)
    ends = Ends(ALICE, BOB, "bm.internal", bytes(32))
    makers: list[Callable[[], Payload]] = [
        lambda: as_plain(text),
        lambda: as_files(text),
        lambda: as_files(text, with_note=True),
        lambda: as_mime(text, ends),
        lambda: as_inline(text),
        lambda: as_named(text),
    ]
    for make in makers:
        try:
            payload = make()
            _ = payload.data
        except REFUSALS:
            continue
        else:
            yield payload


def arrived(reading: Reading, encoding: int) -> bytes:
    return render(
        IncomingMail(ALICE, BOB, encoding, reading, parts_of(reading), bytes(32), 1795292131), bytes(32), "bm.internal"
    )


def assert_is_sound(raw: bytes, name: str) -> None:
    """A mail that any program reads (property 3)."""
    assert raw.isascii(), name
    assert max(map(len, raw.split(b"\r\n"))) <= 998, name
    assert not set(b"\r\n") & set(raw.replace(b"\r\n", b"")), name
    assert not [part.defects for part in parsed(raw).walk() if part.defects], name


# --- nothing is lost without a word: an account of our own of what a mail shows ---


def letters(text: str) -> str:
    """What of a text must not get lost, whatever its lines, blanks and marks become."""
    return "".join(character for character in text if character.isalnum())


class VisibleText(HTMLParser):
    """The pieces of text that an HTML document shows, as Python's own parser sees it."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._unseen, self._depth = "", 0
        self.feed(CONTROLS.sub("", markup))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        style = dict(attrs).get("style") or ""
        if self._unseen in ("", "head") and (tag in UNSEEN or "display:none" in style):
            self._unseen, self._depth = tag, 1
        elif tag == self._unseen:
            self._depth += 1

    def handle_endtag(self, tag: str) -> None:
        if tag == self._unseen:
            self._depth -= 1
            self._unseen = tag if self._depth else ""

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.pieces.append(letters(data))


def leaves(part: Part, is_among_others: bool = False) -> Iterator[tuple[Part, bool]]:
    """Each leaf, and whether another rendering may stand for it."""
    among_others = is_among_others or content_type(part).value == "multipart/alternative"
    if not children(part):
        yield part, is_among_others
    for child in children(part):
        yield from leaves(child, among_others)


def pieces_of(part: Part) -> list[str]:
    """What a text shows, without blanks and marks; raises UnsupportedMedia."""
    media = content_type(part)
    text = decode_body(decoded_body(part), media.parameters.get("charset", ""))
    return VisibleText(text).pieces if media.value == "text/html" else [letters(text)]


def assert_nothing_is_lost(raw: bytes, mail: OutgoingMail, name: str) -> None:
    """Each text is in the body, or in another rendering that is; all else is a file, or named as left out."""
    told, files = letters(mail.body), 0
    renderings: list[str] = []
    for part, has_other in leaves(parse_mail(raw)):
        media = content_type(part).value
        if not is_body_text(part):
            is_named = given_name(part) or disposition(part).value == "attachment" or media == "text/calendar"
            files += not (has_other and media.startswith(("text/", "multipart/")) and not is_named)
            continue
        try:
            pieces = pieces_of(part)
        except UnsupportedMedia:
            assert has_other, name
            continue
        if has_other:
            renderings += pieces
        else:
            assert [piece for piece in pieces if piece not in told] == [], name
    assert len(mail.files) + len(mail.left_out) >= files, name
    assert told or not any(renderings), name


@pytest.mark.parametrize("share", range(SHARES))
def test_a_mail_after_accidents_travels_or_is_refused(share: int) -> None:
    for name, raw in mutants(share):
        try:
            mail = soon(partial(convert, raw), name)
        except REFUSALS:
            continue
        assert_nothing_is_lost(raw, mail, name)
        for payload in forms_of(mail):
            assert payload.encoding != EXTENDED or decode_message(EXTENDED, payload.data).files == payload.files, name
            said = decode_message(payload.encoding, payload.data)
            assert (said.subject, said.body) == (payload.subject, payload.body), name
            reading = soon(partial(read_message, payload.encoding, payload.data, Manner()), name)
            assert_is_sound(arrived(reading, payload.encoding), name)


# --- and on the way in ---

KINDS = [Kind.MSG, Kind.CHAN, Kind.BROADCAST]


def payloads() -> list[tuple[str, int, bytes]]:
    """Name, encoding and bytes of what the corpus sends and of what comes from the network."""
    found = []
    for case in CASES:
        if not case.refused:
            mail = convert(case.raw)
            text = Text(mail.subject, mail.body, mail.files, mail.left_out)
            payload = as_files(text) if case.encoding == EXTENDED else as_plain(text)
            found.append((case.name, payload.encoding, payload.data))
    for path in sorted(RECEIVED.glob("*.json")):
        message = json.loads(path.read_text("utf-8"))
        found.append((path.stem, message["encoding"], base64.b64decode(message["data"])))
    return found


def damaged(draw: random.Random, encoding: int, data: bytes, other: bytes) -> bytes:
    """After an accident; what is compressed mostly has it inside, where it can do more."""
    if encoding == EXTENDED and draw.random() < 0.8:
        try:
            return zlib.compress(accident(draw, zlib.decompress(data), other), 1)
        except zlib.error:
            pass
    return accident(draw, data, other)


@pytest.fixture(scope="module")
def seeds() -> list[tuple[str, int, bytes]]:
    return payloads()


@pytest.mark.parametrize("share", range(SHARES))
def test_a_payload_after_accidents_becomes_a_mail(share: int, seeds: list[tuple[str, int, bytes]]) -> None:
    for number in range(share, MUTANTS, SHARES):
        draw = random.Random(number)
        name, encoding, data = draw.choice(seeds)
        for _ in range(draw.randint(1, 3)):
            data = damaged(draw, encoding, data, draw.choice(seeds)[2])
        name = f"{name}, {number}"
        odd = Manner(draw.choice(KINDS), marks_quotes=True, shows_html=True, is_by_relay=True)
        for manner in (Manner(), odd):
            reading = soon(partial(read_message, encoding, data, manner), name)
            assert_is_sound(arrived(reading, encoding), name)
        assert_all_is_shown(encoding, data, name)


def assert_all_is_shown(encoding: int, data: bytes, name: str) -> None:
    """Without recognisers each letter that came is in the mail; what cannot be read is there as a file."""
    reading = read_message(encoding, data, Manner(recognise=False))
    if not reading.is_readable:
        assert [file.data for file in reading.files] == [data], name
    elif encoding in (1, 2):
        said = "\n".join(["Subject: Body:", reading.subject, reading.body, *reading.notes])
        came = letters(data.decode("ascii", "ignore"))  # what other bytes mean is decided for each piece
        assert not Counter(came) - Counter(letters(said)), name
