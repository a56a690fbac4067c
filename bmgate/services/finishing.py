"""What was begun is finished, and what follows from it is done, also when whoever asked for it has gone (C1).

A unit of work that was begun is committed whatever becomes of its caller. Were he cancelled behind it, keys would be
stored and never loaded, mail stored and never sent, a password changed and the old one still remembered.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def finished(work: Awaitable[T]) -> T:
    """The outcome of `work`, which goes on to its end when the caller is cancelled; he is, once it has ended."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
