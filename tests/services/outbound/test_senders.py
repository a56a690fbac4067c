"""Who sends: M10 and M12, addresses made on first use, and the operator's mail."""

import pytest
from stations import MakeStation, Settings, Station, User
from storage_fixtures import new_identity
from strangers import Stranger

from bmgate.domain.identity import Identity
from bmgate.domain.mailbox import MailboxKind
from bmgate.domain.policy import Policy
from bmgate.errors import Ambiguous, BadAddress, ForeignDomain, NotAllowed, NotOwner, RecipientMissing
from bmgate.mail.addresses import RecipientKind, Resolved
from bmgate.services.outbound.submission import Envelope, Receipt, Recipient

TAGS = Policy(subaddress_identities=True)


async def identities(user: User) -> list[Identity]:
    return await user.station.database.read(lambda store: store.account(user.id).identities.all())


async def send_as(user: User, spec: str, to: User, raw: bytes) -> Receipt:
    recipient = Recipient(Resolved(RecipientKind.ADDRESS, to.identity.address))
    receipt = await user.station.services.submissions.submit(Envelope(user.id, spec, (recipient,)), raw)
    await user.station.settle()
    return receipt


def written(spec: str, *fields: str) -> bytes:
    return "\r\n".join([f"From: <{spec}>", "Subject: s", *fields, "", "text"]).encode()


async def message_ids(user: User) -> list[str]:
    lines = [line for message in await user.messages() for line in message.header.decode().split("\r\n")]
    return [line.removeprefix("Message-ID: ") for line in lines if line.startswith("Message-ID: ")]


# -- tags ----------------------------------------------------------------------------------------------------------


async def test_a_tag_behind_the_name_is_the_name_itself(station: Station) -> None:
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    await send_as(alice, "alice+shop@bm.internal", bob, written("alice+shop@bm.internal"))
    assert [row.identity for row in await alice.rows()] == [alice.identity.id]
    assert len(await identities(alice)) == 1


async def test_a_tag_is_an_address_of_its_own_where_the_account_wants_that(make_station: MakeStation) -> None:
    station = await make_station(Settings(policy=TAGS))
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    await station.services.submissions.check_sender(alice.id, "alice+shop@bm.internal")
    assert len(await identities(alice)) == 1
    for spec in ("alice+shop@bm.internal", "ALICE+Shop@bm.internal", "alice+work@bm.internal"):
        await send_as(alice, spec, bob, written(spec))
    _, shop, work = await identities(alice)
    assert [(each.label, each.is_default) for each in (shop, work)] == [("alice+shop", False), ("alice+work", False)]
    assert [row.identity for row in await alice.rows()] == [shop.id, shop.id, work.id]
    assert len(await bob.messages()) == 3


async def test_the_same_mail_again_makes_no_second_address(make_station: MakeStation) -> None:
    station = await make_station(Settings(policy=TAGS))
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    raw = written("alice+shop@bm.internal", "Message-ID: <x@y>")
    first, second = [await send_as(alice, "alice+shop@bm.internal", bob, raw) for _ in range(2)]
    assert (second.queue_id, second.repeated) == (first.queue_id, True)
    assert len(await identities(alice)) == 2


async def test_envelope_and_from_may_each_want_an_address(make_station: MakeStation) -> None:
    station = await make_station(Settings(policy=TAGS))
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    await send_as(alice, "alice+envelope@bm.internal", bob, written("alice+from@bm.internal"))
    assert [each.label for each in await identities(alice)][1:] == ["alice+envelope", "alice+from"]


@pytest.mark.parametrize("spec", ["bob+shop@bm.internal", "alice+ttl=2d@bm.internal", "{address}+shop@bm.internal"])
async def test_other_tags_make_no_address(make_station: MakeStation, spec: str) -> None:
    station = await make_station(Settings(policy=TAGS))
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    spec = spec.format(address=alice.identity.address)
    if spec.startswith("bob"):
        with pytest.raises(NotOwner):
            await send_as(alice, spec, bob, written(spec))
    else:
        await send_as(alice, spec, bob, written(spec))
    assert len(await identities(alice)) == 1


# -- M12 -----------------------------------------------------------------------------------------------------------


async def got_mail(station: Station) -> tuple[User, User, User, str]:
    """Alice with her second address, and bob, who wrote to her first: the Message-ID of what he wrote."""
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    second = User(station, alice.account, await station.add_identity(alice.account, new_identity(is_default=False)))
    await bob.send(alice)
    await station.settle()
    (message_id,) = await message_ids(alice)
    return alice, second, bob, message_id


async def test_m12_an_answer_under_another_of_ones_addresses_is_refused(station: Station) -> None:
    alice, second, bob, message_id = await got_mail(station)
    told = f"this answers a mail to {alice.identity.address} but is written as {second.identity.address}"
    with pytest.raises(NotAllowed, match=told):
        await alice.send(bob, raw=written(second.mail_address, f"In-Reply-To: {message_id}"))
    assert await alice.messages(MailboxKind.SENT) == []
    await alice.send(bob, raw=written(alice.mail_address, f"In-Reply-To: {message_id}"))
    await alice.send(bob, raw=written(second.mail_address, "In-Reply-To: <unknown@x>", f"References: {message_id}"))


