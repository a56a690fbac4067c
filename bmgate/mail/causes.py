"""What can become of an outgoing mail, in the words its sender reads and in the codes his program reads.

Codes are RFC 3463's. Times are Unix seconds, `recipient` is a mail address.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from bmgate.mail.dates import MONTHS, moment_of
from bmgate.units import DAY


class Action(StrEnum):
    """The Action field of RFC 3464 2.3.3."""

    DELAYED = "delayed"
    FAILED = "failed"
    DELIVERED = "delivered"
    RELAYED = "relayed"


class Cause:
    """What happened to one or more recipients of a mail."""

    __slots__ = ()
    action: ClassVar[Action]
    status: ClassVar[str]

    def sentence(self, recipient: str) -> str:
        """The news in words."""
        raise NotImplementedError

    @property
    def diagnostic(self) -> str:
        """The same in PyBitmessage's words, for the Diagnostic-Code field."""
        raise NotImplementedError

    @property
    def retry_until(self) -> int | None:
        """When it will be given up; None when nothing more is tried."""
        return None


class Delay(Cause):
    """Nothing is lost yet: more is tried until `give_up_at`."""

    __slots__ = ()
    action = Action.DELAYED
    give_up_at: int

    @property
    def retry_until(self) -> int | None:
        return self.give_up_at


@dataclass(frozen=True, slots=True)
class KeyMissing(Delay):
    """Nobody has answered the getpubkey yet."""

    status = "4.4.1"
    asked_at: int
    again_at: int
    give_up_at: int
    attempt: int

    def sentence(self, recipient: str) -> str:
        return (
            f"Your message to {recipient} has not been sent yet: the recipient's key is not on the network. "
            f"It was asked for on {time_words(self.asked_at)} "
            f"and will be asked for again on {time_words(self.again_at)}. "
            f"You need not do anything; without a key it will be given up on {date_words(self.give_up_at)}."
        )

    @property
    def diagnostic(self) -> str:
        return f"awaitingpubkey, getpubkey attempt {self.attempt}"


@dataclass(frozen=True, slots=True)
class NoNetwork(Delay):
    """The gateway has no peers."""

    status = "4.4.1"
    give_up_at: int

    def sentence(self, recipient: str) -> str:
        return (
            f"Your message to {recipient} has not been sent yet: there is no connection to the Bitmessage network. "
            f"You need not do anything; without one it will be given up on {date_words(self.give_up_at)}."
        )

    @property
    def diagnostic(self) -> str:
        return "msgqueued, no peers"


@dataclass(frozen=True, slots=True)
class NotConfirmed(Delay):
    """An attempt expired without acknowledgement; `attempt` is the one that begins."""

    status = "4.4.7"
    sent_at: int
    attempt: int
    max_attempts: int
    give_up_at: int

    def sentence(self, recipient: str) -> str:
        return (
            f"Your message to {recipient} was sent on {time_words(self.sent_at)} but nobody confirmed it. "
            "The recipient may be offline. "
            f"It is being sent again (attempt {self.attempt} of at most {self.max_attempts})."
        )

    @property
    def diagnostic(self) -> str:
        return f"msgsent, attempt {self.attempt}"


@dataclass(frozen=True, slots=True)
class DemandTooHigh(Delay):
    """The recipient demands `times` the usual work; `command`, mailed to `gateway`, orders it ("force 7KQ2AB-1").

    `seconds` are what that takes on this machine, 0 for unknown.
    """

    status = "4.3.3"
    times: int
    command: str
    gateway: str
    give_up_at: int
    seconds: int = 0

    def sentence(self, recipient: str) -> str:
        time = f"about {duration_words(self.seconds)} on this machine" if self.seconds else "more than is done unasked"
        return (
            f"{recipient} demands {self.times} times the usual work, {time}. "
            f'To send it anyway mail "{self.command}" to {self.gateway} before {date_words(self.give_up_at)}.'
        )

    @property
    def diagnostic(self) -> str:
        return f"toodifficult, {self.times} times the usual work"


@dataclass(frozen=True, slots=True)
class DemandNotMet(Cause):
    """Nobody ordered the work within `days`."""

    action = Action.FAILED
    status = "5.3.3"
    times: int
    days: int

    def sentence(self, recipient: str) -> str:
        return (
            f"Your message to {recipient} was given up after {self.days} days: "
            f"the recipient demands {self.times} times the usual work, and it was not sent."
        )

    @property
    def diagnostic(self) -> str:
        return f"toodifficult, {self.times} times the usual work"


