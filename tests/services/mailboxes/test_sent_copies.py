"""The copy in Sent that the client stores: the status goes to it, and nothing the client says of it counts (M7)."""

import pytest
from stations import MakeStation, Settings, User
from strangers import Stranger

from bmgate.domain.mailbox import Flags
from bmgate.domain.policy import Policy

RAW = b"From: <%b>\r\nSubject: s\r\nMessage-ID: <m1@here>\r\n\r\na text\r\n"


async def append(user: User, raw: bytes) -> None:
    words = ("bm-acked", "Mine")
    await user.station.services.mailboxes.append(user.id, "Sent", raw, Flags.SEEN, words, None)


@pytest.mark.parametrize("sent_copy", ["auto", "client"])
async def test_the_clients_copy_shows_the_status(make_station: MakeStation, sent_copy: str) -> None:
    station = await make_station(Settings(policy=Policy(sent_copy=sent_copy)))  # type: ignore[arg-type]
    alice, stranger = await station.add_user("alice"), await Stranger(station).known()
    raw = RAW % alice.mail_address.encode()
    await alice.send(stranger.as_user(alice), raw=raw)
    await station.settle()
    await append(alice, raw)
    assert [set(words) for words in await alice.keywords()] == [{"Mine", "bm-sent"}]
    await station.services.queue.retry(alice.id, (await alice.rows())[0].name)
    await station.settle()
    assert [set(words) for words in await alice.keywords()] == [{"Mine", "bm-sent"}]


async def test_a_copy_of_some_other_mail_has_no_status(make_station: MakeStation) -> None:
    station = await make_station()
    alice = await station.add_user("alice")
    await append(alice, RAW % alice.mail_address.encode())
    assert await alice.keywords() == [("Mine",)]