async def test_m12_can_be_turned_off(make_station: MakeStation) -> None:
    station = await make_station(Settings(policy=Policy(identity_guard="off")))
    alice, second, bob, message_id = await got_mail(station)
    await alice.send(bob, raw=written(second.mail_address, f"In-Reply-To: {message_id}"))


# -- special names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["postmaster", "Abuse", "admin@bm.internal", "postmaster@bm.addr"])
async def test_mail_to_the_operator_goes_to_his_address(make_station: MakeStation, name: str) -> None:
    station = await make_station(Settings(operator="Carol"))
    alice, carol = await station.add_user("alice"), await station.add_user("carol")
    resolved = await station.services.submissions.resolve(alice.id, name)
    assert (resolved.kind, resolved.address) == (RecipientKind.ADDRESS, carol.identity.address)
    await station.services.submissions.check_sender(carol.id, name)
    with pytest.raises(NotAllowed, match="only the operator sends as") as refused:
        await station.services.submissions.check_sender(alice.id, name)
    assert not isinstance(refused.value, NotOwner), "550, not 553 (1.3)"


async def test_without_an_operator_nobody_takes_it(station: Station) -> None:
    alice = await station.add_user("alice")
    with pytest.raises(RecipientMissing, match="nobody takes this mail here"):
        await station.services.submissions.resolve(alice.id, "postmaster")
    with pytest.raises(NotAllowed, match="only the operator sends as postmaster"):
        await station.services.submissions.check_sender(alice.id, "postmaster")


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ("noreply@bm.internal", RecipientMissing, "takes no mail"),
        ("random", RecipientMissing, "takes no mail"),
        ("alice=example.org@relay.bm.internal", ForeignDomain, "no relay is known"),
        ("alice=example.org@mail.relay.bm.internal", ForeignDomain, "no relay is known"),
        ("alice@relay.bm.internal", BadAddress, "local=domain@relay.bm.internal"),
    ],
)
async def test_names_that_lead_nowhere_are_refused(
    station: Station, spec: str, error: type[Exception], words: str
) -> None:
    alice = await station.add_user("alice")
    with pytest.raises(error, match=words):
        await station.services.submissions.resolve(alice.id, spec)


@pytest.mark.parametrize("spec", ["bmgate", "broadcast@bm.internal", "noreply", "mailer-daemon@bm.addr"])
async def test_nobody_sends_as_a_special_name(station: Station, spec: str) -> None:
    alice = await station.add_user("alice")
    with pytest.raises(NotAllowed):
        await station.services.submissions.check_sender(alice.id, spec)


async def test_case_damaged_addresses_are_repaired_from_those_one_wrote_to(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), await Stranger(station).known()
    damaged = str(stranger.pubkey.address).lower()
    with pytest.raises((RecipientMissing, BadAddress)):
        await station.services.submissions.resolve(alice.id, damaged)
    await alice.send(stranger.as_user(alice))
    resolved = await station.services.submissions.resolve(alice.id, f"{damaged}+ttl=2d@bm.addr")
    assert (resolved.address, resolved.is_repaired, resolved.ttl_seconds) == (stranger.pubkey.address, True, 172_800)


async def test_two_contacts_of_one_label_are_told_apart_by_who_writes(station: Station) -> None:
    alice, (first, second) = (
        await station.add_user("alice"),
        sorted([new_identity().address, new_identity().address], key=str),
    )
    for address in (first, second):
        await station.services.contacts.add(alice.id, str(address), "Bob")
    with pytest.raises(Ambiguous, match="bob is the label of several contacts") as refused:
        await station.services.submissions.resolve(alice.id, "bob@bm.internal")
    assert sorted(refused.value.candidates) == [str(first), str(second)]


async def test_nobody_sends_as_a_contact_of_the_label_of_his_own_alias(station: Station) -> None:
    alice = await station.add_user("alice")
    await station.services.contacts.add(alice.id, str(new_identity().address), "alice")
    await station.services.submissions.check_sender(alice.id, "alice@bm.internal")


async def test_without_an_address_the_name_of_the_account_sends_commands_alone(station: Station) -> None:
    account = await station.add_account("anna")
    bob, submissions = await station.add_user("bob"), station.services.submissions
    raw = b"From: <Anna@bm.internal>\r\nSubject: createAddr first\r\n\r\n"
    await submissions.check_sender(account.id, "Anna@BM.internal")
    with pytest.raises(NotOwner):
        await submissions.check_sender(account.id, "bob@bm.internal")
    command = Recipient(await submissions.resolve(account.id, "bmgate@bm.internal"))
    other = Recipient(await submissions.resolve(account.id, bob.mail_address))
    with pytest.raises(NotOwner, match="your addresses: none"):
        await submissions.submit(Envelope(account.id, "anna@bm.internal", (other,)), raw)
    with pytest.raises(NotOwner):
        await submissions.submit(Envelope(account.id, "anna@bm.internal", (command,)), raw.replace(b"Anna", b"bob"))
    receipt = await submissions.submit(Envelope(account.id, "anna@bm.internal", (command,)), raw)
    assert receipt.answer == "OK: createAddr"
    (made,) = await station.services.identities.all(account.id)
    assert made.is_default
