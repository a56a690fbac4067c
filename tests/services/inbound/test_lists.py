"""Mailing lists: identities that pass on what they receive to their subscribers (O16, protocol 12.2)."""

import pytest
from fakes import Failpoints
from posters import BROADCAST, mails, set_option, subjects, submit, subscribe, to, written
from stations import MakeStation, Station, User, Wire
from storage_fixtures import new_identity

from bmgate.domain.contact import Standing
from bmgate.domain.mailbox import MailboxKind
from bmgate.domain.outbox import Kind, State
from bmgate.domain.ports.database import Store
from bmgate.errors import BadOption

LINE = "Tue, 2023-11-14 22:13:00 UTC   Message ostensibly from {}:"


class Club:
    """Olga runs the list `tea`; writers and subscribers are anywhere else."""

    def __init__(self, olga: User, wire: Wire, members: list[User]) -> None:
        self.olga, self.wire, self.members = olga, wire, members

    async def write(self, writer: User, subject: str = "Kettles", body: str = "Which one?", **more: object) -> None:
        raw = written(writer.mail_address, subject=subject, body=body)
        await submit(writer, to(self.olga.identity.address), raw=raw, notify=(), **more)  # type: ignore[arg-type]
        await self.wire.carry()

    async def read(self, reader: User) -> list[tuple[str, str]]:
        """Subject and claimed author."""
        found = await mails(reader, "Subscriptions/tea")
        return [(str(mail["Subject"]), str(mail["X-Bitmessage-Claimed-From"])) for mail, _ in found]

    async def move(self, source: str, target: str, times: int = 1, copy: bool = False) -> None:
        mailboxes = self.olga.station.services.mailboxes
        for _ in range(times):
            snapshot = await mailboxes.open(self.olga.id, source)
            act = mailboxes.copy if copy else mailboxes.move
            await act(self.olga.id, snapshot.mailbox.id, [row.uid for row in snapshot.rows], target)
        await self.wire.carry()


@pytest.fixture
async def club(make_station: MakeStation) -> Club:
    stations = [await make_station() for _ in range(3)]
    olga, bob, carol = [
        await station.add_user(name) for station, name in zip(stations, ("olga", "bob", "carol"), strict=True)
    ]
    await set_option(olga, "list", "tea")
    for reader in (bob, carol):
        await subscribe(reader, olga.identity.address, "tea")
    return Club(olga, Wire(*stations), [bob, carol])


async def test_what_a_list_receives_reaches_its_subscribers(club: Club) -> None:
    bob, carol = club.members
    await club.write(bob)
    told = [("[tea] Kettles", str(bob.identity.address))]
    assert [await club.read(each) for each in (bob, carol)] == [told, told]
    ((mail, _),) = await mails(carol, "Subscriptions/tea")
    assert mail["X-Bitmessage-Kind"] == "list"
    assert mail.get_payload() == "Which one?\r\n"
    assert await subjects(club.olga, "INBOX") == ["Kettles"], "its owner has the mail as it came"
    (row,) = await club.olga.rows()
    assert (row.kind, row.state, row.ack_data) == (Kind.BROADCAST, State.NO_ACK_EXPECTED, b"")
    assert await club.olga.messages(MailboxKind.SENT) == []


async def test_answers_to_the_list_go_round_once(club: Club) -> None:
    bob, carol = club.members
    await club.write(bob)
    quoted = f"The blue one.\n\n> {LINE.format(bob.identity.address)}\n>\n> Which one?"
    await club.write(carol, "Re: [tea] Kettles", quoted)
    for reader in club.members:
        assert [subject for subject, _ in await club.read(reader)] == ["[tea] Kettles", "[tea] Kettles"]
    assert len(await club.olga.rows()) == 2


async def test_lists_subscribed_to_each_other_fall_silent(club: Club) -> None:
    """Whatever was passed on once, and comes again as a msg, ends there."""
    bob, carol = club.members
    await set_option(carol, "list", "coffee")
    await subscribe(club.olga, carol.identity.address, "coffee")
    await club.write(bob, body=f"{LINE.format(carol.identity.address)}\n\nhi")
    await club.write(bob, "Auto: away", "I am away")
    assert await club.olga.rows() == []
    await submit(carol, BROADCAST, notify=())
    await club.wire.carry()
    assert await subjects(club.olga, "Subscriptions/coffee") == ["s"]
    assert await club.olga.rows() == []


async def test_a_resend_is_not_passed_on_again(club: Club) -> None:
    bob, _ = club.members
    await club.write(bob)
    msg = club.wire.carried[-1]
    await club.olga.station.add_objects([msg])
    await club.olga.station.settle()
    assert len(await club.olga.rows()) == 1


