"""Users who write for many: posts to chans and broadcasts, submitted as by the SMTP door, and what is read of them."""

from email import message_from_bytes
from email.message import Message

from stations import DOMAIN, User

from bmgate.bm.addresses import Address
from bmgate.domain.mailbox import Flags
from bmgate.domain.ports.database import Store
from bmgate.mail.addresses import RecipientKind, Resolved
from bmgate.services.outbound.submission import Envelope, Receipt, Recipient

BROADCAST = Resolved(RecipientKind.BROADCAST, word="broadcast")


def to(address: Address) -> Resolved:
    return Resolved(RecipientKind.ADDRESS, address)


def written(spec: str, *fields: str, subject: str = "s", body: str = "text") -> bytes:
    return "\r\n".join([f"From: <{spec}>", f"Subject: {subject}", *fields, "", body, ""]).encode()


async def submit(
    user: User,
    *recipients: Resolved,
    raw: bytes = b"",
    spec: str = "",
    notify: tuple[str, ...] = ("SUCCESS", "FAILURE", "DELAY"),
) -> Receipt:
    """Submitted, and the station at rest."""
    spec = spec or user.mail_address
    envelope = Envelope(user.id, spec, tuple(Recipient(each, notify) for each in recipients))
    receipt = await user.station.services.submissions.submit(envelope, raw or written(spec))
    await user.station.settle()
    return receipt


async def join(user: User, passphrase: str = "general") -> Address:
    chan = await user.station.services.chans.join(user.id, passphrase)
    await user.station.settle()
    return chan.membership.address


async def subscribe(user: User, address: Address, label: str = "news") -> None:
    await user.station.services.subscriptions.subscribe(user.id, address, label)
    await user.station.settle()


async def set_option(user: User, name: str, words: str) -> None:
    """For the user's address."""
    await user.station.services.identities.set(user.id, str(user.identity.address), name, words)


async def mails(user: User, name: str) -> list[tuple[Message, Flags]]:
    """Everything in a mailbox but the gateway's note, with its flags; nothing where there is no such mailbox."""

    def every(store: Store) -> list[tuple[Message, Flags]]:
        mine = store.account(user.id)
        mailbox = mine.mailboxes.find(name)
        if mailbox is None:
            return []
        rows = mine.messages.rows(mailbox.id)
        stored = mine.messages.messages(mailbox.id, [row.uid for row in rows])
        return [
            (message_from_bytes(each.header + each.body), row.flags) for row, each in zip(rows, stored, strict=True)
        ]

    found = await user.station.database.read(every)
    return [(mail, flags) for mail, flags in found if not str(mail["Subject"]).startswith("You joined")]


async def subjects(user: User, name: str) -> list[str]:
    return [str(mail["Subject"]) for mail, _ in await mails(user, name)]


def spec_of(address: Address) -> str:
    return f"{address}@{DOMAIN}"
