"""What all sessions of a listener have in common."""

from dataclasses import dataclass
from enum import StrEnum

from bmgate.smtp.limits import SmtpLimits


class Plaintext(StrEnum):
    """Who may log in without TLS; clients from loopback only where nothing forwards strangers to it (E10)."""

    NOBODY = "nobody"
    LOOPBACK = "loopback"
    ANYBODY = "anybody"


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """`domain` is that of addresses we write, `hostname` our name."""

    domain: str
    hostname: str
    limits: SmtpLimits
    plaintext: Plaintext = Plaintext.NOBODY
