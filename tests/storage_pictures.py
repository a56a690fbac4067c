"""An account with one thing of every kind, and all that its repositories show."""

from storage_fixtures import NOW, new_identity

from bmgate.domain.account import Account
from bmgate.domain.contact import Contact
from bmgate.domain.mailbox import Flags, MailboxKind, NewContent
from bmgate.domain.outbox import NewOutgoing, NewSubmission, Priority, ReturnContent
from bmgate.domain.ports.database import Store


def fill(store: Store, account: Account) -> None:
    """One thing of every kind."""
    mine = store.account(account.id)
    identity = mine.identities.add(new_identity())
    mine.identities.add_alias(f"{account.name}-alias", identity.id, NOW)
    mine.mailboxes.create("Own", MailboxKind.USER, NOW)
    mine.contacts.note_correspondent(new_identity().address)
    mine.contacts.save(Contact(new_identity().address, "somebody"))
    mine.duplicates.remember(b"content id", NOW)
    tag = mine.messages.message_id_tag("<id@x>")
    content = mine.messages.add_content(NewContent(b"h", b"i", b"b", message_id_tag=tag))
    mine.messages.append(mine.mailboxes.by_kind(MailboxKind.INBOX).id, content, Flags.SEEN, (), NOW)
    new = NewSubmission(
        identity.id, account.name.upper(), "s", "b", "<id@x>", ReturnContent.FULL, "", content, b"repeat", NOW
    )
    mine.outbox.add(new, [NewOutgoing(1, new_identity().address, b"", 1, Priority.NORMAL, (), "")])


def picture(store: Store, account: Account) -> list[object]:
    """All that an account's repositories show."""
    mine = store.account(account.id)
    mailboxes = mine.mailboxes.all()
    return [
        mine.identities.all(),
        mine.identities.aliases(),
        mine.contacts.all(),
        mine.contacts.correspondents(),
        mine.duplicates.seen(b"content id"),
        mailboxes,
        [mine.messages.messages(mailbox.id, range(10)) for mailbox in mailboxes],
        [mine.messages.rows(mailbox.id) for mailbox in mailboxes],
        mine.outbox.rows(),
        mine.outbox.unfinished_count(),
    ]
