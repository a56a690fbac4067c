"""The corpus of mails, `tests/corpus`: each as a program submits it, with what must travel of it and what must arrive.

Run as a program it writes the table of them all, `docs/conversion.md`.
"""

import email
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from bmgate.bm.encodings import EXTENDED, SIMPLE, File
from bmgate.mail.headers import decode_header

CORPUS = Path(__file__).parent / "corpus"
PAGE = Path(__file__).parents[1] / "docs" / "conversion.md"
OWN = b"sender@gateway.test"
LONGEST_TEXT = 200  # bytes of a file that an expectation shows as text

Described = dict[str, str]  # a file as expectations describe it


@dataclass(frozen=True, slots=True)
class Shown:
    """A mail as its reader sees it: `files` by name, type and content."""

    subject: str
    text: str
    files: tuple[Described, ...]
    rules: str  # those that converted it, such as "I8 I9"


@dataclass(frozen=True, slots=True)
class Case:
    """A mail of the corpus and its expectation, by the keys of `tests/corpus/README.md`."""

    name: str
    raw: bytes
    expected: dict[str, Any]

    @property
    def refused(self) -> str:
        """The class of the error; empty for a mail that travels."""
        return str(self.expected.get("refused", ""))

    @property
    def files(self) -> tuple[Described, ...]:
        """What travels with the text to somebody who reads files."""
        return tuple(self.expected.get("files", ()))

    @property
    def encoding(self) -> int:
        """In which it travels to him."""
        return int(self.expected.get("encoding", EXTENDED if self.files else SIMPLE))

    @property
    def refused_to_others(self) -> list[str] | None:
        """What the refusal names where nobody knows whether the recipient reads files; None where it travels."""
        found: list[str] | None = self.expected.get("unknown_reader", {}).get("refused")
        return found

    @property
    def left_out_for_others(self) -> list[str]:
        """What the same recipient does not get, by name."""
        return list(self.expected.get("unknown_reader", {}).get("left_out", self.expected.get("left_out", ())))

    @property
    def shown(self) -> Shown:
        """What the reader of files sees at the other end."""
        arrives = self.expected.get("arrives", {})
        types = arrives.get("types", {})
        files = [*map(received, self.files), *arrives.get("files", ())]
        return Shown(
            arrives.get("subject", self.expected["subject"]),
            arrives.get("text", self.expected["body"]),
            tuple({**each, "type": types.get(each["name"], each["type"])} for each in files),
            arrives.get("converted", ""),
        )

    @property
    def can_be_sent(self) -> bool:
        """Whether SMTP carries these bytes (S1, S9)."""
        return b"\0" not in self.raw and not re.search(rb"\r(?!\n)", self.raw)


def read_corpus() -> list[Case]:
    """All cases by name."""
    return [
        Case(path.stem, path.with_suffix(".eml").read_bytes(), json.loads(path.read_text("utf-8")))
        for path in sorted(CORPUS.glob("*.json"), key=lambda path: path.stem)
    ]


def described(file: File) -> Described:
    """A file that travels; short texts are told, other content by its SHA-256."""
    return {"name": file.name, "type": file.media_type, "disposition": file.disposition, **content(file.data)}


def received(file: Described) -> Described:
    """The same as it arrives: every file is an attachment."""
    return {key: value for key, value in file.items() if key not in ("disposition", "logo")}


def content(data: bytes) -> Described:
    """`text` or `sha256`."""
    if len(data) <= LONGEST_TEXT and re.fullmatch(rb"[\t\r\n -~\x80-\xff]*", data):
        try:
            return {"text": data.decode()}
        except UnicodeDecodeError:
            pass
    return {"sha256": hashlib.sha256(data).hexdigest()}


def as_told(body: str) -> object:
    """A body as expectations give it: that of a very long one is told by size and SHA-256."""
    data = body.encode()
    return body if len(data) < 100_000 else {"bytes": len(data), **content(data)}


