"""Peers tell the time; ours is compared with theirs, and never set (P15, D6)."""

from bmgate.bm.node.peer_clocks import MAX_SOURCES, PeerClocks

NOW, UNIX_NOW = 1_000.0, 1_700_000_000
HOUR = 3_600


def clocks(*offsets: int) -> PeerClocks:
    found = PeerClocks()
    for number, offset in enumerate(offsets):
        found.heard(f"192.0.2.{number}", UNIX_NOW + offset, NOW)
    return found


def test_two_peers_say_nothing_and_of_more_the_middle_counts() -> None:
    assert clocks(9 * HOUR, 9 * HOUR).offset(NOW, UNIX_NOW) is None
    assert not clocks(9 * HOUR, 9 * HOUR).is_ours_far_off(NOW, UNIX_NOW)
    assert clocks(-5, 30 * HOUR, 7).offset(NOW, UNIX_NOW) == 7


def test_p15_one_source_has_one_word() -> None:
    found = clocks(1, 2, 3)
    for _ in range(10):
        found.heard("192.0.2.2", UNIX_NOW + 90 * HOUR, NOW)
    assert found.offset(NOW, UNIX_NOW) == 2


def test_an_hour_off_is_refused_and_six_hours_are_far_off() -> None:
    for hours, refused, far in ((1, False, False), (2, True, False), (6, True, False), (7, True, True)):
        for sign in (1, -1):
            found = clocks(*[sign * hours * HOUR] * 3)
            assert (found.are_refused(NOW, UNIX_NOW), found.is_ours_far_off(NOW, UNIX_NOW)) == (refused, far)


def test_d6_a_jump_of_our_clock_shows_at_once_and_time_that_passes_does_not() -> None:
    found = clocks(0, 1, -1)
    assert found.offset(NOW + 500, UNIX_NOW + 500) == 0
    assert found.offset(NOW + 500, UNIX_NOW + 500 - 8 * HOUR) == 8 * HOUR
    assert found.is_ours_far_off(NOW + 500, UNIX_NOW + 500 - 8 * HOUR)


def test_the_oldest_words_are_forgotten() -> None:
    found = clocks(*[5] * MAX_SOURCES)
    for number in range(MAX_SOURCES):
        found.heard(f"198.51.100.{number}", UNIX_NOW + 8, NOW)
    assert found.offset(NOW, UNIX_NOW) == 8
