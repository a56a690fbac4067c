"""Submissions in flight: tasks that outlive the connection they came by.

A client that hangs up behind its final dot leaves a whole mail or none (S14), and a gateway that stops first lets those
finish that have begun.
"""

import asyncio

from bmgate.services.submission import Envelope
from bmgate.smtp.ports import Submissions
from bmgate.smtp.replies import TROUBLE, Reply, Stage, accepted
from bmgate.smtp.trouble import answer


class Submitting:
    """Hands mail to the services, at most `limit` at once."""

    def __init__(self, submissions: Submissions, limit: int) -> None:
        self._submissions, self._limit = submissions, limit
        self._tasks: set[asyncio.Task[Reply]] = set()

    async def submit(self, envelope: Envelope, raw: bytes) -> Reply:
        """The reply to DATA; cancelling the caller does not stop what has begun."""
        if len(self._tasks) >= self._limit:
            return TROUBLE
        task = asyncio.create_task(self._submitted(envelope, raw))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
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

    async def _submitted(self, envelope: Envelope, raw: bytes) -> Reply:
        try:
            return accepted(await self._submissions.submit(envelope, raw))
        except Exception as error:  # noqa: BLE001 - whatever happens, the client is told something true
            return answer(error, Stage.DATA)
