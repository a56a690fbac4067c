"""The state of an outgoing message in PyBitmessage's words, which tools wait for."""

from bmgate.domain.outbox import HELD, Kind, OutgoingMessage, Reason, State

NOT_FOUND = "notfound"

_STATUSES = {
    State.ACCEPTED: "msgqueued",
    State.NEED_PUBKEY: "doingpubkeypow",
    State.REQUESTED: "awaitingpubkey",
    State.READY: "doingmsgpow",
    State.ACK_POW: "doingmsgpow",
    State.BUILT: "doingmsgpow",
    State.PUBLISHED: "msgsent",
    State.ACKED: "ackreceived",
    State.NO_ACK_EXPECTED: "msgsentnoackexpected",
    State.TOO_DIFFICULT: "toodifficult",
    State.CANCELLED: NOT_FOUND,
}
_BROADCAST = {
    State.ACCEPTED: "broadcastqueued",
    State.READY: "doingbroadcastpow",
    State.BUILT: "doingbroadcastpow",
    State.PUBLISHED: "broadcastsent",
    State.NO_ACK_EXPECTED: "broadcastsent",
}
_GIVEN_UP = {
    Reason.NO_KEY: "awaitingpubkey",
    Reason.NEVER_CONFIRMED: "msgsent",
    Reason.TOO_DIFFICULT: "toodifficult",
}
"""PyBitmessage never gives up: what failed stays as it was last, or is a key that cannot be used."""

_WORKING = (State.READY, State.ACK_POW, State.BUILT)
_KEYWORDS = {"bm-acked": "ackreceived", "bm-noack": "msgsentnoackexpected", "bm-pending": "msgqueued"}


def status_of(row: OutgoingMessage) -> str:
    """Of a row of the outbox."""
    if row.kind is Kind.BROADCAST and row.state in _BROADCAST:
        return _BROADCAST[State.ACCEPTED if row.reason in HELD and row.state in _WORKING else row.state]
    if row.state is State.FAILED:
        return _GIVEN_UP.get(row.reason, "badkey")
    if row.reason in HELD and row.state in _WORKING:
        return "msgqueued"
    if row.forced and row.state in _WORKING:
        return "forcepow"
    return _STATUSES[row.state]


def status_of_keywords(keywords: tuple[str, ...]) -> str:
    """Of a mail in Sent that no row tells of."""
    return next((_KEYWORDS[word] for word in keywords if word in _KEYWORDS), "msgsent")
