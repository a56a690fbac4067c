"""mbox files: mails one after the other, each behind a line that begins with `From ` (RFC 4155).

Written as `mboxrd`: every line of a mail that begins with `From `, or with `>` before it, gets one more `>`, and loses
it when read. Flags and keywords travel in `Status`, `X-Status` and `X-Keywords` at the head of a mail, as mutt and
Dovecot write them; Thunderbird's `X-Mozilla-Status` is read. Such fields that were in a mail already mean nothing:
they get `X-Bmgate-Own-` before their names, and lose it when read. Line ends are LF in the file and CRLF in the mail; a
mail with a bare CR before one has CRLF in the file too, for it could not be told apart.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from bmgate.domain.mailbox import Flags
from bmgate.domain.moving import MovedMail, usable_keywords
from bmgate.errors import BadImport
from bmgate.foreign.files import opened, write_private
from bmgate.foreign.mail_bytes import MAX_MAIL, crlf_of
from bmgate.foreign.names import file_name, mailbox_of
from bmgate.mail.dates import DAYS, MAX_TIME, MONTHS, moment_of

SUFFIX = ".mbox"
PORTION = 1024 * 1024  # bytes that are written at once
MAX_FILES = 1_000
MAX_DEPTH = 20

_SEPARATOR = re.compile(rb"From .*?\d\d?:\d\d(?::\d\d)?.{0,40}\d{4}|From .*?\d{4}.{0,12}\d\d?:\d\d", re.DOTALL)
_DATE = re.compile(
    rb"([A-Z][a-z]{2}) +(\d{1,2}) +(\d\d?):(\d\d)(?::(\d\d))? +(?:[A-Z]{1,5} +)?(\d{4})(?: +([+-]\d{4}))?"
)
_SEPARATOR_SIZE = 200  # bytes of one that are looked at
_QUOTED = re.compile(rb">+From ")
_QUOTED_LINE = re.compile(rb"^>(?=>*From )", re.MULTILINE)
_TO_QUOTE = re.compile(rb"^(?=>*From )", re.MULTILINE)
_NAMES = rb"(status|x-status|x-keywords|x-mozilla-status2?|x-mozilla-keys|x-uid|x-imap|x-imapbase|x-bmgate-begins):"
_STATUS = re.compile(_NAMES + rb"(.*)", re.I | re.S)
_OWN = b"X-Bmgate-Own-"  # before the name of such a field that is none of ours
_OWN_STATUS = re.compile(rb"X-Bmgate-Own-(?=(?:X-Bmgate-Own-)*" + _NAMES + rb")", re.I)
_TO_OWN = re.compile(rb"^(?=(?:X-Bmgate-Own-)*" + _NAMES + rb")", re.I | re.M)
_BEGINS = b"x-bmgate-begins"  # what follows this field continues none: the mail begins with a blank
_HEADER_END = re.compile(rb"^[ \t\r\x0b\x0c]*\n", re.M)
_LETTERS = {"R": Flags.SEEN, "A": Flags.ANSWERED, "F": Flags.FLAGGED, "D": Flags.DELETED, "T": Flags.DRAFT}
_MOZILLA = {0x1: Flags.SEEN, 0x2: Flags.ANSWERED, 0x4: Flags.FLAGGED}
_MOZILLA_EXPUNGED = 0x8


def read_mbox(path: Path, mailbox: str, left_out: Callable[[], None] = lambda: None) -> Iterator[MovedMail]:
    """The mails of a file, or of each file in a folder and below it; raises BadImport for what is no mbox.

    `left_out` is called for each mail that another program only marked as gone.
    """
    if not path.is_dir():
        yield from _read_file(path, mailbox or mailbox_of(path.name.removesuffix(SUFFIX)), left_out)
        return
    files = list(_files(path, MAX_DEPTH))
    if not files or len(files) > MAX_FILES:
        raise BadImport(f"{path} holds {len(files) or 'no'} mbox files; at most {MAX_FILES} come at once")
    for file in files:
        inside = file.relative_to(path).with_name(file.name.removesuffix(SUFFIX))
        yield from _read_file(file, mailbox or "/".join(map(mailbox_of, inside.parts)), left_out)


def _files(folder: Path, depth: int) -> Iterator[Path]:
    """Links are not followed, and what Thunderbird keeps beside its mail is passed over."""
    if depth == 0:
        raise BadImport(f"{folder}: folders in folders, more than {MAX_DEPTH} of them")
    for entry in sorted(folder.iterdir()):
        if entry.is_symlink() or entry.name.startswith(".") or entry.suffix in (".msf", ".dat", ".html", ".json"):
            continue
        if entry.is_dir():
            yield from _files(entry, depth - 1)
        elif entry.is_file():
            yield entry


def _read_file(path: Path, mailbox: str, left_out: Callable[[], None]) -> Iterator[MovedMail]:
    with opened(path) as file:
        for separator, data in _mails(path, file):
            mail = _mail(separator, data, mailbox)
            if mail is None:
                left_out()
            else:
                yield mail


def _mails(path: Path, file: BinaryIO) -> Iterator[tuple[bytes, bytearray]]:
    """Each with its separator, without the gap before the next."""
    separator, data, is_after_gap = b"", bytearray(), True
    while line := file.readline(MAX_MAIL + 1):
        if is_after_gap and line.startswith(b"From ") and (not separator or _SEPARATOR.match(line[:_SEPARATOR_SIZE])):
            if separator:
                yield separator, _without_gap(data)
            separator, data, is_after_gap = line, bytearray(), False
            continue
        if not separator:
            if line.strip():
                raise BadImport(f"{path} is no mbox file: it does not begin with a line 'From ...'")
            continue
        if len(data) + len(line) > MAX_MAIL:
            raise BadImport(f"{path}: a mail of more than {MAX_MAIL} bytes")
        is_after_gap = line in (b"\n", b"\r\n")
        data += line
    if separator:
        yield separator, _without_gap(data)


def _without_gap(data: bytearray) -> bytearray:
    for gap in (b"\r\n", b"\n"):
        if data.endswith(b"\n" + gap) or (len(data) == len(gap) and data.endswith(gap)):
            del data[-len(gap) :]
            break
    return data


@dataclass(slots=True)
class _Marks:
    """What other programs write of a mail at its head."""

    flags: Flags = Flags.NONE
    keywords: list[str] = field(default_factory=list)
    mozilla: int = 0

    def read(self, name: bytes, field_body: bytes) -> None:
        value = field_body.decode("ascii", "replace").strip()
        if name in (b"status", b"x-status"):
            self.flags |= _flags_of(value)
        elif name == b"x-mozilla-status":
            self.mozilla = int(value, 16) if re.fullmatch("[0-9A-Fa-f]{1,8}", value) else 0
        elif name in (b"x-keywords", b"x-mozilla-keys"):
            self.keywords += value.split()


def _mail(separator: bytes, data: bytearray, mailbox: str) -> MovedMail | None:
    """None for what Thunderbird only marked as gone."""
    marks = _Marks()
    kept, end = _head(data, marks)
    if marks.mozilla & _MOZILLA_EXPUNGED:
        return None
    del data[:end]
    kept += _QUOTED_LINE.sub(b"", data)
    data.clear()
    flags = marks.flags | _flags_of_mozilla(marks.mozilla)
    raw, date = bytes(kept), _date_of(separator[:_SEPARATOR_SIZE])
    kept.clear()
    return MovedMail(mailbox, crlf_of(raw), flags, usable_keywords(marks.keywords), date)


def _head(data: bytearray, marks: _Marks) -> tuple[bytearray, int]:
    """The header as it was before other programs marked it, and where it ends: before the empty line."""
    kept, start, name, value = bytearray(), 0, b"", b""
    while start < len(data):
        end = data.find(b"\n", start) + 1 or len(data)
        line = bytes(data[start:end])
        if not line.strip():
            break
        status = _STATUS.match(line)
        if name and line.startswith((b" ", b"\t")):
            value += line
        else:
            marks.read(name, value)
            name, value = (status[1].lower(), status[2]) if status else (b"", b"")
            kept += b"" if status else _unquoted(line)
        if name == _BEGINS:
            name = b""
        start = end
    marks.read(name, value)
    return kept, start


def _unquoted(line: bytes) -> bytes:
    if _QUOTED.match(line):
        return line[1:]
    return line[len(_OWN) :] if _OWN_STATUS.match(line) else line


def _flags_of(letters: str) -> Flags:
    flags = Flags.NONE
    for letter in letters:
        flags |= _LETTERS.get(letter, Flags.NONE)
    return flags


def _flags_of_mozilla(bits: int) -> Flags:
    flags = Flags.NONE
    for bit, flag in _MOZILLA.items():
        flags |= flag if bits & bit else Flags.NONE
    return flags


def _date_of(separator: bytes) -> int | None:
    found = _DATE.search(separator)
    if found is None or found[1].decode() not in MONTHS:
        return None
    month = MONTHS.index(found[1].decode()) + 1
    try:
        moment = datetime(
            int(found[6]), month, int(found[2]), int(found[3]), int(found[4]), int(found[5] or 0), tzinfo=UTC
        )
    except ValueError:
        return None
    zone = found[7] or b"+0000"
    offset = int(zone[1:3]) * 3600 + int(zone[3:5]) * 60
    seconds = int(moment.timestamp()) - (offset if zone[:1] == b"+" else -offset)
    return seconds if 0 <= seconds <= MAX_TIME else None


# -- writing -----------------------------------------------------------------------------------------------------------


class MboxFolder:
    """A folder with a file for each mailbox, and folders for those above others."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, mailbox: str) -> None:
        path = self._path(mailbox)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            write_private(path, b"")

    def add(self, mails: Iterable[MovedMail]) -> None:
        """Behind what is there already; mails of one mailbox together are quickest."""
        for mail in mails:
            self.make(mail.mailbox)
            with open(self._path(mail.mailbox), "ab") as file:
                file.writelines(mbox_entry(mail))

    def _path(self, mailbox: str) -> Path:
        *parents, last = mailbox.split("/")
        return self._folder.joinpath(*map(file_name, parents), file_name(last) + SUFFIX)


