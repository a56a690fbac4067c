"""Mail too large to be held for a client: its body is read, opened and sent a portion at a time (I7).

A literal that was begun must have its n octets: when they cannot be had any more, the connection ends.
"""

import logging

from bmgate.errors import GatewayError
from bmgate.imap.pieces import DecodedSpan, Piece, Span
from bmgate.imap.session import Session
from bmgate.tcp.channel import HangUp

log = logging.getLogger(__name__)


async def send(session: Session, uuid: bytes, pieces: list[Piece]) -> None:
    """One response, whose spans are of the content with that uuid, at the pace of the client. Raises HangUp."""
    channel = session.channel
    for piece in pieces:
        if isinstance(piece, bytes):
            channel.write(piece)
            await channel.drain()
        elif isinstance(piece, Span):
            await _send_span(session, uuid, piece)
        else:
            await _send_decoded(session, uuid, piece)


async def _send_span(session: Session, uuid: bytes, span: Span) -> None:
    channel, at = session.channel, span.start
    while at < span.end:
        portion = await _read(session, uuid, at, span.end)
        at += len(portion)
        channel.write(portion if span.keeps_nul or b"\0" not in portion else portion.replace(b"\0", b" "))
        del portion  # while the client takes its time, only the channel has it
        await channel.drain()


async def _send_decoded(session: Session, uuid: bytes, span: DecodedSpan) -> None:
    channel, at, end = session.channel, span.source.start, span.source.end
    decoder, skip, left = span.make_decoder(), span.offset, span.length
    while left:
        if at < end:
            portion = await _read(session, uuid, at, end)
            at += len(portion)
            portion = decoder.feed(portion)
        else:
            portion = decoder.end()
            assert skip + left <= len(portion)
        wanted = portion[skip : skip + left]
        skip, left = max(skip - len(portion), 0), left - len(wanted)
        channel.write(wanted)
        del portion, wanted
        await channel.drain()


async def _read(session: Session, uuid: bytes, start: int, end: int) -> bytes:
    try:
        return await session.services.mailboxes.body(session.account, uuid, start, end)
    except GatewayError as error:
        log.info("a literal cannot be completed: %s", error)
        session.channel.abort()  # what is said now would be taken for octets of the literal
        raise HangUp("A message went away while it was sent") from error
