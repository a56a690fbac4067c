"""The commands on mailboxes as a whole: SELECT to APPEND, CLOSE, UNSELECT (RFC 9051 sections 6.3 and 6.4)."""

from bmgate.domain.mailbox import MailboxStatus
from bmgate.errors import MailboxMissing
from bmgate.imap.lists import Listing, list_mailboxes, list_subscribed
from bmgate.imap.mutf7 import encode_mailbox
from bmgate.imap.replies import NO, Refusal, Reply
from bmgate.imap.session import Session, ok
from bmgate.imap.values import (
    Append,
    Close,
    Create,
    Delete,
    ListCommand,
    Lsub,
    Rename,
    Select,
    Status,
    Subscribe,
    Unselect,
)
from bmgate.mail.imaptext import string


async def select(session: Session, command: Select) -> Reply:
    """SELECT, EXAMINE; a failure leaves nothing selected."""
    session.deselect()
    session.select(await session.services.mailboxes.open(session.account, command.mailbox), command.read_only)
    view, write = session.view, session.channel.write
    flags, permanent = view.flags_lines()
    write(flags + b"* %d EXISTS\r\n* 0 RECENT\r\n" % view.count)
    first = view.first_unseen()
    if first is not None:
        write(b"* OK [UNSEEN %d] First unseen\r\n" % first)
    write(permanent)
    write(b"* OK [UIDVALIDITY %d] UIDs valid\r\n" % view.mailbox.uidvalidity)
    write(b"* OK [UIDNEXT %d] Next UID\r\n" % view.mailbox.uidnext)
    return ok("Done", b"READ-ONLY" if command.read_only else b"READ-WRITE")


async def create(session: Session, command: Create) -> Reply:
    """CREATE."""
    await session.services.mailboxes.create(session.account, command.mailbox)
    return ok("Done")


async def delete(session: Session, command: Delete) -> Reply:
    """DELETE; a mailbox that is selected here is closed by it."""
    if session.selected is not None and session.selected.mailbox.name == command.mailbox:
        session.deselect()
    await session.services.mailboxes.delete(session.account, command.mailbox)
    return ok("Done")


async def rename(session: Session, command: Rename) -> Reply:
    """RENAME."""
    await session.services.mailboxes.rename(session.account, command.mailbox, command.new_name)
    return ok("Done")


async def subscribe(session: Session, command: Subscribe) -> Reply:
    """SUBSCRIBE, UNSUBSCRIBE; who unsubscribes what is gone has what he wants (Thunderbird does, behind RENAME)."""
    try:
        await session.services.mailboxes.set_subscribed(session.account, command.mailbox, command.subscribed)
    except MailboxMissing:
        if command.subscribed:
            raise
    return ok("Done")


async def list_(session: Session, command: ListCommand) -> Reply:
    """LIST; an empty pattern asks for the delimiter alone (RFC 9051 6.3.9)."""
    if command.patterns == ("",):
        session.channel.write(b'* LIST (\\Noselect) "/" ""\r\n')
        return ok("Done")
    mailboxes = await session.services.mailboxes.all(session.account)
    for listing in list_mailboxes(mailboxes, command):
        session.channel.write(_list_line(b"LIST", listing))
        if "STATUS" in command.returns and listing.mailbox is not None:
            await _write_status(session, listing.name, command.status_items)
    return ok("Done")


async def lsub(session: Session, command: Lsub) -> Reply:
    """LSUB."""
    for listing in list_subscribed(await session.services.mailboxes.all(session.account), command):
        session.channel.write(_list_line(b"LSUB", listing))
    return ok("Done")


def _list_line(word: bytes, listing: Listing) -> bytes:
    name = string(encode_mailbox(listing.name))
    info = b' ("CHILDINFO" ("SUBSCRIBED"))' if listing.child_info else b""
    return b'* %b (%b) "/" %b%b\r\n' % (word, b" ".join(listing.attributes), name, info)


async def status(session: Session, command: Status) -> Reply:
    """STATUS."""
    await _write_status(session, command.mailbox, command.items)
    return ok("Done")


async def _write_status(session: Session, name: str, items: tuple[str, ...]) -> None:
    found = await session.services.mailboxes.status(session.account, name)
    values = _status_values(found, session.limits.append_limit)
    text = " ".join(f"{item} {values[item]}" for item in items).encode("ascii")
    session.channel.write(b"* STATUS %b (%b)\r\n" % (string(encode_mailbox(name)), text))


def _status_values(status: MailboxStatus, append_limit: int) -> dict[str, int]:
    return {
        "MESSAGES": status.messages,
        "RECENT": 0,
        "UIDNEXT": status.mailbox.uidnext,
        "UIDVALIDITY": status.mailbox.uidvalidity,
        "UNSEEN": status.unseen,
        "APPENDLIMIT": append_limit,
    }


async def append(session: Session, command: Append) -> Reply:
    """APPEND; durable when it is answered (C1)."""
    flags = command.flags
    try:
        transfer = await session.services.mailboxes.append(
            session.account, command.mailbox, command.message, flags.flags, flags.keywords, command.internaldate
        )
    except MailboxMissing as error:
        raise try_create() from error
    return ok("Done", b"APPENDUID %d %d" % (transfer.uidvalidity, transfer.target_uids[0]))


def try_create() -> Refusal:
    """The answer to mail for a mailbox that is not there."""
    return Refusal(NO, b"TRYCREATE", "No such mailbox")


async def close(session: Session, _: Close) -> Reply:
    """CLOSE: expunges without a word."""
    if not session.view.read_only:
        await session.services.mailboxes.expunge(session.account, session.view.id, None)
    session.deselect()
    return ok("Done")


async def unselect(session: Session, _: Unselect) -> Reply:
    """UNSELECT."""
    session.deselect()
    return ok("Done")
