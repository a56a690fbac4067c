"""The commands of the base protocol: how each is read, what carries it out, and when (RFC 3501, RFC 9051).

ENABLE, MOVE and UID EXPUNGE, once extensions, are part of it since IMAP4rev2.
"""

from bmgate.errors import GatewayError
from bmgate.imap import access_commands as access
from bmgate.imap import grammar, values
from bmgate.imap import mailbox_commands as mailbox
from bmgate.imap import message_commands as message
from bmgate.imap.append_grammar import read_append
from bmgate.imap.extension import ANY, INSIDE, NEW, SELECTED, Extension, Tagged, Verb
from bmgate.imap.mailbox_grammar import read_list, read_lsub, read_mailbox, read_status
from bmgate.imap.replies import BAD, reply_to, tagged
from bmgate.imap.search_commands import search
from bmgate.imap.session import Session
from bmgate.imap.status_items import STATUS_ITEMS

_FIRST = (
    Verb("CAPABILITY", lambda _: values.Capability(), access.capability, ANY),
    Verb("NOOP", lambda _: values.Noop(), access.noop, ANY),
    Verb("LOGOUT", lambda _: values.Logout(), access.logout, ANY, is_barrier=True),
    Verb("STARTTLS", lambda _: values.Starttls(), access.starttls, NEW, is_barrier=True),
    Verb("LOGIN", grammar.read_login, access.login, NEW, is_barrier=True),
    Verb("AUTHENTICATE", grammar.read_authenticate, access.authenticate, NEW, is_barrier=True),
    Verb("ENABLE", grammar.read_enable, access.enable, INSIDE, is_barrier=True),
)
_ON_MAILBOXES = (
    Verb("SELECT", grammar.read_select(read_only=False), mailbox.select, INSIDE, tells_news=False),
    Verb("EXAMINE", grammar.read_select(read_only=True), mailbox.select, INSIDE, tells_news=False),
    Verb("CREATE", grammar.read_create, mailbox.create, INSIDE, is_changing=True),
    Verb("DELETE", lambda cursor: values.Delete(read_mailbox(cursor)), mailbox.delete, INSIDE, is_changing=True),
    Verb("RENAME", grammar.read_rename, mailbox.rename, INSIDE, is_changing=True),
    Verb("SUBSCRIBE", grammar.read_subscribe(subscribed=True), mailbox.subscribe, INSIDE, is_changing=True),
    Verb("UNSUBSCRIBE", grammar.read_subscribe(subscribed=False), mailbox.subscribe, INSIDE, is_changing=True),
    Verb("LIST", read_list, mailbox.list_, INSIDE),
    Verb("LSUB", read_lsub, mailbox.lsub, INSIDE),
    Verb("STATUS", read_status, mailbox.status, INSIDE),
    Verb("APPEND", read_append, mailbox.append, INSIDE, is_changing=True),
)
_ON_MESSAGES = (
    Verb("CHECK", lambda _: values.Check(), access.noop, SELECTED),
    Verb("CLOSE", lambda _: values.Close(), mailbox.close, SELECTED, is_changing=True),
    Verb("EXPUNGE", lambda _: values.Expunge(None), message.expunge, SELECTED, is_changing=True),
    Verb("UID EXPUNGE", grammar.read_uid_expunge, message.expunge, SELECTED, is_changing=True),
    Verb("FETCH", grammar.read_fetch(uid=False), message.fetch, SELECTED, tells_expunge=False),
    Verb("UID FETCH", grammar.read_fetch(uid=True), message.fetch, SELECTED),
    Verb("STORE", grammar.read_store(uid=False), message.store, SELECTED, tells_expunge=False, is_changing=True),
    Verb("UID STORE", grammar.read_store(uid=True), message.store, SELECTED, is_changing=True),
    Verb("SEARCH", grammar.read_search(uid=False), search, SELECTED, tells_expunge=False),
    Verb("UID SEARCH", grammar.read_search(uid=True), search, SELECTED),
    Verb("COPY", grammar.read_copy(uid=False, move=False), message.copy, SELECTED, is_changing=True),
    Verb("UID COPY", grammar.read_copy(uid=True, move=False), message.copy, SELECTED, is_changing=True),
    Verb("MOVE", grammar.read_copy(uid=False, move=True), message.copy, SELECTED, is_changing=True),
    Verb("UID MOVE", grammar.read_copy(uid=True, move=True), message.copy, SELECTED, is_changing=True),
)

BASE = Extension("IMAP4rev1 IMAP4rev2", verbs=(*_FIRST, *_ON_MAILBOXES, *_ON_MESSAGES), status_items=STATUS_ITEMS)


async def carry_out(session: Session, command: Tagged) -> bool:
    """Run one command and write its answer; whether it ended in OK. Raises HangUp."""
    verb = command.verb
    try:
        session.tag = command.tag
        if session.state not in verb.states:
            session.refuse_state()
        reply = await verb.handler(session, command.command)
    except GatewayError as error:
        reply = reply_to(error)
    if verb.tells_news:
        await session.tell_news(expunge=verb.tells_expunge)
    session.channel.write(tagged(command.tag, reply))
    if reply.word == BAD:
        session.count_bad_command()
    return reply.word == b"OK"
