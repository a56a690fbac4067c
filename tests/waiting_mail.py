"""Mail of strangers: how it is written, and where it is afterwards."""

from email import message_from_bytes

from stations import Station, User
from storage_fixtures import NOW
from writers import DAY, Writer, key_of, receive

from bmgate.bm.encodings import EXTENDED, SIMPLE, encode_extended, encode_message
from bmgate.bm.objects import read_object
from bmgate.domain.contact import Standing
from bmgate.domain.ports.database import Store


async def set_option(user: User, name: str, words: str) -> None:
    policies, database = user.station.services.policies, user.station.database
    await database.transact(lambda store: policies.set(store.account(user.id), name, words))


async def write(writer: Writer, user: User, subject: str, parents: tuple[bytes, ...] = (), days: int = 4) -> bytes:
    """The ack inside the msg."""
    ack = writer.ack(NOW + days * DAY)
    if parents:
        encoded = writer.msg(await key_of(user), encode_extended(subject, "text", parents), EXTENDED, ack=ack)
    else:
        encoded = writer.msg(await key_of(user), encode_message(subject, "text"), SIMPLE, ack=ack)
    await receive(user.station, encoded)
    return ack


async def subjects(user: User, name: str) -> list[str]:
    def look(store: Store) -> list[str]:
        mine = store.account(user.id)
        mailbox = mine.mailboxes.find(name)
        assert mailbox is not None
        uids = [row.uid for row in mine.messages.rows(mailbox.id)]
        return [message_from_bytes(each.header)["Subject"] for each in mine.messages.heads(mailbox.id, uids)]

    return await user.station.database.read(look)


async def move(user: User, source: str, target: str, copy: bool = False) -> None:
    """All of a mailbox, as a mail program does."""
    mailboxes = user.station.services.mailboxes
    opened = await mailboxes.open(user.id, source, read_only=False)
    uids = [row.uid for row in opened.rows]
    await (mailboxes.copy if copy else mailboxes.move)(user.id, opened.mailbox.id, uids, target)
    await user.station.settle()


async def standing(user: User, writer: Writer) -> Standing:
    address = writer.pubkey.address
    return await user.station.database.read(lambda store: store.account(user.id).contacts.standing_of(address))


def published(station: Station, ack: bytes) -> bool:
    return read_object(ack[24:]).vector in station.announcer.announced


async def careful(station: Station) -> User:
    alice = await station.add_user("alice")
    await set_option(alice, "requests", "on")
    return alice