def mbox_entry(mail: MovedMail) -> Iterator[bytes]:
    """The lines of one mail, a portion at a time."""
    moment = moment_of(mail.internaldate or 0)
    date = f"{DAYS[moment.weekday()]} {MONTHS[moment.month - 1]} {moment.day:2} {moment:%H:%M:%S} {moment.year:04}"
    yield b"\n".join([f"From MAILER-DAEMON {date}".encode(), *_status_lines(mail), b""])
    has_bare_cr, in_header = b"\r\r\n" in mail.raw, True
    for portion in _portions(mail.raw):
        lines = portion if has_bare_cr else portion.replace(b"\r\n", b"\n")
        if in_header:
            found = _HEADER_END.search(lines)
            in_header, end = found is None, len(lines) if found is None else found.start()
            lines = _TO_OWN.sub(_OWN, lines[:end]) + lines[end:]
        yield _TO_QUOTE.sub(b">", lines)
    yield b"\n" if not mail.raw or mail.raw.endswith(b"\n") else b"\n\n"


def _portions(raw: bytes) -> Iterator[bytes]:
    """Whole lines, not many more bytes than a megabyte unless one line has them."""
    start = 0
    while start < len(raw):
        end = raw.find(b"\n", start + PORTION) + 1 or len(raw)
        yield raw[start:end]
        start = end


def _status_lines(mail: MovedMail) -> Iterator[bytes]:
    yield b"Status: RO" if mail.flags & Flags.SEEN else b"Status: O"
    rest = "".join(letter for letter, flag in _LETTERS.items() if letter != "R" and mail.flags & flag)
    if rest:
        yield f"X-Status: {rest}".encode()
    if mail.keywords:
        yield f"X-Keywords: {' '.join(mail.keywords)}".encode()
    if mail.raw.startswith((b" ", b"\t")):
        yield b"X-Bmgate-Begins: here"
