"""Which function carries out which command, in which states, and whether EXPUNGE may be told behind it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bmgate.errors import GatewayError
from bmgate.imap import access_commands as access
from bmgate.imap import mailbox_commands as mailbox
from bmgate.imap import message_commands as message
from bmgate.imap import quota, values
from bmgate.imap import search_commands as searching
from bmgate.imap import sort_commands as ordering
from bmgate.imap.replies import BAD, Reply, reply_to, tagged
from bmgate.imap.session import Session, State

Handler = Callable[[Session, Any], Awaitable[Reply]]

_NEW = frozenset({State.NOT_AUTHENTICATED})
_INSIDE = frozenset({State.AUTHENTICATED, State.SELECTED})
_SELECTED = frozenset({State.SELECTED})
_ANY = _NEW | _INSIDE


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the table."""

    handler: Handler
    states: frozenset[State]
    tells_news: bool = True


COMMANDS: dict[type[values.Command], Entry] = {
    values.Capability: Entry(access.capability, _ANY),
    values.Noop: Entry(access.noop, _ANY),
    values.Id: Entry(access.identify, _ANY),
    values.Logout: Entry(access.logout, _ANY),
    values.Starttls: Entry(access.starttls, _NEW),
    values.Login: Entry(access.login, _NEW),
    values.Authenticate: Entry(access.authenticate, _NEW),
    values.Enable: Entry(access.enable, _INSIDE),
    values.Namespace: Entry(access.namespace, _INSIDE),
    values.Idle: Entry(access.idle, _INSIDE),
    values.Select: Entry(mailbox.select, _INSIDE, tells_news=False),
    values.Create: Entry(mailbox.create, _INSIDE),
    values.Delete: Entry(mailbox.delete, _INSIDE),
    values.Rename: Entry(mailbox.rename, _INSIDE),
    values.Subscribe: Entry(mailbox.subscribe, _INSIDE),
    values.ListCommand: Entry(mailbox.list_, _INSIDE),
    values.Lsub: Entry(mailbox.lsub, _INSIDE),
    values.Status: Entry(mailbox.status, _INSIDE),
    values.Append: Entry(mailbox.append, _INSIDE),
    values.GetQuota: Entry(quota.quota, _INSIDE),
    values.Check: Entry(access.noop, _SELECTED),
    values.Close: Entry(mailbox.close, _SELECTED),
    values.Unselect: Entry(mailbox.unselect, _SELECTED),
    values.Expunge: Entry(message.expunge, _SELECTED),
    values.Search: Entry(searching.search, _SELECTED),
    values.Sort: Entry(ordering.sort, _SELECTED),
    values.Thread: Entry(ordering.thread, _SELECTED),
    values.Fetch: Entry(message.fetch, _SELECTED),
    values.Store: Entry(message.store, _SELECTED),
    values.Copy: Entry(message.copy, _SELECTED),
}

BARRIERS = (values.Login, values.Authenticate, values.Starttls, values.Enable, values.Idle, values.Logout)
"""Commands behind which nothing is read before they are done: they take lines, or change what may be read."""

CHANGING = (
    values.Append,
    values.Store,
    values.Copy,
    values.Expunge,
    values.Close,
    values.Create,
    values.Delete,
    values.Rename,
    values.Subscribe,
)
"""Commands that are not broken off when the client goes away: what they began is finished, and others hear of it."""


async def carry_out(session: Session, command: values.Tagged) -> bool:
    """Run one command and write its answer; whether it ended in OK. Raises HangUp."""
    entry = COMMANDS[type(command.command)]
    try:
        session.tag = command.tag
        if session.state not in entry.states:
            session.refuse_state()
        reply = await entry.handler(session, command.command)
    except GatewayError as error:
        reply = reply_to(error)
    if entry.tells_news:
        await session.tell_news(expunge=may_tell_expunge(command.command))
    session.channel.write(tagged(command.tag, reply))
    if reply.word == BAD:
        session.count_bad_command()
    return reply.word == b"OK"


def may_tell_expunge(command: values.Command) -> bool:
    """Not during FETCH, STORE, SEARCH and what is like it with sequence numbers (RFC 3501 7.4.1)."""
    return (
        not isinstance(command, values.Fetch | values.Store | values.Search | values.Sort | values.Thread)
        or command.uid
    )
