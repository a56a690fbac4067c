"""`random@` as sender: a fresh address for each mail (mail conversion 1.3)."""

import asyncio

import pytest
from posters import BROADCAST, mails, submit, to, written
from stations import DOMAIN, MakeStation, Station, User, Wire

from bmgate.domain.identity import Identity
from bmgate.domain.outbox import State
from bmgate.errors import LimitReached, NotAllowed, RecipientMissing, UnsupportedMedia
from bmgate.services.identities import requests
from bmgate.smtp.replies import Stage, reply_for
from bmgate.storage.repositories.account_identities import AccountIdentityRepository

RANDOM = f"random@{DOMAIN}"


async def identities(user: User) -> list[Identity]:
    return await user.station.database.read(lambda store: store.account(user.id).identities.all())


def mail(*fields: str, spec: str = RANDOM, body: str = "text") -> bytes:
    return written(spec, *fields, body=body)


async def test_each_mail_has_an_address_of_its_own_and_answers_arrive(make_station: MakeStation) -> None:
    here, there = await make_station(), await make_station()
    alice, bob = await here.add_user("alice"), await there.add_user("bob")
    wire = Wire(here, there)
    await here.services.submissions.check_sender(alice.id, RANDOM)
    for n in (1, 2):
        await submit(alice, to(bob.identity.address), spec=RANDOM, raw=mail(f"Message-ID: <{n}@x>"))
    await wire.carry()
    _, first, second = await identities(alice)
    assert [each.label for each in (first, second)] == ["random 2023-11-14"] * 2
    assert (first.is_default, first.address.version, first.address == second.address) == (False, 4, False)
    assert {str(each["From"]) for each, _ in await mails(bob, "INBOX")} == {
        f"{each.address}@{DOMAIN}" for each in (first, second)
    }
    await submit(bob, to(first.address), notify=())
    await wire.carry()
    answers = [each for each, _ in await mails(alice, "INBOX") if each["X-Bitmessage-Kind"] == "msg"]
    assert [str(each["Delivered-To"]) for each in answers] == [f"{first.address}@{DOMAIN}"]


async def test_a_mail_given_again_makes_no_second_address(station: Station) -> None:
    alice, bob, carol = [await station.add_user(name) for name in ("alice", "bob", "carol")]
    raw = mail("Message-ID: <x@y>")
    first = await submit(alice, to(bob.identity.address), spec=RANDOM, raw=raw)
    again = await submit(alice, to(bob.identity.address), spec=RANDOM, raw=raw)
    assert (again.queue_id, again.repeated) == (first.queue_id, True)
    await submit(alice, to(carol.identity.address), spec=RANDOM, raw=raw)
    await submit(alice, to(carol.identity.address), spec=RANDOM, raw=mail("Message-ID: <x@y>", body="changed"))
    assert len(await identities(alice)) == 2
    assert len({row.identity for row in await alice.rows()}) == 1
    station.clock.advance(90_000)
    await submit(alice, to(bob.identity.address), spec=RANDOM, raw=raw)
    assert len(await identities(alice)) == 2


async def test_the_same_mail_at_the_same_time_makes_one_address(station: Station) -> None:
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    raw, recipient = mail("Message-ID: <x@y>"), to(bob.identity.address)
    await asyncio.gather(*(submit(alice, recipient, spec=RANDOM, raw=raw) for _ in range(3)))
    assert len(await identities(alice)) == 2
    assert len(await alice.rows()) == 1


async def test_another_accounts_mail_of_that_name_has_another_address(station: Station) -> None:
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    for one, other in ((alice, bob), (bob, alice)):
        await submit(one, to(other.identity.address), spec=RANDOM, raw=mail("Message-ID: <x@y>"))
    assert len(await identities(alice)) == len(await identities(bob)) == 2


async def test_where_the_account_has_too_many_addresses_none_is_made(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    monkeypatch.setattr(requests, "MAX_IDENTITIES", 1)
    with pytest.raises(LimitReached, match="at most 1 addresses") as refused:
        await submit(alice, to(bob.identity.address), spec=RANDOM, raw=mail("Message-ID: <x@y>"))
    assert reply_for(refused.value, Stage.DATA).code == 452
    assert len(await identities(alice)) == 1
    assert await alice.rows() == []


async def test_where_the_account_has_a_thousand_addresses_none_of_them_is_read(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    await station.settle()
    read: list[str] = []
    every = AccountIdentityRepository.all

    def watched(mine: AccountIdentityRepository) -> list[Identity]:
        read.append(mine.scope.account.name)
        return every(mine)

    monkeypatch.setattr(AccountIdentityRepository, "all", watched)
    await station.services.submissions.check_sender(alice.id, RANDOM)
    await submit(alice, to(bob.identity.address), spec=RANDOM, raw=mail("In-Reply-To: <somebody@elsewhere>"))
    await submit(alice, to(bob.identity.address))
    assert read.count("alice") == 0


async def test_without_message_id_every_mail_is_another(station: Station) -> None:
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    for _ in range(2):
        await submit(alice, to(bob.identity.address), spec=RANDOM)
    assert len(await identities(alice)) == 3


async def test_the_from_field_decides(station: Station) -> None:
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    await submit(alice, to(bob.identity.address), spec=RANDOM, raw=mail(spec=alice.mail_address))
    assert len(await identities(alice)) == 1
    await submit(alice, to(bob.identity.address), raw=mail())
    assert len(await identities(alice)) == 2


async def test_a_refused_mail_leaves_no_address(station: Station) -> None:
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    with_file = (
        f"From: <{RANDOM}>\r\nMIME-Version: 1.0\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\n%PDF\r\n".encode()
    )
    with pytest.raises(UnsupportedMedia):
        await submit(alice, BROADCAST, spec=RANDOM, raw=with_file)
    with pytest.raises(NotAllowed):
        await submit(alice, BROADCAST, to(bob.identity.address), spec=RANDOM, raw=mail("Auto-Submitted: auto-replied"))
    assert len(await identities(alice)) == 1
    assert await alice.rows() == []


async def test_m12_guards_it_as_any_other(station: Station) -> None:
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    await bob.send(alice)
    await station.settle()
    ((got, _),) = await mails(alice, "INBOX")
    with pytest.raises(NotAllowed, match="this answers a mail to"):
        await submit(alice, to(bob.identity.address), spec=RANDOM, raw=mail(f"In-Reply-To: {got['Message-ID']}"))
    assert len(await identities(alice)) == 1


async def test_its_pubkey_is_published_only_when_asked_for(station: Station) -> None:
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    await submit(alice, to(bob.identity.address), spec=RANDOM)
    _, fresh = await identities(alice)
    assert fresh.pubkey_sent_at is None
    (row,) = await alice.rows()
    assert row.state is State.ACKED


async def test_nobody_writes_to_random(station: Station) -> None:
    alice = await station.add_user("alice")
    with pytest.raises(RecipientMissing):
        await station.services.submissions.resolve(alice.id, RANDOM)
