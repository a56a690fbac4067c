"""Points that fade, a day's refusal, the operator's bans, and that all of it outlives a restart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peers import UNIX_NOW

from bmgate.bm.node.bans import MAX_SOURCES, THRESHOLD, Bans, Offence
from bmgate.domain.peers import Standing
from bmgate.units import DAY

HOUR = 3_600
EVIL = "198.51.100.1"


def restarted(bans: Bans, now: int) -> Bans:
    rows: dict[str, Standing] = {}
    while changes := bans.take_changes():
        for source in changes.gone:
            rows.pop(source, None)
        rows |= {standing.source: standing for standing in changes.changed}
    again = Bans()
    again.load(rows.values(), now)
    return again


def test_p16_ten_objects_without_work_in_an_hour_are_too_many_whatever_the_connection() -> None:
    bans = Bans()
    assert not any(bans.charge(EVIL, Offence.BAD_WORK, UNIX_NOW + 360 * number) for number in range(9))
    assert bans.charge(EVIL, Offence.BAD_WORK, UNIX_NOW + HOUR)
    assert bans.is_refused(EVIL, UNIX_NOW + HOUR + DAY - 1)
    assert not bans.is_refused(EVIL, UNIX_NOW + HOUR + DAY)


def test_p16_a_few_in_a_day_are_forgiven() -> None:
    bans = Bans()
    assert not any(bans.charge(EVIL, Offence.BAD_WORK, UNIX_NOW + 4_000 * number) for number in range(100))


def test_p16_a_score_outlives_a_restart() -> None:
    bans = Bans()
    for _ in range(9):
        bans.charge(EVIL, Offence.BAD_WORK, UNIX_NOW)
    assert restarted(bans, UNIX_NOW).charge(EVIL, Offence.BAD_WORK, UNIX_NOW)


def test_p16_a_refusal_outlives_a_restart() -> None:
    bans = Bans()
    bans.discourage(EVIL, "bad work", UNIX_NOW)
    assert restarted(bans, UNIX_NOW + 5).is_refused(EVIL, UNIX_NOW + 5)
    assert not restarted(bans, UNIX_NOW + DAY).is_refused(EVIL, UNIX_NOW + DAY)


@pytest.mark.parametrize(
    ("rule", "offence", "times"),
    [
        ("P10", Offence.UNHELPFUL, 3),
        ("P1-P8", Offence.VIOLATION, 5),
        ("P13", Offence.FLOOD, 20),
        ("P17-P18", Offence.BAD_OBJECT, 100),
    ],
)
def test_p7_p10_p13_p17_p18_what_a_source_may_do_in_an_hour(rule: str, offence: Offence, times: int) -> None:
    bans = Bans()
    assert not any(bans.charge(EVIL, offence, UNIX_NOW) for _ in range(times - 1)), rule
    assert bans.charge(EVIL, offence, UNIX_NOW), rule


def test_an_ipv6_source_is_its_slash_64() -> None:
    bans = Bans()
    bans.discourage("2001:db8::1", "bad work", UNIX_NOW)
    assert bans.is_refused("2001:db8::ffff", UNIX_NOW)
    assert not bans.is_refused("2001:db8:0:1::1", UNIX_NOW)


def test_the_operator_bans_for_ever_or_a_while_and_lifts_it() -> None:
    bans = Bans()
    bans.ban(EVIL, UNIX_NOW)
    bans.ban("198.51.100.2", UNIX_NOW, 60)
    far = UNIX_NOW + 10**9
    assert bans.is_banned(EVIL, far)
    assert restarted(bans, far).is_refused(EVIL, far)
    assert bans.is_banned("198.51.100.2", UNIX_NOW + 59)
    assert not bans.is_refused("198.51.100.2", UNIX_NOW + 60)
    assert bans.unban(EVIL)
    assert not bans.unban(EVIL)
    assert not restarted(bans, UNIX_NOW).is_refused(EVIL, UNIX_NOW)


def test_misbehaviour_does_not_shorten_what_the_operator_said() -> None:
    bans = Bans()
    bans.ban(EVIL, UNIX_NOW)
    bans.discourage(EVIL, "bad work", UNIX_NOW)
    assert bans.is_banned(EVIL, UNIX_NOW + 10 * DAY)


def test_the_operators_are_told_first() -> None:
    bans = Bans()
    bans.discourage("1.1.1.1", "bad work", UNIX_NOW)
    bans.ban("9.9.9.9", UNIX_NOW)
    bans.charge("2.2.2.2", Offence.FLOOD, UNIX_NOW)
    assert [each.source for each in bans.refused(UNIX_NOW)] == ["9.9.9.9", "1.1.1.1"]


def test_a_clock_that_went_back_refuses_nobody_for_longer_than_a_day() -> None:
    bans = Bans()
    bans.discourage(EVIL, "bad work", UNIX_NOW + 30 * DAY)
    assert not bans.is_refused(EVIL, UNIX_NOW)


def test_there_are_at_most_ten_thousand_and_the_operators_stay() -> None:
    bans = Bans()
    bans.ban(EVIL, UNIX_NOW)
    for number in range(MAX_SOURCES + 500):
        bans.charge(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", Offence.BAD_OBJECT, UNIX_NOW)
    assert len(bans._standings) == MAX_SOURCES
    assert bans.is_banned(EVIL, UNIX_NOW)


def test_what_has_faded_is_forgotten() -> None:
    bans = Bans()
    bans.charge(EVIL, Offence.FLOOD, UNIX_NOW)
    bans.forget_clean(UNIX_NOW + 5 * 360 - 1)
    assert bans.take_changes().changed
    bans.forget_clean(UNIX_NOW + 5 * 360)
    assert bans.take_changes().gone == (EVIL,)


@given(st.lists(st.tuples(st.sampled_from(list(Offence)), st.integers(0, 2 * HOUR)), max_size=60))
def test_who_is_charged_is_refused_at_the_threshold_and_not_before(charges: list[tuple[Offence, int]]) -> None:
    bans, now, most = Bans(), UNIX_NOW, 0
    for offence, pause in charges:
        now += pause
        most += offence
        if bans.charge(EVIL, offence, now):
            assert most >= THRESHOLD
            assert bans.is_refused(EVIL, now)
            return
        assert not bans.is_refused(EVIL, now)
