"""mbox files: mails one after the other, each behind a line that begins with `From ` (RFC 4155).

Written as `mboxrd`: every line of a mail that begins with `From `, or with `>` before it, gets one more `>`, and loses
it when read. Flags and keywords travel in `Status`, `X-Status` and `X-Keywords` at the head of a mail, as mutt and
Dovecot write them; Thunderbird's `X-Mozilla-Status` is read. Line ends are LF in the file and CRLF in the mail.
"""

import io
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from bmgate.domain.mailbox import Flags
from bmgate.domain.moving import MovedMail
from bmgate.errors import BadImport
from bmgate.foreign.files import opened, write_private
from bmgate.foreign.mail_bytes import MAX_MAIL, crlf_of, usable_keywords
from bmgate.foreign.names import file_name, mailbox_of
from bmgate.mail.dates import DAYS, MAX_TIME, MONTHS, moment_of

SUFFIX = ".mbox"
MAX_FILES = 1_000
MAX_DEPTH = 20

_SEPARATOR = re.compile(rb"From .*?\d\d?:\d\d(?::\d\d)?.{0,40}\d{4}|From .*?\d{4}.{0,12}\d\d?:\d\d", re.DOTALL)
_DATE = re.compile(
    rb"([A-Z][a-z]{2}) +(\d{1,2}) +(\d\d?):(\d\d)(?::(\d\d))? +(?:[A-Z]{1,5} +)?(\d{4})(?: +([+-]\d{4}))?"
)
_QUOTED = re.compile(rb">*From ")
_STATUS = re.compile(
    rb"(status|x-status|x-keywords|x-mozilla-status2?|x-mozilla-keys|x-uid|x-imap|x-imapbase):(.*)", re.I | re.S
)
_LETTERS = {"R": Flags.SEEN, "A": Flags.ANSWERED, "F": Flags.FLAGGED, "D": Flags.DELETED, "T": Flags.DRAFT}
_MOZILLA = {0x1: Flags.SEEN, 0x2: Flags.ANSWERED, 0x4: Flags.FLAGGED}
_MOZILLA_EXPUNGED = 0x8


def read_mbox(path: Path, mailbox: str) -> Iterator[MovedMail]:
    """The mails of a file, or of each file in a folder and below it; raises BadImport for what is no mbox."""
    if not path.is_dir():
        yield from _read_file(path, mailbox or mailbox_of(path.name.removesuffix(SUFFIX)))
        return
    files = list(_files(path, MAX_DEPTH))
    if not files:
        raise BadImport(f"{path} holds no mbox file")
    for file in files:
        inside = file.relative_to(path).with_name(file.name.removesuffix(SUFFIX))
        yield from _read_file(file, mailbox or "/".join(map(mailbox_of, inside.parts)))


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


def _read_file(path: Path, mailbox: str) -> Iterator[MovedMail]:
    with opened(path) as file:
        for separator, data in _mails(path, file):
            mail = _mail(separator, data, mailbox)
            if mail is not None:
                yield mail


def _mails(path: Path, file: BinaryIO) -> Iterator[tuple[bytes, bytearray]]:
    """Each with its separator, without the gap before the next."""
    separator, data, is_after_gap = b"", bytearray(), True
    while line := file.readline(MAX_MAIL + 1):
        if is_after_gap and line.startswith(b"From ") and (not separator or _SEPARATOR.match(line[:200])):
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


def _mail(separator: bytes, data: bytearray, mailbox: str) -> MovedMail | None:
    """None for what Thunderbird only marked as gone."""
    flags, keywords, kept, mozilla = Flags.NONE, list[str](), bytearray(), 0
    header = True
    for line in io.BytesIO(data):
        if header and not line.strip():
            header = False
        status = _STATUS.match(line) if header else None
        if status is None:
            kept += line[1:] if line.startswith(b">") and _QUOTED.match(line) else line
            continue
        name, value = status[1].lower(), status[2].decode("ascii", "replace").strip()
        if name in (b"status", b"x-status"):
            flags |= _flags_of(value)
        elif name == b"x-mozilla-status":
            mozilla = int(value, 16) if re.fullmatch("[0-9A-Fa-f]{1,8}", value) else 0
        elif name in (b"x-keywords", b"x-mozilla-keys"):
            keywords += value.split()
    if mozilla & _MOZILLA_EXPUNGED:
        return None
    flags |= _flags_of_mozilla(mozilla)
    return MovedMail(mailbox, crlf_of(bytes(kept)), flags, usable_keywords(keywords), _date_of(separator))


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
                file.write(mbox_entry(mail))

    def _path(self, mailbox: str) -> Path:
        *parents, last = mailbox.split("/")
        return self._folder.joinpath(*map(file_name, parents), file_name(last) + SUFFIX)


def mbox_entry(mail: MovedMail) -> bytes:
    """The lines of one mail."""
    moment = moment_of(mail.internaldate or 0)
    date = f"{DAYS[moment.weekday()]} {MONTHS[moment.month - 1]} {moment.day:2} {moment:%H:%M:%S} {moment.year:04}"
    lines = mail.raw.replace(b"\r\n", b"\n").split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    quoted = [b">" + line if _QUOTED.match(line) else line for line in lines]
    return b"\n".join([f"From MAILER-DAEMON {date}".encode(), *_status_lines(mail), *quoted, b"", b""])


def _status_lines(mail: MovedMail) -> Iterator[bytes]:
    yield b"Status: RO" if mail.flags & Flags.SEEN else b"Status: O"
    rest = "".join(letter for letter, flag in _LETTERS.items() if letter != "R" and mail.flags & flag)
    if rest:
        yield f"X-Status: {rest}".encode()
    if mail.keywords:
        yield f"X-Keywords: {' '.join(mail.keywords)}".encode()
