"""The commands on the maildrop: STAT, LIST, UIDL, RETR, TOP, DELE, RSET (RFC 1939 sections 5 and 7)."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial

from bmgate.mail.lines import DotStuffer
from bmgate.pop3.replies import Refusal
from bmgate.pop3.session import Drop, Session, read_number

_ROWS_AT_ONCE = 2000  # lines made before others get a turn
_PORTION = 256 * 1024  # octets of a mail stuffed at once


async def stat(session: Session, _: bytes) -> None:
    """STAT."""
    drop = session.drop
    session.ok(f"{len(drop.shown.uids) - len(drop.deleted)} {drop.octets()}")


async def list_(session: Session, argument: bytes) -> None:
    """LIST, of all messages or of one."""
    await _list(session, argument, lambda drop, place: b"%d %d" % (place + 1, drop.shown.octets[place]))


async def uidl(session: Session, argument: bytes) -> None:
    """UIDL: UIDVALIDITY and UID, which no other message of the account ever gets (U3)."""
    await _list(
        session,
        argument,
        lambda drop, place: b"%d %d.%d" % (place + 1, drop.shown.uidvalidity, drop.shown.uids[place]),
    )


async def retr(session: Session, argument: bytes) -> None:
    """RETR."""
    drop = session.drop
    place = drop.place(argument.strip())
    message = await drop.messages.take(place, partial(_announced, session, b"RETR"))
    octets, stored = drop.shown.octets[place], len(message.header) + len(message.body)
    stuffer = DotStuffer(has_bare_lf=octets != stored)  # each would have counted twice
    await _send(session, f"{octets} octets", (message.header, message.body), stuffer)


async def top(session: Session, argument: bytes) -> None:
    """TOP: the header, the empty line, and so many lines of the body; the body is read only when it is wanted."""
    drop = session.drop
    number, count = _two_words(argument)
    place, lines = drop.place(number), read_number(count)
    announced = partial(_announced, session, b"TOP")
    if lines == 0:
        head = await drop.heads.take(place, announced)
        await _send(session, "Top of message", (head.header,), DotStuffer())
        return
    message = await drop.messages.take(place, announced)
    await _send(session, "Top of message", (message.header, _first_lines(message.body, lines)), DotStuffer())


async def dele(session: Session, argument: bytes) -> None:
    """DELE: takes effect at QUIT, and then only (I18)."""
    drop = session.drop
    drop.deleted.add(drop.place(argument.strip()))
    session.ok("Deleted when you quit")


async def rset(session: Session, _: bytes) -> None:
    """RSET."""
    session.drop.deleted.clear()
    session.ok("Nothing is deleted")


async def _list(session: Session, argument: bytes, line: Callable[[Drop, int], bytes]) -> None:
    drop, channel = session.drop, session.channel
    if argument.strip():
        session.ok(line(drop, drop.place(argument.strip())).decode("ascii"))
        return
    places = drop.places
    session.ok(f"{len(places)} messages")
    for at in range(0, len(places), _ROWS_AT_ONCE):
        channel.write(b"".join([line(drop, place) + b"\r\n" for place in places[at : at + _ROWS_AT_ONCE]]))
        await channel.drain()
        await asyncio.sleep(0)
    channel.write(b".\r\n")


def _announced(session: Session, verb: bytes) -> list[int]:
    """The places that the lines waiting behind this one ask for with the same command."""
    return session.drop.announced(session.channel.peek_lines(session.limits.portion_messages), verb)


async def _send(session: Session, text: str, pieces: Iterable[bytes], stuffer: DotStuffer) -> None:
    """One mail, or its beginning, as a multi-line response at the pace of the client."""
    channel = session.channel
    session.ok(text)
    for piece in pieces:
        for at in range(0, len(piece), _PORTION):
            channel.write(stuffer.encode(piece[at : at + _PORTION]))
            if len(piece) > _PORTION:
                await channel.drain()
    channel.write(stuffer.end())


def _first_lines(body: bytes, count: int) -> bytes:
    """As many lines of the body, or all of it."""
    if count >= body.count(b"\n"):
        return body
    end = 0
    for _ in range(count):
        end = body.index(b"\n", end) + 1
    return body[:end]


def _two_words(argument: bytes) -> tuple[bytes, bytes]:
    words = argument.split()
    if len(words) != 2:
        raise Refusal("Two numbers are wanted", is_bad=True)
    return words[0], words[1]
