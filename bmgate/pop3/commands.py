"""Which function carries out which command, and in which states."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bmgate.errors import GatewayError
from bmgate.pop3 import access_commands as access
from bmgate.pop3 import maildrop_commands as maildrop
from bmgate.pop3.replies import Refusal, answer_to
from bmgate.pop3.session import Session, State

Handler = Callable[[Session, bytes], Awaitable[None]]

_NEW = frozenset({State.AUTHORIZATION})
_INSIDE = frozenset({State.TRANSACTION})


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the table."""

    handler: Handler
    states: frozenset[State]


COMMANDS: dict[bytes, Entry] = {
    b"CAPA": Entry(access.capa, _NEW | _INSIDE),
    b"QUIT": Entry(access.quit_, _NEW | _INSIDE),
    b"NOOP": Entry(access.noop, _INSIDE),
    b"USER": Entry(access.user, _NEW),
    b"PASS": Entry(access.password, _NEW),
    b"AUTH": Entry(access.auth, _NEW),
    b"STLS": Entry(access.stls, _NEW),
    b"UTF8": Entry(access.utf8, _NEW),
    b"STAT": Entry(maildrop.stat, _INSIDE),
    b"LIST": Entry(maildrop.list_, _INSIDE),
    b"UIDL": Entry(maildrop.uidl, _INSIDE),
    b"RETR": Entry(maildrop.retr, _INSIDE),
    b"TOP": Entry(maildrop.top, _INSIDE),
    b"DELE": Entry(maildrop.dele, _INSIDE),
    b"RSET": Entry(maildrop.rset, _INSIDE),
}
CHANGING = b"QUIT"
"""The command that is not broken off when the client goes away: what it began is finished, and others hear of it."""


def verb_of(line: bytes) -> bytes:
    """The command's name, in upper case."""
    return line.partition(b" ")[0].upper()


async def carry_out(session: Session, line: bytes) -> bool:
    """Run one command and write its answer; whether it went well. Raises HangUp."""
    verb, _, argument = line.partition(b" ")
    entry = COMMANDS.get(verb.upper())
    try:
        if entry is None:
            raise Refusal("Unknown command", is_bad=True)
        if session.state not in entry.states:
            raise Refusal(f"Not in the {session.state.value} state", is_bad=True)
        await entry.handler(session, argument)
    except GatewayError as error:
        session.channel.write(answer_to(error))
        if isinstance(error, Refusal) and error.is_bad:
            session.count_bad_command()
        return False
    return True
