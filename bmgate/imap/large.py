"""Mail too large to be held for a client: its body is read, opened and sent a portion at a time (I7).

A literal that was begun must have its n octets: when they cannot be had any more, the connection ends.
"""

import logging

from bmgate.domain.mailbox import MessageHead, MessageRow
from bmgate.errors import GatewayError, MessageMissing
from bmgate.imap.data_items import StoredMail
from bmgate.imap.fetch import ResponseWriter
from bmgate.imap.pieces import DecodedSpan, LargeMessage, PartLengths, Piece, Span
from bmgate.imap.session import Session
from bmgate.services.mailboxes.lazy_mail import LazyMail
from bmgate.tcp.channel import HangUp

log = logging.getLogger(__name__)


async def send_large(
    session: Session, numbered: tuple[int, MessageRow], head: MessageHead, writer: ResponseWriter
) -> bool:
    """One response, at the pace of the client; whether the message was still there. Raises HangUp."""
    lengths = PartLengths()
    try:
        for item in range(len(writer)):
            if not await _send_item(session, numbered, head, writer, item, lengths):
                return False
    finally:
        lengths.give_up()
    return True


async def _send_item(
    session: Session,
    numbered: tuple[int, MessageRow],
    head: MessageHead,
    writer: ResponseWriter,
    item: int,
    lengths: PartLengths,
) -> bool:
    """Whether the message was there, or the response is begun; an item may hold a whole header, so each goes alone."""

    def look(octets: LazyMail) -> list[Piece]:
        out: list[Piece] = []
        writer.add_item(item, *numbered, LargeMessage(head, octets, lengths), out)
        return out

    try:
        pieces = await session.services.mailboxes.look_into(session.account, head, look)
    except GatewayError as error:
        if item:
            raise _incomplete(session, error) from error
        if isinstance(error, MessageMissing):
            return False
        raise
    await _send(session, head.uuid, pieces)
    return True


async def send_by_item(
    session: Session, numbered: tuple[int, MessageRow], message: StoredMail, writer: ResponseWriter
) -> None:
    """One response to a message whose header is large, in which each item may hold all of it."""
    for item in range(len(writer)):
        out: list[Piece] = []
        writer.add_item(item, *numbered, message, out)
        await _send(session, message.uuid, out)


async def _send(session: Session, uuid: bytes, pieces: list[Piece]) -> None:
    """Pieces whose spans are of the content with that uuid."""
    channel = session.channel
    for piece in pieces:
        if isinstance(piece, bytes):
            channel.write(piece)
        elif isinstance(piece, Span):
            await _send_span(session, uuid, piece)
        else:
            await _send_decoded(session, uuid, piece)
    await channel.drain()


async def _send_span(session: Session, uuid: bytes, span: Span) -> None:
    channel, at = session.channel, span.start
    while at < span.end:
        portion = await _read(session, uuid, at, span.end)
        at += len(portion)
        channel.write(portion if span.keeps_nul or b"\0" not in portion else portion.replace(b"\0", b" "))
        del portion  # while the client takes its time, only the channel has it
        await channel.drain()


async def _send_decoded(session: Session, uuid: bytes, span: DecodedSpan) -> None:
    channel, entry, end = session.channel, span.entry, span.source.end
    at, skip, left = entry.place, span.offset - entry.decoded, span.length
    decoder, is_ended = span.make_decoder(), False
    while left:
        if at < end:
            portion = await _read(session, uuid, at, end)
            at += len(portion)
            portion = decoder.feed(portion)
        elif is_ended:
            raise _incomplete(session, "a part is shorter than it was counted")
        else:
            portion, is_ended = decoder.end(), True
        wanted = portion[skip : skip + left]
        skip, left = max(skip - len(portion), 0), left - len(wanted)
        channel.write(wanted)
        del portion, wanted
        await channel.drain()


async def _read(session: Session, uuid: bytes, start: int, end: int) -> bytes:
    try:
        return await session.services.mailboxes.body(session.account, uuid, start, end)
    except GatewayError as error:
        raise _incomplete(session, error) from error


def _incomplete(session: Session, why: object) -> HangUp:
    """End the connection: what is said now would be taken for octets of the literal."""
    log.info("a response cannot be completed: %s", why)
    session.channel.abort()
    return HangUp("A message went away while it was sent")
