"""Threads that parse: mail holds up none that is smaller, nor an account another.

Whatever goes wrong is raised where it is waited for.
"""

import asyncio
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from bmgate.domain.account import AccountId
from bmgate.services.parsing import HUGE, LARGE, Parsing

ALICE, BOB, CAROL = AccountId(1), AccountId(2), AccountId(3)
HUGE_MAIL = bytes(HUGE + 1)


@pytest.fixture
def parsing() -> Iterator[Parsing]:
    parsing = Parsing()
    yield parsing
    parsing.close()


@pytest.mark.parametrize(("first", "second"), [(LARGE, 1), (HUGE + 1, 1), (HUGE + 1, LARGE), (HUGE + 1, HUGE)])
async def test_mail_does_not_wait_behind_larger(parsing: Parsing, first: int, second: int) -> None:
    go = threading.Event()
    larger = asyncio.ensure_future(parsing.run(ALICE, lambda raw: go.wait(5), bytes(first)))
    assert await parsing.run(ALICE, len, bytes(second)) == second
    assert not larger.done()
    go.set()
    assert await larger


async def test_t5_an_account_waits_for_one_huge_mail_of_another(parsing: Parsing) -> None:
    go, done = threading.Event(), list[str]()

    def work(name: str, raw: bytes) -> None:
        go.wait(5)
        done.append(name)

    async with asyncio.TaskGroup() as group:
        for account, name in ((ALICE, "a1"), (ALICE, "a2"), (ALICE, "a3"), (BOB, "b1"), (BOB, "b2"), (CAROL, "c1")):
            group.create_task(parsing.run(account, partial(work, name), HUGE_MAIL))
        for _ in range(5):
            await asyncio.sleep(0)  # all of them have come
        go.set()
    assert done[:3] == ["a1", "b1", "c1"]
    assert [name for name in done if name[0] == "a"] == ["a1", "a2", "a3"]
    assert sorted(done[3:5]) == ["a2", "b2"]


async def test_what_goes_wrong_is_raised_where_it_is_waited_for(parsing: Parsing) -> None:
    def fail(raw: bytes) -> None:
        raise ValueError(raw[:5])

    for raw in (b"small", b"large" + bytes(LARGE), b"giant" + bytes(HUGE)):
        with pytest.raises(ValueError, match=raw[:5].decode()):
            await parsing.run(ALICE, fail, raw)
        assert await parsing.run(ALICE, len, raw) == len(raw)
