"""SMTP replies: their form on the wire, and which reply an error becomes (RFC 5321 section 4.2, RFC 2034, RFC 3463).

Errors bring the facts and their text; what is not known here, and any bug, is `451 4.3.0` with a fixed text, so that
the client keeps its mail (S12).
"""

import textwrap
from dataclasses import dataclass
from enum import Enum, auto

from bmgate.errors import (
    AccountLocked,
    Ambiguous,
    BadAddress,
    BadCommand,
    BadMail,
    BadObject,
    BadPacket,
    BadTtl,
    ConfigError,
    Expired,
    ForeignDomain,
    GatewayError,
    IdentityDisabled,
    LimitReached,
    LoginFailed,
    Missing,
    NoPeers,
    NotAllowed,
    NotOwner,
    OverQuota,
    ProtocolError,
    RecipientMissing,
    Refused,
    ShuttingDown,
    StorageBusy,
    StorageFull,
    TooDifficult,
    TooLarge,
    Unavailable,
    UnsupportedMedia,
)
from bmgate.mail.addresses import NON_ASCII, UNUSABLE
from bmgate.mail.causes import duration_words
from bmgate.mail.text import clean_line
from bmgate.services.outbound.submission import Receipt
from bmgate.smtp.parameters import UnknownParameter

LINE_WIDTH = 480  # with the codes and CRLF below the 512 octets of RFC 5321 section 4.5.3.1.5
MAX_LINES = 8


@dataclass(frozen=True, slots=True)
class Reply:
    """Three digits, the enhanced status code (empty where none belongs) and a text for people."""

    code: int
    status: str
    text: str

    def encode(self) -> bytes:
        """The lines on the wire, ASCII; the enhanced status code stands in each."""
        text = clean_line(self.text).encode("ascii", "replace").decode("ascii")
        status = f"{self.status} " if self.status else ""
        if len(text) <= LINE_WIDTH:  # nearly always, and wrapping takes as long as all the rest of a command
            return f"{self.code} {status}{text}\r\n".encode("ascii")
        lines = textwrap.wrap(text, LINE_WIDTH, break_on_hyphens=False)[:MAX_LINES]
        last = len(lines) - 1
        return "".join(
            f"{self.code}{' ' if n == last else '-'}{status}{line}\r\n" for n, line in enumerate(lines)
        ).encode("ascii")


class Stage(Enum):
    """Where in the dialogue an error came up; a few mean different things at different places."""

    COMMAND = auto()
    AUTH = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()


TROUBLE = Reply(451, "4.3.0", "trouble here, nothing was taken; try again later")
SHUTTING_DOWN = Reply(421, "4.3.2", "the gateway is shutting down; try again later")
LOG_IN_FIRST = Reply(530, "5.7.0", "log in first")
TLS_FIRST = Reply(538, "5.7.11", "passwords only after STARTTLS")
BAD_SEQUENCE = Reply(503, "5.5.1", "bad sequence of commands")

_BY_CLASS: dict[type[GatewayError], tuple[int, str]] = {  # a class not named here is answered as its nearest ancestor
    ProtocolError: (501, "5.5.4"),
    UnknownParameter: (555, "5.5.4"),
    BadAddress: (553, "5.1.3"),
    BadMail: (554, "5.6.0"),
    BadTtl: (550, "5.6.0"),
    Refused: (554, "5.7.1"),
    TooDifficult: (550, "5.3.3"),
    TooLarge: (552, "5.3.4"),
    Expired: (550, "5.4.7"),
    OverQuota: (452, "4.2.2"),
    LimitReached: (452, "4.5.3"),
    NotAllowed: (550, "5.7.1"),
    NotOwner: (553, "5.7.1"),
    IdentityDisabled: (550, "5.2.1"),
    UnsupportedMedia: (554, "5.6.1"),
    LoginFailed: (535, "5.7.8"),
    Missing: (550, "5.1.1"),
    RecipientMissing: (550, "5.1.1"),
    ForeignDomain: (550, "5.1.2"),
    Ambiguous: (550, "5.1.4"),
    Unavailable: (451, "4.3.0"),
    NoPeers: (451, "4.4.1"),
    StorageFull: (452, "4.3.1"),
    AccountLocked: (451, "4.7.0"),
}
_BY_STAGE: dict[tuple[type[GatewayError], Stage], tuple[int, str]] = {
    (ProtocolError, Stage.AUTH): (501, "5.5.2"),
    (LimitReached, Stage.AUTH): (421, "4.7.0"),
    (Unavailable, Stage.AUTH): (454, "4.7.0"),
}
_INTERNAL = (GatewayError, ConfigError, StorageBusy, BadPacket, BadCommand, BadObject)  # texts for us alone


def reply_for(error: Exception, stage: Stage) -> Reply:
    """The reply that an exception becomes."""
    for cls in type(error).__mro__:
        if cls is ShuttingDown:
            return SHUTTING_DOWN
        if cls in _INTERNAL or not issubclass(cls, GatewayError):
            break
        codes = _BY_STAGE.get((cls, stage)) or _BY_CLASS.get(cls)
        if codes is not None:
            code, status = _address_codes(error) if isinstance(error, BadAddress) else codes
            return Reply(code, status, str(error))
    return TROUBLE


def accepted(receipt: Receipt) -> Reply:
    """The 250 after DATA: queue id, expected work, and what was left out (O7, 3.6); or what came of a command (1.4)."""
    if receipt.answer:
        return Reply(250, "2.0.0", f"{receipt.answer}; the answer is in INBOX")
    text = f"queued as {receipt.queue_id}"
    text += ", as when it was given before" if receipt.repeated else f", about {_work(receipt.seconds)} of work"
    if receipt.left_out:
        text += f"; left out: {', '.join(receipt.left_out)}"
    return Reply(250, "2.0.0", text)


def _work(seconds: float) -> str:
    return duration_words(max(1, round(seconds)))


def _address_codes(error: BadAddress) -> tuple[int, str]:
    if error.status == NON_ASCII:
        return 553, "5.6.7"
    return (550, "5.1.1") if error.status in UNUSABLE else (553, "5.1.3")
