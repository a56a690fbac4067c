"""Batches from the loop to a thread that writes them: one is made while the other is written, and no more."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import TypeVar

from bmgate.domain.moving import MovedMail
from bmgate.errors import ShuttingDown

T = TypeVar("T")


async def poured(batches: AsyncIterator[list[MovedMail]], write: Callable[[Iterable[list[MovedMail]]], T]) -> T:
    """What `write` gives, which runs on a thread and gets the batches as they come; both end together."""
    bridge = _Bridge(batches)
    task = asyncio.ensure_future(asyncio.to_thread(lambda: write(bridge.batches())))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        bridge.close()
        await asyncio.gather(task, return_exceptions=True)
        raise


class _Bridge:
    """Batches that are made in the loop, for a thread that waits for each."""

    def __init__(self, source: AsyncIterator[list[MovedMail]]) -> None:
        self._source, self._loop, self._is_closed = source, asyncio.get_running_loop(), False
        self._following: asyncio.Task[list[MovedMail] | None] | None = None

    def batches(self) -> Iterator[list[MovedMail]]:
        """On the thread; raises ShuttingDown once it is closed."""
        while (batch := asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()) is not None:
            yield batch

    def close(self) -> None:
        """In the loop: nothing more comes."""
        self._is_closed = True
        if self._following is not None:
            self._following.cancel()

    async def _next(self) -> list[MovedMail] | None:
        if not self._is_closed:
            self._following = asyncio.ensure_future(self._pull())
            await asyncio.wait({self._following})
        if self._is_closed or self._following is None:
            raise ShuttingDown("the export was given up")
        return self._following.result()

    async def _pull(self) -> list[MovedMail] | None:
        return await anext(self._source, None)
