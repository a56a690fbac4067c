"""What the errors of the house look like to a POP3 client (RFC 1939, response codes of RFC 2449 and 3206).

`REPLIES` has a row for each family; a class without one is answered like its parent. There are few codes: IN-USE for a
maildrop that is open elsewhere, AUTH for wrong credentials, SYS/TEMP for what may go by itself, SYS/PERM for what will
not; most refusals have none.
"""

import re
from dataclasses import dataclass

from bmgate import errors
from bmgate.services.mailboxes.maildrops import MaildropInUse

_UNSPEAKABLE = re.compile(r"[^ -~]")
MAX_TEXT = 300  # with status and code below the 512 octets of RFC 1939 section 3


@dataclass(frozen=True, slots=True)
class Reply:
    """Response code and text; where `text` is empty it is the error's own, for that may be told."""

    code: bytes = b""
    text: str = ""


class Refusal(errors.GatewayError):
    """A command that is not carried out, said in POP3's own words; `is_bad` where the client does not know better."""

    def __init__(self, text: str, code: bytes = b"", *, is_bad: bool = False) -> None:
        super().__init__(text)
        self.code, self.is_bad = code, is_bad


REPLIES: dict[type[errors.GatewayError], Reply] = {
    errors.GatewayError: Reply(b"SYS/PERM", "Internal error"),
    errors.ProtocolError: Reply(),
    errors.Refused: Reply(),
    errors.LimitReached: Reply(b"SYS/TEMP"),
    errors.LoginFailed: Reply(b"AUTH", "Wrong user name or password"),
    errors.Missing: Reply(),
    errors.Conflict: Reply(),
    MaildropInUse: Reply(b"IN-USE"),
    errors.Unavailable: Reply(b"SYS/TEMP"),
    errors.ConfigError: Reply(b"SYS/PERM", "Internal error"),
}


def answer_to(error: errors.GatewayError) -> bytes:
    """The line that `error` is answered with."""
    if isinstance(error, Refusal):
        return refusal(str(error), error.code)
    row = next(REPLIES[kind] for kind in type(error).__mro__ if kind in REPLIES)
    return refusal(row.text or str(error), row.code)


def refusal(text: str, code: bytes = b"") -> bytes:
    """`-ERR` with what is printable US-ASCII of `text`, which is never taken for a response code."""
    said = _UNSPEAKABLE.sub("?", text[:MAX_TEXT]).lstrip("[") or "Refused"
    return b"-ERR " + (b"[" + code + b"] " if code else b"") + said.encode("ascii") + b"\r\n"
