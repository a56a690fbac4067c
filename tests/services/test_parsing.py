"""Threads that parse: large mail holds up no small mail, and whatever goes wrong is raised where it is waited for."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from bmgate.services.parsing import LARGE, Parsing


@pytest.fixture
def parsing() -> Iterator[Parsing]:
    parsing = Parsing()
    yield parsing
    parsing.close()


async def test_small_mail_does_not_wait_behind_large(parsing: Parsing) -> None:
    go = threading.Event()
    large = asyncio.ensure_future(parsing.run(lambda raw: go.wait(5), bytes(LARGE)))
    assert await parsing.run(len, b"small") == 5
    assert not large.done()
    go.set()
    assert await large


async def test_what_goes_wrong_is_raised_where_it_is_waited_for(parsing: Parsing) -> None:
    def fail(raw: bytes) -> None:
        raise ValueError(raw)

    with pytest.raises(ValueError, match="small"):
        await parsing.run(fail, b"small")
    assert await parsing.run(len, b"next") == 4
