"""A message of the network as it will be shown: what was decoded, and what the recognisers found in it.

Everything here is content. Who signed it, and what the reader calls him, is `incoming`'s business.
"""

from dataclasses import dataclass
from enum import StrEnum

from bmgate.bm.encodings import File


class Kind(StrEnum):
    """How a message came, as `X-Bitmessage-Kind` says it."""

    MSG = "msg"
    CHAN = "chan"
    BROADCAST = "broadcast"
    LIST = "list"  # a broadcast that passes on what somebody else wrote (I10)
    RELAY = "relay"  # from the Internet, by way of a relay (I12)
    LOCAL = "local"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Manner:
    """How a message is to be read: by the way it came, and by what its reader chose (4.2).

    `recognise` off shows the text as it was sent; `marks_quotes` writes PyBitmessage's quotes with `>` (I11);
    `shows_html` adds a cleaned rendering of markup (I4); `is_by_relay` says that the sender is the reader's relay.
    """

    kind: Kind = Kind.MSG
    recognise: bool = True
    marks_quotes: bool = False
    shows_html: bool = False
    is_by_relay: bool = False


@dataclass(frozen=True, slots=True)
class Claims:
    """Who wrote it, to whom and when, as the content says; nobody signed for that."""

    sender: str = ""
    recipient: str = ""
    date: str = ""
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A message, read. `raw` is its body in bytes, before any guess at their charset.

    `parents` are inventory vectors; `notes` tell the reader what is missing. `rules` names the recognisers that hit.
    `alias` is the Message-ID that the sender's own program gave, `answers` those it says this one answers, the
    nearest first. `markup` is HTML as it came, `html` the cleaned rendering to be shown beside the text.
    What is not readable has a text of ours, and its bytes as a file.
    """

    kind: Kind
    subject: str
    body: str
    files: tuple[File, ...] = ()
    parents: tuple[bytes, ...] = ()
    notes: tuple[str, ...] = ()
    raw: bytes = b""
    claims: Claims = Claims()
    rules: tuple[str, ...] = ()
    alias: str = ""
    answers: tuple[str, ...] = ()
    markup: str = ""
    html: str = ""
    is_readable: bool = True