@dataclass(frozen=True, slots=True)
class GivenUp(Cause):
    """All attempts have expired; `attempts` is 0 when no key was ever found."""

    action = Action.FAILED
    status = "5.4.7"
    days: int
    attempts: int

    def sentence(self, recipient: str) -> str:
        how_often = "once" if self.attempts == 1 else f"{self.attempts} times"
        reason = (
            f"it was sent {how_often} and never confirmed, so it may or may not have been read"
            if self.attempts
            else "no key was ever found"
        )
        return f"Your message to {recipient} was given up after {self.days} days: {reason}."

    @property
    def diagnostic(self) -> str:
        return f"msgsent, {self.attempts} attempts" if self.attempts else "awaitingpubkey, no key"


@dataclass(frozen=True, slots=True)
class NeverConnected(Cause):
    """There was no peer to hand it to, in all the time."""

    action = Action.FAILED
    status = "5.4.7"
    days: int

    def sentence(self, recipient: str) -> str:
        return (
            f"Your message to {recipient} was given up after {self.days} days: this gateway had no connection to the "
            "Bitmessage network, so it was not sent. When it has one again, send the message anew."
        )

    @property
    def diagnostic(self) -> str:
        return "msgqueued, no peers"


@dataclass(frozen=True, slots=True)
class KeyUnusable(Cause):
    """The published key is broken."""

    action = Action.FAILED
    status = "5.7.5"

    def sentence(self, recipient: str) -> str:
        return (
            f"The key published for {recipient} is unusable. Your message was not sent; "
            "ask the recipient, some other way, for another address."
        )

    @property
    def diagnostic(self) -> str:
        return "badkey"


@dataclass(frozen=True, slots=True)
class ChanLeft(Cause):
    """The account left the chan before the post was signed."""

    action = Action.FAILED
    status = "5.7.1"

    def sentence(self, recipient: str) -> str:
        return f"You left the chan {recipient} before your message was ready. It was not sent."

    @property
    def diagnostic(self) -> str:
        return "not a member"


@dataclass(frozen=True, slots=True)
class AttachmentsNotRead(Cause):
    """The recipient's program is not known to read files."""

    action = Action.FAILED
    status = "5.6.1"

    def sentence(self, recipient: str) -> str:
        return (
            f"{recipient} is not known to accept attachments; the message was not sent to this recipient. "
            'Send text only, or choose another way: "bmgate account set NAME attachments extended", inline or omit.'
        )

    @property
    def diagnostic(self) -> str:
        return "attachments not accepted"


@dataclass(frozen=True, slots=True)
class MessageTooLarge(Cause):
    """It turned out not to fit into an object, or to cost more than is allowed."""

    action = Action.FAILED
    status = "5.3.4"

    def sentence(self, recipient: str) -> str:
        return (
            f"Your message to {recipient} is too large for Bitmessage; it was not sent. "
            "Shorten it, or send it in several parts."
        )

    @property
    def diagnostic(self) -> str:
        return "message too large"


@dataclass(frozen=True, slots=True)
class Confirmed(Cause):
    """The acknowledgement came back."""

    action = Action.DELIVERED
    status = "2.1.5"
    confirmed_at: int

    def sentence(self, recipient: str) -> str:
        return (
            f"The program of {recipient} confirmed your message on {time_words(self.confirmed_at)}. "
            "That says it arrived, not that it was read."
        )

    @property
    def diagnostic(self) -> str:
        return "ackreceived"


@dataclass(frozen=True, slots=True)
class Published(Cause):
    """It is on the network and no acknowledgement can come; `to_many` for chans and broadcasts."""

    action = Action.RELAYED
    status = "2.0.0"
    published_at: int
    to_many: bool

    def sentence(self, recipient: str) -> str:
        who = "Chans and broadcasts are" if self.to_many else "This recipient is"
        return (
            f"Your message to {recipient} was published on {time_words(self.published_at)}. "
            f"{who} not set up to confirm; no further news will come."
        )

    @property
    def diagnostic(self) -> str:
        return "msgsentnoackexpected"


def time_words(seconds: int) -> str:
    """`21 Nov 2026 20:15 UTC` of Unix seconds."""
    return f"{date_words(seconds)} {moment_of(seconds):%H:%M} UTC"


def date_words(seconds: int) -> str:
    """`21 Nov 2026` of Unix seconds."""
    moment = moment_of(seconds)
    return f"{moment.day} {MONTHS[moment.month - 1]} {moment.year}"


def duration_words(seconds: int) -> str:
    """`20 s`, `5 min`, `3 h 10 min`, `9 h`, `2 d`: the two largest units below ten hours, then one."""
    minutes, hours = round(seconds / 60), seconds // 3600
    if seconds < 60:
        return f"{seconds} s"
    if minutes < 60:
        return f"{minutes} min"
    if hours < 10 and minutes % 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{round(seconds / 3600)} h" if hours < 48 else f"{round(seconds / DAY)} d"
