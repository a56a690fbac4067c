"""IDLE: news are pushed until the client says DONE (RFC 2177)."""

import asyncio
from dataclasses import dataclass

from bmgate.imap.extension import INSIDE, Extension, Verb
from bmgate.imap.replies import Reply
from bmgate.imap.session import Session, ok
from bmgate.imap.values import Command
from bmgate.tcp.channel import HangUp


@dataclass(frozen=True, slots=True)
class Idle(Command):
    """IDLE."""


async def _idle(session: Session, _: Idle) -> Reply:
    session.channel.write(b"+ idling\r\n")
    await session.catch_up(force=True)
    try:
        async with asyncio.timeout(session.limits.idle_seconds):
            await _push_until_done(session)
    except TimeoutError as error:
        raise HangUp("Idle for too long") from error
    return ok("Done")


async def _push_until_done(session: Session) -> None:
    """Tell news as they come; lines that are not DONE are complained of and ignored."""
    channel = session.channel
    while True:
        channel.stirred.clear()
        await session.tell_news(expunge=True)
        await channel.drain()
        while (line := channel.take_line()) is not None:
            if line.upper() == b"DONE":
                return
            channel.write(b"* BAD Expected DONE\r\n")
            session.count_bad_command()
        await channel.drain()
        await channel.stirred.wait()


IDLE = Extension("IDLE", verbs=(Verb("IDLE", lambda _: Idle(), _idle, INSIDE, is_barrier=True),))
