"""Outgoing messages: one row per recipient, and the table of everything that can happen to it.

The names say what is durable. What the world owes a row after an event is an effect; effects follow the commit and bear
repetition, so a restart carries out `RESUME` for each row and loses nothing. Rules O1 to O9.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from bmgate.bm.addresses import Address
from bmgate.domain.account import AccountId
from bmgate.domain.enclosures import Enclosures
from bmgate.domain.identity import IdentityId
from bmgate.domain.mailbox import ContentId
from bmgate.mail.wishes import Priority as Priority

SubmissionId = NewType("SubmissionId", int)
OutboxId = NewType("OutboxId", int)

MAX_ATTEMPTS = 5
WAITING_NOTICES = (4 * 3_600, 24 * 3_600)
"""So many seconds after a mail was given its sender is told that it still waits to be sent."""


class State(StrEnum):
    """What is known to be on disk."""

    ACCEPTED = "ACCEPTED"
    NEED_PUBKEY = "NEED_PUBKEY"
    REQUESTED = "REQUESTED"
    READY = "READY"
    ACK_POW = "ACK_POW"
    BUILT = "BUILT"
    PUBLISHED = "PUBLISHED"
    ACKED = "ACKED"
    NO_ACK_EXPECTED = "NO_ACK_EXPECTED"
    TOO_DIFFICULT = "TOO_DIFFICULT"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


FINAL = frozenset({State.ACKED, State.NO_ACK_EXPECTED, State.FAILED, State.CANCELLED})
UNBUILT = frozenset({State.ACCEPTED, State.NEED_PUBKEY, State.REQUESTED, State.READY, State.TOO_DIFFICULT})
"""The states of a row before its msg, or the ack inside it, is worked for."""
UNPUBLISHED = UNBUILT | {State.ACK_POW, State.BUILT}


class Kind(StrEnum):
    """What carries a row: a msg to somebody, a post to a chan the account takes part in, or a broadcast.

    A broadcast has the address of its sender as recipient: the key to it follows from that.
    """

    MSG = "msg"
    CHAN = "chan"  # signed by the key that all members share
    CHAN_AS_IDENTITY = "chan_as_identity"  # signed by the identity
    BROADCAST = "broadcast"

    @property
    def is_post(self) -> bool:
        """Whether it goes to a chan, whoever signs it."""
        return self in (Kind.CHAN, Kind.CHAN_AS_IDENTITY)

    @property
    def is_public(self) -> bool:
        """Whether it goes to nobody in particular, who could confirm it."""
        return self is not Kind.MSG


class Event(StrEnum):
    """What can happen to a row."""

    PUBKEY_FOUND = "PUBKEY_FOUND"
    PUBKEY_MISSING = "PUBKEY_MISSING"
    DEMAND_TOO_HIGH = "DEMAND_TOO_HIGH"
    KEY_UNUSABLE = "KEY_UNUSABLE"
    DELIVERED_LOCALLY = "DELIVERED_LOCALLY"
    ACK_CHOSEN = "ACK_CHOSEN"
    BUILT = "BUILT"
    WORK_DONE = "WORK_DONE"
    WORK_DONE_WITHOUT_ACK = "WORK_DONE_WITHOUT_ACK"
    OUTDATED = "OUTDATED"
    ACK_SEEN = "ACK_SEEN"
    TTL_ELAPSED = "TTL_ELAPSED"
    GIVEN_UP = "GIVEN_UP"
    FORCED = "FORCED"
    CANCEL = "CANCEL"
    RETRY = "RETRY"


class Effect(StrEnum):
    """What is owed after the commit; each may be carried out twice."""

    FIND_PUBKEY = "FIND_PUBKEY"
    SOLVE_GETPUBKEY = "SOLVE_GETPUBKEY"
    BUILD = "BUILD"
    SOLVE_ACK = "SOLVE_ACK"
    SOLVE_MSG = "SOLVE_MSG"
    ANNOUNCE = "ANNOUNCE"
    STOP_WORK = "STOP_WORK"


class Reason(StrEnum):
    """Why a row FAILED, or is held; the words of the notices hang on it."""

    NONE = ""
    NO_KEY = "no_key"
    NEVER_CONFIRMED = "never_confirmed"
    BAD_KEY = "bad_key"
    TOO_DIFFICULT = "too_difficult"
    TOO_LARGE = "too_large"
    ATTACHMENTS = "attachments"  # the recipient is not known to read them
    LEFT_CHAN = "left_chan"  # before the post was signed
    NO_NETWORK = "no_network"
    SEND_DELAY = "send_delay"
    NO_PEERS = "no_peers"
    OVER_QUOTA = "over_quota"


HELD = frozenset({Reason.SEND_DELAY, Reason.NO_PEERS, Reason.OVER_QUOTA})
"""Why a row that is not final waits; gone when it moves on."""


_S, _E, _F = State, Event, Effect

TRANSITIONS: dict[tuple[State, Event], tuple[State, tuple[Effect, ...]]] = {
    (_S.ACCEPTED, _E.PUBKEY_FOUND): (_S.READY, (_F.BUILD,)),
    (_S.ACCEPTED, _E.PUBKEY_MISSING): (_S.NEED_PUBKEY, (_F.SOLVE_GETPUBKEY,)),
    (_S.ACCEPTED, _E.DELIVERED_LOCALLY): (_S.ACKED, ()),
    (_S.ACCEPTED, _E.DEMAND_TOO_HIGH): (_S.TOO_DIFFICULT, ()),
    (_S.ACCEPTED, _E.KEY_UNUSABLE): (_S.FAILED, ()),
    (_S.NEED_PUBKEY, _E.WORK_DONE): (_S.REQUESTED, (_F.ANNOUNCE,)),
    (_S.NEED_PUBKEY, _E.OUTDATED): (_S.NEED_PUBKEY, (_F.SOLVE_GETPUBKEY,)),
    (_S.NEED_PUBKEY, _E.PUBKEY_FOUND): (_S.READY, (_F.STOP_WORK, _F.BUILD)),
    (_S.NEED_PUBKEY, _E.DEMAND_TOO_HIGH): (_S.TOO_DIFFICULT, (_F.STOP_WORK,)),
    (_S.NEED_PUBKEY, _E.KEY_UNUSABLE): (_S.FAILED, (_F.STOP_WORK,)),
    (_S.NEED_PUBKEY, _E.GIVEN_UP): (_S.FAILED, (_F.STOP_WORK,)),
    (_S.REQUESTED, _E.PUBKEY_FOUND): (_S.READY, (_F.BUILD,)),
    (_S.REQUESTED, _E.TTL_ELAPSED): (_S.NEED_PUBKEY, (_F.SOLVE_GETPUBKEY,)),
    (_S.REQUESTED, _E.RETRY): (_S.NEED_PUBKEY, (_F.SOLVE_GETPUBKEY,)),
    (_S.REQUESTED, _E.DEMAND_TOO_HIGH): (_S.TOO_DIFFICULT, ()),
    (_S.REQUESTED, _E.KEY_UNUSABLE): (_S.FAILED, ()),
    (_S.REQUESTED, _E.GIVEN_UP): (_S.FAILED, ()),
    # the ack lies inside the msg: its work comes first
    (_S.READY, _E.ACK_CHOSEN): (_S.ACK_POW, (_F.SOLVE_ACK,)),
    (_S.READY, _E.BUILT): (_S.BUILT, (_F.SOLVE_MSG,)),
    (_S.READY, _E.PUBKEY_MISSING): (_S.NEED_PUBKEY, (_F.SOLVE_GETPUBKEY,)),
    (_S.READY, _E.DEMAND_TOO_HIGH): (_S.TOO_DIFFICULT, ()),
    (_S.READY, _E.KEY_UNUSABLE): (_S.FAILED, ()),
    (_S.READY, _E.GIVEN_UP): (_S.FAILED, ()),
    (_S.READY, _E.ACK_SEEN): (_S.ACKED, ()),  # an earlier attempt's, late
    (_S.ACK_POW, _E.BUILT): (_S.BUILT, (_F.SOLVE_MSG,)),
    (_S.ACK_POW, _E.OUTDATED): (_S.READY, (_F.BUILD,)),
    (_S.ACK_POW, _E.PUBKEY_MISSING): (_S.NEED_PUBKEY, (_F.SOLVE_GETPUBKEY,)),
    (_S.ACK_POW, _E.DEMAND_TOO_HIGH): (_S.TOO_DIFFICULT, ()),
    (_S.ACK_POW, _E.KEY_UNUSABLE): (_S.FAILED, ()),
    (_S.ACK_POW, _E.ACK_SEEN): (_S.ACKED, (_F.STOP_WORK,)),
    (_S.BUILT, _E.WORK_DONE): (_S.PUBLISHED, (_F.ANNOUNCE,)),
    (_S.BUILT, _E.WORK_DONE_WITHOUT_ACK): (_S.NO_ACK_EXPECTED, (_F.ANNOUNCE,)),
    (_S.BUILT, _E.OUTDATED): (_S.READY, (_F.BUILD,)),  # O7
    (_S.BUILT, _E.ACK_SEEN): (_S.ACKED, (_F.STOP_WORK,)),
    (_S.PUBLISHED, _E.ACK_SEEN): (_S.ACKED, ()),
    (_S.PUBLISHED, _E.TTL_ELAPSED): (_S.READY, (_F.BUILD,)),
    (_S.PUBLISHED, _E.RETRY): (_S.READY, (_F.BUILD,)),
    (_S.PUBLISHED, _E.GIVEN_UP): (_S.FAILED, ()),
    (_S.TOO_DIFFICULT, _E.FORCED): (_S.READY, (_F.BUILD,)),
    (_S.TOO_DIFFICULT, _E.GIVEN_UP): (_S.FAILED, ()),
    (_S.TOO_DIFFICULT, _E.ACK_SEEN): (_S.ACKED, ()),
    (_S.FAILED, _E.ACK_SEEN): (_S.ACKED, ()),
} | {
    # O6: cancelling wins only before publishing
    (state, _E.CANCEL): (_S.CANCELLED, (_F.STOP_WORK,))
    for state in (_S.ACCEPTED, _S.NEED_PUBKEY, _S.REQUESTED, _S.READY, _S.ACK_POW, _S.BUILT, _S.TOO_DIFFICULT)
}

RESUME: dict[State, tuple[Effect, ...]] = {
    State.ACCEPTED: (Effect.FIND_PUBKEY,),
    State.NEED_PUBKEY: (Effect.SOLVE_GETPUBKEY,),
    State.REQUESTED: (Effect.FIND_PUBKEY,),
    State.READY: (Effect.BUILD,),
    State.ACK_POW: (Effect.SOLVE_ACK,),
    State.BUILT: (Effect.SOLVE_MSG,),
    State.PUBLISHED: (),
    State.ACKED: (),
    State.NO_ACK_EXPECTED: (),
    State.TOO_DIFFICULT: (),
    State.FAILED: (),
    State.CANCELLED: (),
}
"""What a restart does again for a row found in a state. What was published is in the inventory and announces itself."""


class IllegalTransition(AssertionError):
    """An event that cannot happen in this state: a bug of ours, never the doing of bytes from outside."""


def advance(state: State, event: Event) -> tuple[State, tuple[Effect, ...]]:
    """Where an outgoing message goes on `event`, and what the world owes it then; raises IllegalTransition."""
    if (state, event) not in TRANSITIONS:
        raise IllegalTransition(f"{event} in {state}")
    return TRANSITIONS[state, event]


def may(state: State, event: Event) -> bool:
    """Whether `event` has a row in the table for `state`."""
    return (state, event) in TRANSITIONS


class ReturnContent(StrEnum):
    """RET of RFC 3461: how much of the mail a failure notice brings back."""

    FULL = "FULL"
    HEADERS = "HDRS"


@dataclass(frozen=True, slots=True, repr=False)
class Submission:
    """One mail given to us. `subject` and `body` are as they will travel; they go when the last row is final.

    `size` is how many bytes of message the largest of its msgs was expected to carry, files included.
    """

    id: SubmissionId
    account: AccountId
    identity: IdentityId
    queue_id: str
    subject: str
    body: str
    message_id: str
    ret: ReturnContent
    envelope_id: str
    sent_content: ContentId | None
    created_at: int
    size: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class NewSubmission:
    """What storage needs to record a mail; `repeat_tag` finds the same submission given again (O9)."""

    identity: IdentityId
    queue_id: str
    subject: str
    body: str
    message_id: str
    ret: ReturnContent
    envelope_id: str
    sent_content: ContentId | None
    repeat_tag: bytes
    created_at: int
    enclosures: Enclosures = field(default_factory=Enclosures)
    size: int = 0  # 0: that of the text


@dataclass(frozen=True, slots=True)
class NewOutgoing:
    """What storage needs for one recipient of a submission; `n` counts from 1 in RCPT order."""

    n: int
    recipient: Address
    ack_data: bytes
    ttl_seconds: int
    priority: Priority
    notify: tuple[str, ...]
    original_recipient: str
    held_until: int = 0  # Unix seconds; work begins then
    kind: Kind = Kind.MSG


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One row of the outbox: a mail on its way to one recipient.

    `ack_data` is the object from its type field on that will confirm it, the same in every attempt, empty when none is
    asked for. `payload` is the object being worked on, with nonce 0: a getpubkey, the ack, or the msg itself, by state.
    `expires_time`, `next_attempt` and the other times are Unix seconds; 0 means not set. `attempt` counts from 1.
    `shown_uid` is the UID of its message in the Outbox, 0 when there is none; `rendering` counts those messages.
    """

    id: OutboxId
    submission: SubmissionId
    account: AccountId
    identity: IdentityId
    queue_id: str
    n: int
    recipient: Address
    state: State
    reason: Reason
    attempt: int
    getpubkey_attempt: int
    priority: Priority
    ttl_seconds: int
    next_attempt: int
    ack_data: bytes
    payload: bytes
    saved_nonce: int
    expires_time: int
    forced: bool
    no_retry: bool
    notify: tuple[str, ...]
    original_recipient: str
    created_at: int
    updated_at: int
    shown_uid: int = 0
    rendering: int = 0
    kind: Kind = Kind.MSG

    @property
    def name(self) -> str:
        """How people name the row: queue id and number, `7KQ2AB-1`."""
        return f"{self.queue_id}-{self.n}"


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of a row's history."""

    at: int
    state: State
    detail: str