def shown(mail: Message) -> Shown:
    """A rendered mail as a mail program shows it."""
    parts = [part for part in mail.walk() if not part.is_multipart()]
    text = body_of(parts[0]).decode(parts[0].get_content_charset("utf-8")).replace("\r\n", "\n")
    files = [{"name": name_of(part), "type": part.get_content_type(), **content(body_of(part))} for part in parts[1:]]
    return Shown(
        decode_header(str(mail["Subject"]).encode()),
        text.rstrip("\n"),
        tuple(files),
        str(mail["X-Bitmessage-Converted"] or ""),
    )


def body_of(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload


def name_of(part: Message) -> str:
    """The file name as mail programs read it: the RFC 2231 form before its ASCII fallback, unlike Python's."""
    field = str(part["Content-Disposition"])
    pieces = re.findall(r"filename\*(?:\d+\*)?=(?:utf-8'')?([^\s;]+)", field)
    return unquote("".join(pieces)) if pieces else str(part.get_filename())


def parsed(raw: bytes) -> Message:
    return email.message_from_bytes(raw)


# --- the table in the user guide ---

HEAD = """\
# What becomes of a mail

Every mail of this table is in `tests/corpus` and goes through the gateway in each run of the tests: it must travel as
is told here, and arrive as is told here. All are written in the manner of the program that is named; what they say is
invented. The last column is what somebody sees whose program reads files, as bmgate does; "the same" means subject
and text exactly as they travelled. The rules are told in [Sending](sending.md) and [Receiving](receiving.md).

`python tests/mail_corpus.py` writes this page anew.
"""
FILES_NAMED = 3


def page(cases: Iterable[Case]) -> str:
    """The page that shows them all, program by program."""
    cases = sorted(cases, key=lambda case: (case.expected["program"].lower(), case.name))
    counts = Counter(case.expected["program"] for case in cases)
    summary = f"{len(cases)} mails: " + ", ".join(f"{program} {count}" for program, count in counts.items()) + "."
    rows = ["| Mail | Program | What is special | What travels | What is shown |", "|---|---|---|---|---|"]
    rows += [_row(case) for case in cases]
    return "\n".join([HEAD, summary, "", *rows, ""])


def _row(case: Case) -> str:
    cells = [case.name, case.expected["program"], case.expected["description"], _travels(case), _arrives(case)]
    return "| " + " | ".join(re.sub(r"([|<>*_`\\\[\]~])", r"\\\1", cell) for cell in cells) + " |"


def _travels(case: Case) -> str:
    if case.refused:
        return f"nothing, refused ({case.refused})"
    words = ["text" if case.expected["body"] or not case.files else "no text"]
    words += [_named(case.files)] if case.files else []
    words += [f"encoding {case.encoding}"]
    if case.refused_to_others is not None:
        words.append("refused where the reader is unknown")
    if left_out := case.expected.get("left_out"):
        words.append(f"left out: {', '.join(left_out)}")
    if case.refused_to_others is None and case.left_out_for_others != list(case.expected.get("left_out", ())):
        words.append(f"left out where the reader is unknown: {', '.join(case.left_out_for_others)}")
    return "; ".join(words)


def _arrives(case: Case) -> str:
    if case.refused:
        return "-"
    shown, words = case.shown, list[str]()
    if shown.rules:
        words.append(f"converted by {shown.rules}")
    if shown.subject != case.expected["subject"] or shown.text != case.expected["body"]:
        words.append("text taken from what is inside" if "I8" in shown.rules else "other text")
    else:
        words.append("the same")
    if shown.files:
        words.append(_named(shown.files))
    return "; ".join(words)


def _named(files: Iterable[Described]) -> str:
    names = [f"{file['name']} ({file['type']})" for file in files]
    more = len(names) - FILES_NAMED
    return ", ".join(names[:FILES_NAMED]) + (f" and {more} more" if more > 0 else "")


if __name__ == "__main__":
    PAGE.write_text(page(read_corpus()), "utf-8")
