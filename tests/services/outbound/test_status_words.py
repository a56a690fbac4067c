"""What became of a row, in words: every state has some, and none is that of the code (5.1)."""

from dataclasses import replace

import pytest
from stations import Station

from bmgate.domain.outbox import OutgoingMessage, Reason, State
from bmgate.services.outbound.status_words import STATE_WORDS, status_words

LATER = 1_800_000_000


@pytest.fixture
async def row(station: Station) -> OutgoingMessage:
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    await alice.send(bob)
    return (await alice.rows())[0]


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_words_of_its_own(row: OutgoingMessage, state: State) -> None:
    words = status_words(replace(row, state=state, reason=Reason.NONE), 40, "9 trials, about 9 h", LATER)
    assert words.startswith(STATE_WORDS[state].partition(" too much")[0].partition("; it")[0])
    assert words == words.lower() or state in (State.TOO_DIFFICULT, State.PUBLISHED, State.REQUESTED)
    assert "_" not in words


def test_what_is_held_says_why(row: OutgoingMessage) -> None:
    assert status_words(replace(row, reason=Reason.NO_PEERS), 1, "", LATER).startswith("held; no connection")
    assert status_words(replace(row, reason=Reason.SEND_DELAY), 1, "", LATER).startswith("held; send delay until")


def test_what_is_too_dear_says_how_much_and_what_to_do(row: OutgoingMessage) -> None:
    words = status_words(replace(row, state=State.TOO_DIFFICULT), 40, "9 trials, about 9 h", LATER)
    assert words == f'recipient demands 40 times the usual work (about 9 h); "force {row.name}" accepts'


def test_what_failed_says_why(row: OutgoingMessage) -> None:
    words = status_words(replace(row, state=State.FAILED, reason=Reason.NEVER_CONFIRMED), 1, "", LATER)
    assert words == "failed; never confirmed"
