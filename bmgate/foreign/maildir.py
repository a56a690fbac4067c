"""Maildirs: a file a mail, in `cur` and `new`; folders beside them in Maildir++, or nested as folders.

Flags are letters behind `:2,`; keywords are `a` to `z` by the table in `dovecot-keywords`; the time of a file is the
INTERNALDATE of its mail. Nothing follows links. Folder names are modified UTF-7, in which the dot, which parts levels,
is written `&AC4-`. Sources: Bernstein's maildir, Courier's Maildir++, Dovecot.
"""

import base64
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from bmgate.domain.mailbox import Flags
from bmgate.domain.moving import MovedMail, usable_keywords
from bmgate.errors import BadImport
from bmgate.foreign.files import read_file, write_private
from bmgate.foreign.mail_bytes import MAX_MAIL, crlf_of
from bmgate.foreign.names import MAX_BYTES, file_name, mailbox_of
from bmgate.mail.dates import MAX_TIME

KEYWORDS = "dovecot-keywords"
INBOX = "INBOX"
MAX_TABLE = 16_384
MAX_DEPTH = 20
MAX_LETTERS = 26

_LETTERS = {"D": Flags.DRAFT, "F": Flags.FLAGGED, "R": Flags.ANSWERED, "S": Flags.SEEN, "T": Flags.DELETED}
_FORWARDED = "$Forwarded"
_INFO = re.compile(r":2,([A-Za-z]{0,60})$")
_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)-")
_SUBFOLDERS = ("cur", "new", "tmp")


def read_maildir(path: Path, mailbox: str) -> Iterator[MovedMail]:
    """All mails; raises BadImport where there is no Maildir at all."""
    found = list(_folders(path, "", MAX_DEPTH))
    if not found:
        raise BadImport(f"{path} is no Maildir: it has neither cur nor new, nor a folder that has")
    for folder, name in found:
        yield from _read_folder(folder, mailbox or name or INBOX)


def _folders(folder: Path, name: str, depth: int) -> Iterator[tuple[Path, str]]:
    """Each folder with mail, and the mailbox it means."""
    if depth == 0:
        raise BadImport(f"{folder}: folders in folders, more than {MAX_DEPTH} of them")
    if (folder / "cur").is_dir() or (folder / "new").is_dir():
        yield folder, name
    for entry in sorted(folder.iterdir()):
        if entry.name in _SUBFOLDERS or entry.is_symlink() or not entry.is_dir():
            continue
        if entry.name.startswith("."):
            levels = [mailbox_of(_from_mutf7(level)) for level in entry.name[1:].split(".") if level]
        else:
            levels = [mailbox_of(_from_mutf7(entry.name))]
        if levels:
            yield from _folders(entry, "/".join(([name] if name else []) + levels), depth - 1)


def _read_folder(folder: Path, mailbox: str) -> Iterator[MovedMail]:
    table = _keyword_table(folder)
    for part in ("cur", "new"):
        if (folder / part).is_symlink() or not (folder / part).is_dir():
            continue
        for entry in sorted(os.scandir(folder / part), key=lambda each: each.name):
            status = entry.stat(follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode) or entry.name.startswith("."):
                continue
            raw = crlf_of(read_file(Path(entry.path), MAX_MAIL))
            letters = found[1] if part == "cur" and (found := _INFO.search(entry.name)) else ""
            date = min(max(0, int(status.st_mtime)), MAX_TIME)
            yield MovedMail(mailbox, raw, _flags_of(letters), _keywords_of(letters, table), date)


def _keyword_table(folder: Path) -> Mapping[str, str]:
    path = folder / KEYWORDS
    if path.is_symlink() or not path.is_file():
        return {}
    table = {}
    for line in read_file(path, MAX_TABLE).decode("utf-8", "replace").splitlines():
        number, _, word = line.partition(" ")
        if number.isascii() and number.isdecimal() and len(number) < 3 and int(number) < MAX_LETTERS:
            table[chr(ord("a") + int(number))] = word.strip()
    return table


def _flags_of(letters: str) -> Flags:
    flags = Flags.NONE
    for letter in letters:
        flags |= _LETTERS.get(letter, Flags.NONE)
    return flags


def _keywords_of(letters: str, table: Mapping[str, str]) -> tuple[str, ...]:
    forwarded = [_FORWARDED] if "P" in letters else []
    return usable_keywords([*forwarded, *(table[letter] for letter in letters if letter in table)])


# -- writing -----------------------------------------------------------------------------------------------------------


class Maildir:
    """A Maildir++ to fill; INBOX is the folder itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._letters: dict[str, dict[str, str]] = {}
        self._count = 0

    def make(self, mailbox: str) -> None:
        folder = self._path(mailbox)
        for part in ("", *_SUBFOLDERS):
            (folder / part).mkdir(mode=0o700, exist_ok=True)

    def add(self, mails: Iterable[MovedMail]) -> None:
        for mail in mails:
            if mail.mailbox not in self._letters:
                self.make(mail.mailbox)
                self._letters[mail.mailbox] = {}
            date = mail.internaldate or 0
            self._count += 1
            name = f"{date}.N{self._count}R{secrets.token_hex(4)}.bmgate,S={len(mail.raw)}:2,{self._info(mail)}"
            path = self._path(mail.mailbox) / "cur" / name
            write_private(path, mail.raw)
            os.utime(path, (date, date))

    def _info(self, mail: MovedMail) -> str:
        letters = [letter for letter, flag in _LETTERS.items() if mail.flags & flag]
        table = self._letters[mail.mailbox]
        for word in mail.keywords:
            if word == _FORWARDED:
                letters.append("P")
                continue
            if word not in table and len(table) < MAX_LETTERS:
                table[word] = chr(ord("a") + len(table))
                self._write_table(mail.mailbox, table)
            if word in table:
                letters.append(table[word])
        return "".join(sorted(letters))

    def _write_table(self, mailbox: str, table: Mapping[str, str]) -> None:
        path = self._path(mailbox) / KEYWORDS
        path.unlink(missing_ok=True)
        write_private(path, "".join(f"{number} {word}\n" for number, word in enumerate(table)).encode())

    def _path(self, mailbox: str) -> Path:
        if mailbox == INBOX:
            return self._folder
        name = "".join("." + _to_mutf7(level) for level in mailbox.split("/"))
        if len(name) > MAX_BYTES or not name.isascii():
            name = "." + file_name(mailbox).replace(".", "_")
        return self._folder / name


def _to_mutf7(text: str) -> str:
    return re.sub(r"[^ -~]+|[.&/~\\:]+", lambda found: "&-" if found[0] == "&" else _shifted(found[0]), text)


def _shifted(text: str) -> str:
    encoded = base64.b64encode(text.encode("utf-16-be", "replace")).decode().rstrip("=")
    return "&" + encoded.replace("/", ",") + "-"


def _from_mutf7(name: str) -> str:
    """What cannot be decoded stays as it is."""
    try:
        return _SHIFTED.sub(_unshifted, name)
    except ValueError:
        return name


def _unshifted(found: re.Match[str]) -> str:
    if not found[1]:
        return "&"
    data = base64.b64decode(found[1].replace(",", "/") + "=" * (-len(found[1]) % 4), validate=True)
    return data.decode("utf-16-be")