async def test_the_owners_other_addresses_write_to_the_list_too(club: Club) -> None:
    olga, (bob, _) = club.olga, club.members
    second = User(
        olga.station, olga.account, await olga.station.add_identity(olga.account, new_identity(is_default=False))
    )
    await submit(second, to(olga.identity.address), raw=written(second.mail_address, subject="Rules"), notify=())
    await submit(olga, to(olga.identity.address), raw=written(olga.mail_address, subject="to myself"), notify=())
    await club.wire.carry()
    assert await club.read(bob) == [("[tea] Rules", str(second.identity.address))]


async def test_blocked_senders_reach_nobody(club: Club) -> None:
    bob, carol = club.members
    await club.olga.station.database.transact(
        lambda store: store.account(club.olga.id).contacts.set_standing(bob.identity.address, Standing.BLOCKED)
    )
    await club.write(bob)
    assert await club.read(carol) == []


async def test_with_moderation_mail_waits_in_requests(club: Club) -> None:
    bob, carol = club.members
    await set_option(club.olga, "moderate", "on")
    await club.write(bob)
    assert await subjects(club.olga, "Requests") == ["Kettles"]
    assert await club.read(carol) == []
    assert [row.state for row in await bob.rows()] == [State.PUBLISHED], "its ack waits too"
    await club.move("Requests", "INBOX")
    assert await subjects(club.olga, "INBOX") == ["Kettles"]
    assert await club.read(carol) == [("[tea] Kettles", str(bob.identity.address))]
    ((mail, _),) = await mails(carol, "Subscriptions/tea")
    assert mail.get_payload() == "Which one?\r\n"
    assert [row.state for row in await bob.rows()] == [State.ACKED]
    await club.write(bob, "More")
    assert await subjects(club.olga, "Requests") == ["More"], "every mail is looked at"


async def test_a_mail_copied_twice_out_of_requests_is_passed_on_once(club: Club) -> None:
    bob, carol = club.members
    await set_option(club.olga, "moderate", "on")
    await club.write(bob)
    await club.move("Requests", "INBOX", times=3, copy=True)
    assert len(await club.read(carol)) == 1


async def test_moderation_ends_what_goes_to_junk_or_trash(club: Club) -> None:
    bob, carol = club.members
    await set_option(club.olga, "moderate", "on")
    await club.write(bob)
    await club.move("Requests", "Trash")
    await club.write(bob, "More")
    await club.move("Requests", "Junk")
    assert await club.read(carol) == []
    assert await club.olga.rows() == []


async def test_the_queue_of_a_list_is_bounded(club: Club) -> None:
    bob, _ = club.members
    lists = club.olga.station.services.lists
    assert lists.max_queued == 500
    object.__setattr__(lists, "max_queued", 0)
    await club.write(bob)
    assert await club.olga.rows() == []
    assert await subjects(club.olga, "INBOX") == ["Kettles"]


async def stored(station: Station) -> list[bytes]:
    def every(store: Store) -> list[bytes]:
        return list(store.inventory.get([vector for vector, _, _ in store.inventory.vectors()]).values())

    return await station.database.read(every)


async def test_a_restart_at_any_point_passes_each_mail_on_once(make_station: MakeStation) -> None:
    here, there = await make_station(), await make_station()
    olga, bob = await here.add_user("olga"), await there.add_user("bob")
    await set_option(olga, "list", "tea")
    await subscribe(bob, olga.identity.address, "tea")
    wire = Wire(here, there)
    await submit(bob, to(olga.identity.address), notify=())
    await wire.carry()
    n, was_killed = 0, True
    while was_killed:
        n += 1
        points = Failpoints(n)
        await here.crash()
        await here.start(points)
        await submit(bob, to(olga.identity.address), raw=written(bob.mail_address, subject=f"no {n}"), notify=())
        await here.add_objects(await stored(there))
        await here.settle()
        was_killed = len(points.passed) >= n
        await here.crash()
        await here.start()
        await wire.carry()
    found = sorted(await subjects(bob, "Subscriptions/tea"))
    assert found == sorted(["[tea] s", *(f"[tea] no {each}" for each in range(1, n + 1))])
    assert n > 5


@pytest.mark.parametrize("words", ["x" * 41])
async def test_the_name_of_a_list_is_short(station: Station, words: str) -> None:
    olga = await station.add_user("olga")
    with pytest.raises(BadOption):
        await set_option(olga, "list", words)
