"""Submissions in flight: tasks that outlive the connection they came by.

A client that hangs up behind its final dot leaves a whole mail or none (S14), and a gateway that stops first lets those
finish that have begun. Large mails go one at a time: reading one takes several times its size in memory (S8).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bmgate.smtp.connections import Room
from bmgate.smtp.data import ChunkReader, DataReader, Fault
from bmgate.smtp.replies import TROUBLE, Reply, Stage
from bmgate.smtp.trouble import answer

LARGE = 256 * 1024  # octets; looking through a mail beyond that leaves the loop

FAULTS = {
    Fault.TOO_LARGE: Reply(552, "5.3.4", "the mail is larger than SIZE says"),
    Fault.NO_ROOM: Reply(452, "4.3.1", "too much mail at once; try again in a moment"),
    Fault.BARE_LINE_END: Reply(500, "5.5.2", "the mail has a bare CR or LF; lines end in CRLF"),
    Fault.LINE_TOO_LONG: Reply(500, "5.5.2", "the mail has a line that is too long"),
    Fault.NUL: Reply(554, "5.6.0", "the mail contains NUL"),
}

Replies = tuple[Reply, ...]
"""To a mail: one for all of its recipients, or one for each."""

Take = Callable[[bytes], Awaitable[Replies]]
"""Stores a mail and says how that went, or raises."""


class Submitting:
    """Hands mail to the services, at most `limit` at once; `room` is where readers hold theirs, until it is stored."""

    def __init__(self, limit: int, room: Room) -> None:
        self._limit, self.room = limit, room
        self._tasks: set[asyncio.Task[Replies]] = set()
        self._one_large = asyncio.Semaphore(1)

    async def submit(self, store: Take, reader: DataReader | ChunkReader) -> Replies:
        """What is said to a mail that was read to its end; cancelling the caller does not stop what has begun."""
        if len(self._tasks) >= self._limit:
            self.room.release(reader)
            return (TROUBLE,)
        task = asyncio.create_task(self._submitted(store, reader))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: self.room.release(reader))
        return await asyncio.shield(task)

    async def finish(self, seconds: float) -> None:
        """Wait for what is in flight, at most so long."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def cancel(self) -> None:
        """Stop what is in flight; whether it is stored is not known, and its clients have not been told 250."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _submitted(self, store: Take, reader: DataReader | ChunkReader) -> Replies:
        try:
            async with self._read(reader) as mail:
                if isinstance(mail, Fault):
                    return (FAULTS[mail],)
                return await store(mail)
        except Exception as error:  # noqa: BLE001 - whatever happens, the client is told something true
            return (answer(error, Stage.DATA),)

    @asynccontextmanager
    async def _read(self, reader: DataReader | ChunkReader) -> AsyncIterator[bytes | Fault]:
        """The mail, in its turn if it is large."""
        if reader.held <= LARGE:
            yield reader.mail()
            return
        async with self._one_large:
            yield await asyncio.to_thread(reader.mail)
