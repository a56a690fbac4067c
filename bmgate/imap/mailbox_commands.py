"""The commands on mailboxes as a whole: SELECT to APPEND, CLOSE (RFC 9051 sections 6.3 and 6.4)."""

from bmgate.domain.mailbox import Mailbox, NewMail
from bmgate.errors import MailboxMissing
from bmgate.imap.features import Feature
from bmgate.imap.lists import Listing, list_mailboxes, list_subscribed
from bmgate.imap.replies import BAD, NO, Refusal, Reply
from bmgate.imap.resync import tell_changes
from bmgate.imap.session import Session, ok
from bmgate.imap.sets import write_set
from bmgate.imap.status_items import StatusItem
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
)


async def select(session: Session, command: Select) -> Reply:
    """SELECT, EXAMINE; a failure leaves nothing selected."""
    write = session.channel.write
    _leave(session)
    if command.resync is not None and Feature.QRESYNC not in session.enabled:
        raise Refusal(BAD, b"CLIENTBUG", "QRESYNC was not enabled")
    if command.condstore:
        session.enable(Feature.CONDSTORE)
    mailboxes, read_only = session.services.mailboxes, command.read_only
    session.select(await mailboxes.open(session.account, command.mailbox, read_only), read_only)
    view = session.view
    flags, permanent = view.flags_lines()
    write(flags + b"* %d EXISTS\r\n" % view.count)
    first = view.first_unseen()
    if Feature.REV2 in session.enabled:
        write(b'* LIST () "/" %b\r\n' % session.mailbox_name(view.mailbox.name))
    else:
        write(b"* %d RECENT\r\n" % len(view.recent))
        write(b"* OK [UNSEEN %d] First unseen\r\n" % first if first is not None else b"")
    write(permanent)
    write(b"* OK [UIDVALIDITY %d] UIDs valid\r\n" % view.mailbox.uidvalidity)
    write(b"* OK [UIDNEXT %d] Next UID\r\n" % view.mailbox.uidnext)
    write(b"* OK [HIGHESTMODSEQ %d] Highest\r\n" % view.mailbox.modseq)
    write(b"* OK [MAILBOXID (%b)] Id\r\n" % mailbox_id(view.mailbox))
    if command.resync is not None and command.resync.uidvalidity == view.mailbox.uidvalidity:
        await tell_changes(session, command.resync.modseq, command.resync.known_uids)
    return ok("Done", b"READ-ONLY" if command.read_only else b"READ-WRITE")


def _leave(session: Session) -> None:
    """Close the selected mailbox, if there is one, and say so to clients that know of it (RFC 7162 3.2.11)."""
    if session.selected is not None and session.enabled & {Feature.QRESYNC, Feature.REV2}:
        session.channel.write(b"* OK [CLOSED] The mailbox that was open is closed\r\n")
    session.deselect()


def mailbox_id(mailbox: Mailbox) -> bytes:
    """MAILBOXID: the UIDVALIDITY, for an account gives none out twice and a mailbox keeps it (RFC 8474, U3)."""
    return b"M%d" % mailbox.uidvalidity


async def create(session: Session, command: Create) -> Reply:
    """CREATE."""
    mailbox = await session.services.mailboxes.create(session.account, command.mailbox)
    return ok("Done", b"MAILBOXID (%b)" % mailbox_id(mailbox))


async def delete(session: Session, command: Delete) -> Reply:
    """DELETE; the mailbox that is selected here is closed by it, whatever its name was then."""
    gone = await session.services.mailboxes.delete(session.account, command.mailbox)
    if session.selected is not None and session.selected.id == gone:
        _leave(session)
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
    word = b"XLIST" if command.is_xlist else b"LIST"
    if command.patterns == ("",):
        session.channel.write(b'* %b (\\Noselect) "/" ""\r\n' % word)
        return ok("Done")
    mailboxes = await session.services.mailboxes.all(session.account)
    former = await _former(session) if "SUBSCRIBED" in command.selection else []
    for listing in list_mailboxes(mailboxes, command, former):
        session.channel.write(_list_line(session, word, listing))
        if "STATUS" in command.returns and listing.has_status:
            await _write_status(session, listing.name, command.status_items)
    return ok("Done")


async def lsub(session: Session, command: Lsub) -> Reply:
    """LSUB."""
    mailboxes = await session.services.mailboxes.all(session.account)
    for listing in list_subscribed(mailboxes, command, await _former(session)):
        session.channel.write(_list_line(session, b"LSUB", listing))
    return ok("Done")


async def _former(session: Session) -> list[str]:
    return await session.services.mailboxes.former_subscriptions(session.account)


def _list_line(session: Session, word: bytes, listing: Listing) -> bytes:
    name = session.mailbox_name(listing.name)
    info = b' ("CHILDINFO" ("SUBSCRIBED"))' if listing.child_info else b""
    return b'* %b (%b) "/" %b%b\r\n' % (word, b" ".join(listing.attributes), name, info)


async def status(session: Session, command: Status) -> Reply:
    """STATUS."""
    await _write_status(session, command.mailbox, command.items)
    return ok("Done")


async def _write_status(session: Session, name: str, items: tuple[StatusItem, ...]) -> None:
    for item in items:
        if item.enables is not None:
            session.enable(item.enables)
    found = await session.services.mailboxes.status(session.account, name)
    text = " ".join(f"{item.name} {item.value(found, session.limits)}" for item in items).encode("ascii")
    session.channel.write(b"* STATUS %b (%b)\r\n" % (session.mailbox_name(name), text))


async def append(session: Session, command: Append) -> Reply:
    """APPEND; durable when it is answered (C1)."""
    for mail in command.mails:
        if len(mail.message) > session.limits.append_limit:
            raise Refusal(NO, b"TOOBIG", "Mail too large")
    mails = [NewMail(it.message, it.flags.flags, it.flags.keywords, it.internaldate) for it in command.mails]
    try:
        transfer = await session.services.mailboxes.append_all(session.account, command.mailbox, mails)
    except MailboxMissing as error:
        raise try_create() from error
    return ok("Done", b"APPENDUID %d %b" % (transfer.uidvalidity, write_set(transfer.target_uids)))


def try_create() -> Refusal:
    """The answer to mail for a mailbox that is not there."""
    return Refusal(NO, b"TRYCREATE", "No such mailbox")


async def close(session: Session, _: Close) -> Reply:
    """CLOSE: expunges without a word."""
    if not session.view.read_only:
        await session.services.mailboxes.expunge(session.account, session.view.id, None)
    session.deselect()
    return ok("Done")
