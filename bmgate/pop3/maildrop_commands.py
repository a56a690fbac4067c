"""The commands on the maildrop: STAT, LIST, UIDL, RETR, TOP, DELE, RSET (RFC 1939 sections 5 and 7)."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial

from bmgate.domain.mailbox import MessageHead
from bmgate.errors import GatewayError
from bmgate.mail.lines import DotStuffer
from bmgate.mail.structure import decode_index
from bmgate.pop3.replies import Refusal
from bmgate.pop3.session import Drop, Session, read_number
from bmgate.tcp.channel import HangUp

log = logging.getLogger(__name__)

_ROWS_AT_ONCE = 2000  # lines made before others get a turn


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
    octets, announced = drop.shown.octets[place], partial(_announced, session, b"RETR")
    if octets > session.limits.portion_octets:
        head = await drop.heads.take(place, announced)
        await _send_large(session, f"{octets} octets", head, _Lines(None))
        return
    message = await drop.messages.take(place, announced)
    stored = len(message.header) + len(message.body)
    stuffer = DotStuffer(has_bare_lf=octets != stored)  # each would have counted twice
    _write(session, f"{octets} octets", (message.header, message.body), stuffer)


async def top(session: Session, argument: bytes) -> None:
    """TOP: the header, the empty line, and so many lines of the body; the body is read only when it is wanted."""
    drop = session.drop
    number, count = _two_words(argument)
    place, lines = drop.place(number), read_number(count)
    announced = partial(_announced, session, b"TOP")
    if lines == 0 or drop.shown.octets[place] > session.limits.portion_octets:
        head = await drop.heads.take(place, announced)
        await _send_large(session, "Top of message", head, _Lines(lines))
        return
    message = await drop.messages.take(place, announced)
    _write(session, "Top of message", (message.header, _Lines(lines).of(message.body)), DotStuffer())


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


def _write(session: Session, text: str, pieces: Iterable[bytes], stuffer: DotStuffer) -> None:
    """One mail, or its beginning, as a multi-line response."""
    session.ok(text)
    for piece in pieces:
        session.channel.write(stuffer.encode(piece))
    session.channel.write(stuffer.end())


class _Lines:
    """Lets so many lines of a body through, which comes in portions; all of them without a number."""

    def __init__(self, count: int | None) -> None:
        self._left = count

    @property
    def are_over(self) -> bool:
        """Whether nothing more is let through."""
        return self._left == 0

    def of(self, portion: bytes) -> bytes:
        """What is let through of the next octets."""
        if self._left is None:
            return portion
        found = portion.count(b"\n")
        if found < self._left:
            self._left -= found
            return portion
        rest = portion.split(b"\n", self._left)[-1]
        self._left = 0
        return portion[: len(portion) - len(rest)]


async def _send_large(session: Session, text: str, head: MessageHead, lines: _Lines) -> None:
    """The same of a mail whose body is read while it is sent, at the pace of the client (I7)."""
    channel, stuffer = session.channel, DotStuffer()
    session.ok(text)
    channel.write(stuffer.encode(head.header))
    at, end = 0, decode_index(head.encoded_index).size - len(head.header)
    while at < end and not lines.are_over:
        portion = await _read(session, head.uuid, at, end)
        at += len(portion)
        channel.write(stuffer.encode(lines.of(portion)))
        del portion  # while the client takes its time, only the channel has it
        await channel.drain()
    channel.write(stuffer.end())


async def _read(session: Session, uuid: bytes, start: int, end: int) -> bytes:
    try:
        return await session.services.maildrops.body(session.drop.shown, uuid, start, end)
    except GatewayError as error:
        log.info("a mail cannot be sent to its end: %s", error)
        session.channel.abort()  # what is said now would be taken for a line of the mail
        raise HangUp from error


def _two_words(argument: bytes) -> tuple[bytes, bytes]:
    words = argument.split()
    if len(words) != 2:
        raise Refusal("Two numbers are wanted", is_bad=True)
    return words[0], words[1]
