"""Kill -9 at random moments of sending: nothing answered 250 is lost, nothing arrives twice (D3, S13, C1).

`BMGATE_KILLS` says how often: 10 times unless it is set, 200 of a night. Named points are all met in `test_failpoints`.
"""

import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from crashes import Ledger, Writer, assert_clean, assert_kept
from gateways import MailUser, two_users
from hypothesis import settings

KILLS = int(os.environ.get("BMGATE_KILLS") or min(settings().max_examples // 10, 200))
WRITERS = 3
MAILS = 30  # by each writer in one life: work for longer than it lasts
LIFE_SECONDS = (0.2, 3.0)
ROOM_SECONDS = 3.0 * KILLS  # for lives, looks and starts together; lives get shorter on a busy machine


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[MailUser, MailUser]]:
    with two_users(tmp_path, {("smtp", "queue_limit"): "100000"}) as users:
        yield users


def test_nothing_promised_is_lost_and_nothing_arrives_twice_under_kill_9(
    pair: tuple[MailUser, MailUser], tmp_path: Path
) -> None:
    alice, bob = pair
    luck = random.Random(os.urandom(8))
    ledger = Ledger(tmp_path / "ledger")
    writers = [Writer(f"writer{number}", alice, bob, ledger) for number in range(WRITERS)]
    begun = time.monotonic()
    for life in range(KILLS):
        fair = max((ROOM_SECONDS - (time.monotonic() - begun)) / (KILLS - life), LIFE_SECONDS[0])
        threads = [threading.Thread(target=writer.send_until_it_breaks, args=(MAILS,)) for writer in writers]
        for thread in threads:
            thread.start()
        time.sleep(luck.uniform(LIFE_SECONDS[0], min(fair, LIFE_SECONDS[1])))
        victims = [alice, bob] if life % 4 == 3 else [alice]
        for victim in victims:
            victim.gateway.kill()
        for thread in threads:
            thread.join()
        for victim in victims:
            assert_clean(victim)
            victim.gateway.start()
    for writer in writers:
        writer.send_until_it_breaks(1)
    assert len(ledger.promised) > KILLS
    assert_kept(ledger, alice, bob)
