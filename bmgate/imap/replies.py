"""What the errors of the house look like to an IMAP client (RFC 9051 section 7.1, RFC 5530).

`REPLIES` has a row for each family; a class without one is answered like its parent.
"""

import re
from dataclasses import dataclass

from bmgate import errors
from bmgate.imap.cursor import BadSyntax
from bmgate.imap.mutf7 import BadName
from bmgate.imap.search_keys import CHARSETS, BadCharset

_UNSPEAKABLE = re.compile(r"[^ -~]")
MAX_TEXT = 300


@dataclass(frozen=True, slots=True)
class Reply:
    """Status word and response code; `text` replaces the error's own text where that must not be told."""

    word: bytes
    code: bytes
    text: str = ""


class Refusal(errors.GatewayError):
    """A command that is not carried out, said in IMAP's own words."""

    def __init__(self, word: bytes, code: bytes, text: str) -> None:
        super().__init__(text)
        self.word, self.code = word, code


NO, BAD = b"NO", b"BAD"

REPLIES: dict[type[errors.GatewayError], Reply] = {
    errors.GatewayError: Reply(NO, b"SERVERBUG", "Internal error"),
    errors.ProtocolError: Reply(NO, b"CANNOT"),
    BadSyntax: Reply(BAD, b"CLIENTBUG"),
    BadName: Reply(NO, b"CANNOT"),
    BadCharset: Reply(NO, b"BADCHARSET (" + " ".join(CHARSETS).encode("ascii") + b")"),
    errors.Refused: Reply(NO, b"CANNOT"),
    errors.TooLarge: Reply(NO, b"TOOBIG"),
    errors.Expired: Reply(NO, b"EXPIRED"),
    errors.OverQuota: Reply(NO, b"OVERQUOTA"),
    errors.LimitReached: Reply(NO, b"LIMIT"),
    errors.MailboxHasChildren: Reply(NO, b"HASCHILDREN"),
    errors.LoginFailed: Reply(NO, b"AUTHENTICATIONFAILED", "Wrong user name or password"),
    errors.Missing: Reply(NO, b"NONEXISTENT"),
    errors.MailboxMissing: Reply(NO, b"NONEXISTENT", "No such mailbox"),
    errors.MessageMissing: Reply(NO, b"EXPUNGEISSUED", "No such message"),
    errors.Conflict: Reply(NO, b"ALREADYEXISTS"),
    errors.Ambiguous: Reply(NO, b"CANNOT"),
    errors.Unavailable: Reply(NO, b"UNAVAILABLE"),
    errors.ConfigError: Reply(NO, b"SERVERBUG", "Internal error"),
}


def reply_to(error: errors.GatewayError) -> Reply:
    """How `error` is answered, its text included."""
    if isinstance(error, Refusal):
        return Reply(error.word, error.code, speakable(str(error)))
    row = next(REPLIES[kind] for kind in type(error).__mro__ if kind in REPLIES)
    return Reply(row.word, row.code, row.text or speakable(str(error)) or "Refused")


def speakable(text: str) -> str:
    """`text` as resp-text: printable US-ASCII, of bounded length, not mistaken for a response code."""
    return _UNSPEAKABLE.sub("?", text[:MAX_TEXT]).lstrip("[") or "Refused"


def tagged(tag: bytes, reply: Reply) -> bytes:
    """The line that ends a command."""
    code = b"[" + reply.code + b"] " if reply.code else b""
    return tag + b" " + reply.word + b" " + code + reply.text.encode("ascii") + b"\r\n"
