"""The arguments of MAIL and RCPT: path and parameters (RFC 5321 section 4.1.2, RFC 1870, 3461, 4954, 6152, 6531).

Addresses, ENVID and ORCPT keep their letters as they came. Everything here raises ProtocolError for bad syntax.
"""

import re
from dataclasses import dataclass

from bmgate.domain.outbox import ReturnContent
from bmgate.errors import ProtocolError

MAX_ENVID = 100  # RFC 3461 section 4.4
MAX_ORCPT = 500
MAX_SIZE_DIGITS = 20  # RFC 1870 section 5

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_WORD = r'[^\s<>"@,:;]+'
_DOMAIN = r'\[[^\[\]\s]+\]|[^\s<>"@\[\],:;]+'
_ADDR_SPEC = re.compile(rf"(?:{_QUOTED}|{_WORD})(?:@(?:{_DOMAIN}))?")
_SOURCE_ROUTE = re.compile(rf"@(?:{_DOMAIN})(?:,@(?:{_DOMAIN}))*:")
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\x00-\x20\x7f]+))?")
_XTEXT = re.compile(rb"\+([0-9A-F]{2})")
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_ORCPT = re.compile(r"([A-Za-z0-9-]+);(.+)")


class UnknownParameter(ProtocolError):
    """A parameter of MAIL or RCPT that was not offered."""


@dataclass(frozen=True, slots=True)
class MailArguments:
    """MAIL FROM; `sender` is empty for the null reverse-path. `size` is what the client expects, in octets."""

    sender: str
    size: int | None = None
    ret: ReturnContent = ReturnContent.FULL
    envelope_id: str = ""


@dataclass(frozen=True, slots=True)
class RcptArguments:
    """RCPT TO; `original_recipient` is `type;address` with the xtext decoded, `notify` empty when not given."""

    recipient: str
    notify: tuple[str, ...] = ()
    original_recipient: str = ""


def read_mail(argument: str) -> MailArguments:
    """What follows `MAIL `."""
    sender, rest = _read_path("FROM:", argument)
    parameters = _read_parameters(rest)
    body = parameters.pop("BODY", "7BIT").upper()
    if body not in ("7BIT", "8BITMIME"):
        raise ProtocolError("BODY is 7BIT or 8BITMIME")
    if parameters.pop("SMTPUTF8", ""):
        raise ProtocolError("SMTPUTF8 has no value")
    if not parameters.pop("AUTH", "<>"):  # RFC 4954 section 5; who is logged in is what counts
        raise ProtocolError("AUTH needs a value")
    arguments = MailArguments(
        sender,
        _size(parameters.pop("SIZE", None)),
        _ret(parameters.pop("RET", "FULL")),
        _envelope_id(parameters.pop("ENVID", None)),
    )
    _refuse_unknown(parameters)
    return arguments


def read_rcpt(argument: str) -> RcptArguments:
    """What follows `RCPT `."""
    recipient, rest = _read_path("TO:", argument)
    if not recipient:
        raise ProtocolError("a recipient is needed")
    parameters = _read_parameters(rest)
    arguments = RcptArguments(
        recipient, _notify(parameters.pop("NOTIFY", None)), _original_recipient(parameters.pop("ORCPT", None))
    )
    _refuse_unknown(parameters)
    return arguments


def decode_xtext(text: str) -> str:
    """RFC 3461 section 4, tolerant of what should have been encoded; octets that are no UTF-8 become U+FFFD."""
    octets = text.encode("utf-8", "surrogateescape")
    decoded = _XTEXT.sub(lambda match: bytes.fromhex(match[1].decode("ascii")), octets).decode("utf-8", "replace")
    if _CONTROL.search(decoded):
        raise ProtocolError("control characters in xtext")
    return decoded


def _read_path(keyword: str, argument: str) -> tuple[str, str]:
    """Addr-spec and what stands behind it; a source route is dropped, angle brackets may be missing."""
    syntax = f"syntax: {keyword}<address>"
    if argument[: len(keyword)].upper() != keyword:
        raise ProtocolError(syntax)
    text = argument[len(keyword) :].lstrip(" ")
    is_bracketed = text.startswith("<")
    if text.startswith("<>"):
        return "", text[2:]
    position = 1 if is_bracketed else 0
    route = _SOURCE_ROUTE.match(text, position)
    found = _ADDR_SPEC.match(text, route.end() if route else position)
    if found is None:
        raise ProtocolError(syntax)
    rest = text[found.end() :]
    if is_bracketed:
        if not rest.startswith(">"):
            raise ProtocolError(syntax)
        rest = rest[1:]
    return found[0], rest


def _read_parameters(text: str) -> dict[str, str]:
    """By upper-case keyword; the value is empty where there is none."""
    if text and not text.startswith(" "):
        raise ProtocolError("parameters stand behind a space")
    parameters: dict[str, str] = {}
    for word in text.split():
        match = _PARAMETER.fullmatch(word)
        if match is None:
            raise ProtocolError("syntax: KEYWORD=value")
        keyword = match[1].upper()
        if keyword in parameters:
            raise ProtocolError(f"{keyword} twice")
        parameters[keyword] = match[2] or ""
    return parameters


def _refuse_unknown(parameters: dict[str, str]) -> None:
    if parameters:
        raise UnknownParameter(f"parameter not known: {next(iter(parameters))[:40]}")


def _size(value: str | None) -> int | None:
    if value is None:
        return None
    if not (value.isascii() and value.isdigit()) or len(value) > MAX_SIZE_DIGITS:
        raise ProtocolError("SIZE is a number of octets")
    return int(value)


def _ret(value: str) -> ReturnContent:
    try:
        return ReturnContent(value.upper())
    except ValueError as error:
        raise ProtocolError("RET is FULL or HDRS") from error


def _envelope_id(value: str | None) -> str:
    if value is None:
        return ""
    if not 0 < len(value) <= MAX_ENVID:
        raise ProtocolError(f"ENVID has 1 to {MAX_ENVID} characters")
    return decode_xtext(value)


def _notify(value: str | None) -> tuple[str, ...]:
    if value is None:
        return ()
    words = tuple(dict.fromkeys(value.upper().split(",")))
    if words != ("NEVER",) and not set(words) <= {"SUCCESS", "FAILURE", "DELAY"}:
        raise ProtocolError("NOTIFY is NEVER or some of SUCCESS,FAILURE,DELAY")
    return words


def _original_recipient(value: str | None) -> str:
    if value is None:
        return ""
    match = _ORCPT.fullmatch(value)
    if match is None or len(value) > MAX_ORCPT:
        raise ProtocolError(f"ORCPT is type;address of at most {MAX_ORCPT} characters")
    return f"{match[1]};{decode_xtext(match[2])}"
