"""The states of outgoing messages in PyBitmessage's words."""

from itertools import product
from types import SimpleNamespace
from typing import cast

import pytest

from bmgate.api.statuses import status_of, status_of_keywords
from bmgate.domain.outbox import Kind, OutgoingMessage, Reason, State

WORDS = {
    "msgqueued", "doingpubkeypow", "awaitingpubkey", "doingmsgpow", "forcepow", "toodifficult", "badkey", "msgsent",
    "msgsentnoackexpected", "ackreceived", "broadcastqueued", "doingbroadcastpow", "broadcastsent", "notfound",
}  # fmt: skip


def row(state: State, kind: Kind = Kind.MSG, reason: Reason = Reason.NONE, forced: bool = False) -> OutgoingMessage:
    """As much of a row as it takes."""
    return cast(OutgoingMessage, SimpleNamespace(state=state, kind=kind, reason=reason, forced=forced))


def test_every_state_has_a_word_that_tools_know() -> None:
    found = {status_of(row(*facts)) for facts in product(State, Kind, Reason, (False, True))}
    assert found == WORDS


@pytest.mark.parametrize(
    ("of", "word"),
    [
        (row(State.ACCEPTED), "msgqueued"),
        (row(State.READY, reason=Reason.NO_PEERS), "msgqueued"),
        (row(State.BUILT), "doingmsgpow"),
        (row(State.BUILT, forced=True), "forcepow"),
        (row(State.BUILT, Kind.BROADCAST), "doingbroadcastpow"),
        (row(State.NO_ACK_EXPECTED, Kind.BROADCAST), "broadcastsent"),
        (row(State.NO_ACK_EXPECTED, Kind.CHAN), "msgsentnoackexpected"),
        (row(State.FAILED, reason=Reason.NEVER_CONFIRMED), "msgsent"),
        (row(State.FAILED, reason=Reason.BAD_KEY), "badkey"),
        (row(State.CANCELLED), "notfound"),
    ],
)
def test_the_word_is_the_right_one(of: OutgoingMessage, word: str) -> None:
    assert status_of(of) == word


def test_mail_without_a_row_tells_by_its_keywords() -> None:
    assert status_of_keywords(("Work", "bm-acked")) == "ackreceived"
    assert status_of_keywords(()) == "msgsent"
