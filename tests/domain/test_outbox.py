"""The table of the outbox: complete, closed, and true to the invariants that can be read off it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.domain.outbox import FINAL, RESUME, TRANSITIONS, Effect, Event, IllegalTransition, State, advance, may


def test_every_state_has_its_entry_for_a_restart() -> None:
    assert set(RESUME) == set(State)


def test_every_state_can_be_reached_from_accepted() -> None:
    reached, grown = {State.ACCEPTED}, True
    while grown:
        following = {after for (before, _), (after, _) in TRANSITIONS.items() if before in reached}
        grown = not following <= reached
        reached |= following
    assert reached == set(State)


def test_final_states_are_left_only_by_a_late_ack() -> None:
    leaving = {(before, event) for before, event in TRANSITIONS if before in FINAL}
    assert leaving == {(State.FAILED, Event.ACK_SEEN)}


def test_every_unfinished_state_leads_to_a_final_one() -> None:
    for start in set(State) - FINAL:
        reached, grown = {start}, True
        while grown:
            following = {after for (before, _), (after, _) in TRANSITIONS.items() if before in reached}
            grown = not following <= reached
            reached |= following
        assert reached & FINAL, start


def test_cancelling_wins_only_before_publishing_o6() -> None:
    for state in State:
        published_or_final = state in FINAL or state is State.PUBLISHED
        assert may(state, Event.CANCEL) is not published_or_final


def test_nothing_is_announced_before_its_work_is_done_o3() -> None:
    for (_, event), (_, effects) in TRANSITIONS.items():
        if Effect.ANNOUNCE in effects:
            assert event in {Event.WORK_DONE, Event.WORK_DONE_WITHOUT_ACK}


def test_work_on_the_msg_begins_only_once_it_is_committed_o2() -> None:
    for (_, _), (after, effects) in TRANSITIONS.items():
        if Effect.SOLVE_MSG in effects:
            assert after is State.BUILT


def test_an_ack_is_expected_wherever_a_published_msg_may_still_be_answered() -> None:
    for state in (State.READY, State.ACK_POW, State.BUILT, State.PUBLISHED, State.TOO_DIFFICULT, State.FAILED):
        assert advance(state, Event.ACK_SEEN)[0] is State.ACKED


@given(st.lists(st.sampled_from(Event)))
def test_whatever_happens_a_row_is_in_a_known_state_or_the_event_is_refused(events: list[Event]) -> None:
    state = State.ACCEPTED
    for event in events:
        if may(state, event):
            state, effects = advance(state, event)
            assert set(effects) <= set(Effect)
        else:
            with pytest.raises(IllegalTransition):
                advance(state, event)
    assert state in RESUME
