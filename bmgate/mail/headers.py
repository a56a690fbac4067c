"""Header fields: raw bytes into clean text, addresses, Message-IDs and parameters.

Values are taken apart here rather than by the newer policies of `email`, which are quadratic on hostile input (F9,
S10): everything below is linear and total, but for the caps of O4, which raise BadMail. A field is given as the bytes
behind its colon, folded as it came. Sources: RFC 5322, RFC 2047, RFC 2231.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import unquote_to_bytes

from bmgate.errors import BadMail
from bmgate.mail.charsets import decode_strictly, decode_text, decode_unlabelled, is_utf7
from bmgate.mail.text import clean_line

MAX_ADDRESSES = 1000
MAX_PARAMETERS = 50
MAX_MESSAGE_IDS = 100
MAX_MESSAGE_ID = 998  # bytes; a longer one does not fit a line

_FOLD = re.compile(rb"(?:\r\n|\r|\n)(?=[ \t])")
_ENCODED_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
_ADDRESS_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|\\.|[()<>,:;@"\\]|[^()<>,:;@"\\]+', re.DOTALL)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_MESSAGE_ID = re.compile(r"<[^<>\s]+>")
_PARAMETER_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|;|[^;"]+', re.DOTALL)
_MEDIA_TYPE = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*/\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?=;|\(|\s|\Z)")
_SECTION = re.compile(r"(.+?)\*(?:(\d{1,4})(\*?))?\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class AddrSpec:
    """One address of a header field: `display` is clean text, `local` is unquoted, `domain` may be empty."""

    display: str
    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}" if self.domain else self.local


@dataclass(frozen=True, slots=True)
class FieldValue:
    """A structured value such as Content-Type: its lower-case token and its parameters by lower-case name."""

    value: str
    parameters: dict[str, str] = field(default_factory=dict)


def raw_fields(message: "Message[Any, Any]", name: str) -> list[bytes]:
    """All fields of this name, in order, as the bytes behind the colon."""
    wanted = name.lower()
    return [
        str(value).encode("ascii", "surrogateescape") for key, value in message.raw_items() if key.lower() == wanted
    ]


def raw_field(message: "Message[Any, Any]", name: str) -> bytes:
    """The first field of this name, empty when there is none."""
    return next(iter(raw_fields(message, name)), b"")


def unfold(raw: bytes) -> bytes:
    """A line break followed by a blank becomes that blank."""
    return _FOLD.sub(b"", raw)


def decode_header(raw: bytes) -> str:
    """The clean text of an unstructured field (O5 b-e): unfolded, encoded words and raw 8-bit decoded, one line."""
    return clean_line(decode_words(decode_unlabelled(unfold(raw))))


def decode_words(text: str) -> str:
    """RFC 2047 encoded words decoded wherever they stand; a word that cannot be decoded stays as written."""
    pieces: list[str] = []
    run: list[re.Match[str]] = []
    end = 0
    for word in _ENCODED_WORD.finditer(text):
        gap = text[end : word.start()]
        if run and gap.strip(" \t\r\n"):
            pieces.append(_decode_run(run))
            run = []
        if not run:
            pieces.append(gap)
        run.append(word)
        end = word.end()
    if run:
        pieces.append(_decode_run(run))
    return "".join([*pieces, text[end:]])


def addresses_in(raw: bytes) -> tuple[AddrSpec, ...]:
    """The addresses of an address list, members of groups included; what is no address is left out."""
    found: list[AddrSpec] = []
    for lexemes in _mailboxes(decode_unlabelled(unfold(raw))):
        if (address := _read_mailbox(lexemes)) is not None:
            found.append(address)
        if len(found) > MAX_ADDRESSES:
            raise BadMail(f"more than {MAX_ADDRESSES} addresses in one field")
    return tuple(found)


def message_ids_in(raw: bytes) -> tuple[str, ...]:
    """The `<...>` Message-IDs of a field; a single bare word counts as one."""
    text = unfold(raw).decode("ascii", "replace").strip()
    if "<" not in text and text and not text.split(maxsplit=1)[1:]:
        text = f"<{text}>"
    found: list[str] = []
    for match in _MESSAGE_ID.finditer(text):
        if len(match[0]) <= MAX_MESSAGE_ID:
            found.append(clean_line(match[0]))
        if len(found) == MAX_MESSAGE_IDS:
            break
    return tuple(found)


def media_type(raw: bytes, default: str = "text/plain") -> FieldValue:
    """A Content-Type; `default` for one that names no type (RFC 2045 section 5.2)."""
    text = decode_unlabelled(unfold(raw))
    match = _MEDIA_TYPE.match(text)
    if match is None:
        return FieldValue(default, parameters_in(text.partition(";")[2]) if ";" in text else {})
    return FieldValue(f"{match[1]}/{match[2]}".lower(), parameters_in(text[match.end() :]))


def token_value(raw: bytes) -> FieldValue:
    """A value such as Content-Disposition: one token, then parameters."""
    head, _, tail = decode_unlabelled(unfold(raw)).partition(";")
    words = head.split("(", 1)[0].split()
    return FieldValue(words[0].lower() if words else "", parameters_in(tail))


def parameters_in(text: str) -> dict[str, str]:
    """Parameters with RFC 2231 continuations joined and RFC 2231 or RFC 2047 decoded; the first of a name wins."""
    plain: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[str, bool]]] = {}
    for count, (name, value) in enumerate(_raw_parameters(text)):
        if count == MAX_PARAMETERS:
            raise BadMail(f"more than {MAX_PARAMETERS} parameters in one field")
        if (section := _SECTION.match(name)) is None:
            plain.setdefault(name, decode_words(value))
        else:
            extended = section[2] is None or bool(section[3])
            sections.setdefault(section[1], {}).setdefault(int(section[2] or 0), (value, extended))
    return plain | {name: _join_sections(parts) for name, parts in sections.items()}


def _raw_parameters(text: str) -> Iterator[tuple[str, str]]:
    """Lower-case name and unquoted value of each `name=value` between semicolons."""
    name, value = "", list[str]()
    for match in _PARAMETER_TOKEN.finditer(f"{text};"):
        lexeme = match[0]
        if lexeme == ";":
            if name:
                yield name, "".join(value)
            name, value = "", []
        elif name:
            value.append(_unquoted(lexeme) if lexeme.startswith('"') else lexeme.strip())
        else:
            before, equals, behind = lexeme.partition("=")
            name = before.strip().lower()[:100] if equals else ""
            value = [behind.strip()]


def _decode_run(run: list[re.Match[str]]) -> str:
    """Adjacent encoded words: bytes of equal charset are joined first, so a character may be split between words."""
    groups: list[tuple[str, list[bytes], list[str]]] = []
    for word in run:
        charset = word[1].partition("*")[0].lower()
        data = _word_bytes(word[2], word[3])
        if data is None or is_utf7(charset):
            groups.append(("", [], [word[0]]))
        elif groups and groups[-1][0] == charset:
            groups[-1][1].append(data)
            groups[-1][2].append(word[0])
        else:
            groups.append((charset, [data], [word[0]]))
    return "".join(_decode_group(charset, datas, sources) for charset, datas, sources in groups)


def _decode_group(charset: str, datas: list[bytes], sources: list[str]) -> str:
    whole = _decoded_or_none(b"".join(datas), charset) if charset else None
    if whole is not None:
        return whole
    texts = [_decoded_or_none(data, charset) for data in datas] if charset else [None]
    if not any(text is not None for text in texts):
        return " ".join(sources)
    return "".join(f" {source} " if text is None else text for text, source in zip(texts, sources, strict=True))


def _decoded_or_none(data: bytes, charset: str) -> str | None:
    try:
        return decode_strictly(data, charset)
    except ValueError:
        return None


def _word_bytes(encoding: str, encoded: str) -> bytes | None:
    if encoding in "qQ":
        return binascii.a2b_qp(encoded.encode("utf-8", "replace"), header=True)
    try:
        return base64.b64decode(encoded.rstrip("= ").encode("ascii", "replace") + b"==")
    except binascii.Error:
        return None


def _mailboxes(text: str) -> Iterator[list[str]]:
    """The lexemes of each mailbox of an address list: comments dropped, split at commas, group names dropped."""
    mailbox: list[str] = []
    depth, in_angle = 0, False
    for match in _ADDRESS_TOKEN.finditer(text):
        lexeme = match[0]
        if lexeme == "(":
            depth += 1
        elif lexeme == ")":
            depth = max(0, depth - 1)
        elif depth:
            continue
        elif lexeme in ",;" and not in_angle:
            yield mailbox
            mailbox = []
        elif lexeme == ":" and not in_angle:
            mailbox = []
        else:
            in_angle = lexeme == "<" or (in_angle and lexeme != ">")
            mailbox.append(lexeme)
    yield mailbox


def _read_mailbox(lexemes: list[str]) -> AddrSpec | None:
    if "<" in lexemes:
        opening = lexemes.index("<")
        display = "".join(_unquoted(lexeme) for lexeme in lexemes[:opening])
        inner = lexemes[opening + 1 :]
        lexemes = inner[: inner.index(">")] if ">" in inner else inner
        if lexemes[:1] == ["@"] and ":" in lexemes:  # a source route, RFC 5321 appendix C
            lexemes = lexemes[lexemes.index(":") + 1 :]
    else:
        display = ""
    positions = [position for position, lexeme in enumerate(lexemes) if lexeme == "@"]
    at = positions[-1] if positions else len(lexemes)
    local = "".join(_unquoted(lexeme) if lexeme.startswith('"') else lexeme.strip() for lexeme in lexemes[:at])
    domain = "".join("".join(lexemes[at + 1 :]).split())
    if not local:
        return None
    return AddrSpec(clean_line(decode_words(display)), local, domain)


def _unquoted(lexeme: str) -> str:
    if not lexeme.startswith('"'):
        return lexeme
    return _QUOTED_PAIR.sub(r"\1", lexeme[1:].removesuffix('"'))


def _join_sections(parts: dict[int, tuple[str, bool]]) -> str:
    """RFC 2231 sections 3 and 4: sections in order, percent-decoded where marked, in the charset of the first."""
    charset = ""
    data = b""
    for number in sorted(parts):
        value, extended = parts[number]
        if extended and number == 0 and value.count("'") >= 2:
            charset, _, value = value.split("'", 2)
        data += unquote_to_bytes(value) if extended else value.encode("utf-8", "replace")
    return decode_text(data, "" if is_utf7(charset) else charset)
