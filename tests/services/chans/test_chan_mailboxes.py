"""Chans and subscriptions by their mailboxes, as a mail program makes, renames and deletes them (M4, M5)."""

import os
from collections.abc import Callable
from random import Random

import pytest
from fakes import Failpoints
from stations import DOMAIN, Station

from bmgate.bm.addresses import Address, parse_address
from bmgate.bm.keys import random_keys
from bmgate.domain.account import Account
from bmgate.domain.chan import NewChan
from bmgate.domain.mailbox import SPECIAL_MAILBOXES, Flags, MailboxKind, NewMail, StoredMessage
from bmgate.domain.ports.database import Store
from bmgate.errors import BadAddress, Conflict, LimitReached, MailboxExists, Missing, NotAllowed
from bmgate.mail.structure import index_message
from bmgate.services.chans import chans, subscriptions
from bmgate.services.chans import mailboxes as chan_mailboxes
from bmgate.services.chans.chans import Chans, Joining
from bmgate.services.chans.mailboxes import ChanRules, SubscriptionRules
from bmgate.services.chans.subscriptions import Subscribing, Subscriptions
from bmgate.services.mailboxes.mailboxes import Mailboxes
from bmgate.storage.repositories.chans import AccountChanRepository
from bmgate.storage.repositories.subscriptions import AccountSubscriptionRepository

GENERAL = parse_address("BM-2cW67GEKkHGonXKZLCzouLLxnLym3azS8r")
NEWS = random_keys(Random("news").randbytes).public.address()


class Rooms:
    """The services with a user, and a diary of what they told."""

    def __init__(self, station: Station, account: Account) -> None:
        self.station, self.account = station, account
        events, clock = station.services.events, station.clock
        self.keys_changed = self.subscriptions_changed = 0
        self.chans = Chans(station.database, events, clock, os.urandom, DOMAIN, self._count)
        self.subscriptions = Subscriptions(station.database, events, clock, self._count_subscriptions)
        rules = [ChanRules(self.chans), SubscriptionRules(self.subscriptions)]
        self.mailboxes = Mailboxes(station.database, events, clock, Failpoints(), rules=rules)

    def _count(self) -> None:
        self.keys_changed += 1

    def _count_subscriptions(self) -> None:
        self.subscriptions_changed += 1

    async def names(self) -> list[str]:
        mailboxes = await self.mailboxes.all(self.account.id)
        return [mailbox.name for mailbox in mailboxes if mailbox.kind not in SPECIAL_MAILBOXES]

    async def create(self, name: str) -> str:
        return (await self.mailboxes.create(self.account.id, name)).name

    async def mails(self, name: str) -> list[StoredMessage]:
        snapshot = await self.mailboxes.open(self.account.id, name)
        return await self.mailboxes.messages(self.account.id, snapshot.mailbox.id, [row.uid for row in snapshot.rows])


@pytest.fixture
async def rooms(station: Station) -> Rooms:
    return Rooms(station, await station.add_account("alice"))


# --- chans ---


async def test_m4_creating_a_mailbox_below_chans_joins(rooms: Rooms) -> None:
    assert await rooms.create("Chans/general") == "Chans/general"
    assert await rooms.names() == ["Chans", "Chans/general"]
    (chan,) = await rooms.chans.all(rooms.account.id)
    assert (chan.membership.address, chan.label) == (GENERAL, "general")
    assert rooms.keys_changed == 1


async def test_m4_the_first_message_tells_the_address_and_warns_of_what_can_be_guessed(rooms: Rooms) -> None:
    await rooms.create("Chans/general")
    await rooms.create("Chans/a passphrase nobody guesses")
    (short,), (long,) = await rooms.mails("Chans/general"), await rooms.mails("Chans/a passphrase nobody guesses")
    assert f"{GENERAL}@{DOMAIN}".encode() in short.body
    assert b"Anyone can guess it" in short.body
    assert b"Anyone can guess it" not in long.body
    raw = short.header + short.body
    assert index_message(raw).value(raw, "subject") == f"You joined {GENERAL}".encode()


async def test_keys_are_derived_before_the_transaction_begins(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    within: list[bool] = []
    is_begun = False
    derive, transact = chans.derive, rooms.station.database.transact

    def watched(passphrase: str, address: Address | None = None) -> NewChan:
        within.append(is_begun)
        return derive(passphrase, address)

    async def begun(work: Callable[[Store], object]) -> object:
        nonlocal is_begun
        is_begun = True
        return await transact(work)

    monkeypatch.setattr(chan_mailboxes, "derive", watched)
    monkeypatch.setattr(rooms.station.database, "transact", begun)
    await rooms.create("Chans/general")
    assert within == [False]
    with pytest.raises(MailboxExists):
        await rooms.create("Chans/general")


@pytest.mark.parametrize("name", ["Chans/a/b", "Chans/" + "x" * 101, "Chans/tab\there"])
async def test_m4_what_cannot_be_a_passphrase_is_refused(rooms: Rooms, name: str) -> None:
    with pytest.raises(NotAllowed):
        await rooms.create(name)
    assert await rooms.chans.all(rooms.account.id) == []
    assert rooms.keys_changed == 0


async def test_m4_the_passphrase_is_normalised_and_keeps_case_and_spaces(rooms: Rooms) -> None:
    assert await rooms.create("Chans/Cafe\u0301  Noir") == "Chans/Caf\u00e9  Noir"
    (chan,) = await rooms.chans.all(rooms.account.id)
    other = await rooms.chans.join((await rooms.station.add_account("bob")).id, "Caf\u00e9  Noir")
    assert chan.membership.address == other.membership.address
    assert chan.membership.address != GENERAL


async def test_mail_programs_that_show_subscribed_mailboxes_alone_show_a_chan(rooms: Rooms) -> None:
    await rooms.chans.join(rooms.account.id, "general")
    await rooms.subscriptions.subscribe(rooms.account.id, NEWS)
    subscribed = {mailbox.name for mailbox in await rooms.mailboxes.all(rooms.account.id) if mailbox.subscribed}
    assert {"Chans/general", f"Subscriptions/{NEWS}"} <= subscribed


async def test_m4_an_account_takes_part_in_so_many_chans(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chans, "MAX_CHANS", 1)
    monkeypatch.setattr(subscriptions, "MAX_SUBSCRIPTIONS", 0)
    await rooms.create("Chans/general")
    for name in ("Chans/another", f"Subscriptions/{NEWS}"):
        with pytest.raises(LimitReached):
            await rooms.create(name)


@pytest.mark.parametrize("passphrase", ["50% off*", "a/b", " "])
async def test_a_passphrase_that_is_no_name_gets_one(rooms: Rooms, passphrase: str) -> None:
    chan = await rooms.chans.join(rooms.account.id, passphrase, label="" if passphrase.strip() else "blank")
    assert chan.label in ("50_ off_", "a_b", "blank")


async def test_names_of_several_passphrases_that_are_alike_are_numbered(rooms: Rooms) -> None:
    labels = [(await rooms.chans.join(rooms.account.id, passphrase)).label for passphrase in ("/", "%", "*")]
    assert labels == ["_", "_ 2", "_ 3"]
    with pytest.raises(Conflict, match="already"):
        await rooms.chans.join(rooms.account.id, "%")
    with pytest.raises(MailboxExists):
        await rooms.chans.join(rooms.account.id, "another", label="_")


async def test_m4_a_label_that_is_there_is_not_made_again(rooms: Rooms) -> None:
    await rooms.create("Chans/general")
    with pytest.raises(MailboxExists):
        await rooms.create("Chans/general")


async def test_m4_renaming_changes_the_label_only(rooms: Rooms) -> None:
    await rooms.create("Chans/general")
    await rooms.mailboxes.rename(rooms.account.id, "Chans/general", "Chans/everybody")
    (chan,) = await rooms.chans.all(rooms.account.id)
    assert (chan.membership.address, chan.label) == (GENERAL, "everybody")
    with pytest.raises(Conflict):
        await rooms.create("Chans/general")


@pytest.mark.parametrize(
    ("name", "new_name"),
    [("Chans/general", "Elsewhere"), ("Chans/general", "Chans/a/b"), ("Chans", "Rooms"), ("Mine", "Chans/mine")],
)
async def test_m4_nothing_moves_in_or_out(rooms: Rooms, name: str, new_name: str) -> None:
    await rooms.create("Chans/general")
    await rooms.create("Mine")
    with pytest.raises(NotAllowed):
        await rooms.mailboxes.rename(rooms.account.id, name, new_name)


async def test_m4_deleting_leaves_and_joining_again_is_possible(rooms: Rooms) -> None:
    await rooms.create("Chans/general")
    await rooms.mailboxes.delete(rooms.account.id, "Chans/general")
    assert await rooms.chans.all(rooms.account.id) == []
    assert rooms.keys_changed == 2
    await rooms.create("Chans/general")


async def test_m4_the_parent_stays_where_it_is(rooms: Rooms) -> None:
    await rooms.create("Chans/general")
    with pytest.raises(NotAllowed, match="Chans holds"):
        await rooms.mailboxes.delete(rooms.account.id, "Chans")


async def test_m3_the_parents_hold_no_mail(rooms: Rooms) -> None:
    await rooms.create("Chans")
    await rooms.create(f"Subscriptions/{NEWS}")
    kinds = {mailbox.name: mailbox.kind for mailbox in await rooms.mailboxes.all(rooms.account.id)}
    for name in ("Chans", "Subscriptions"):
        assert kinds[name] is MailboxKind.PARENT
        with pytest.raises(NotAllowed, match="holds no mail"):
            await rooms.mailboxes.open(rooms.account.id, name)
        with pytest.raises(NotAllowed, match="holds no mail"):
            await rooms.mailboxes.status(rooms.account.id, name)


async def test_a_chan_is_joined_by_address_with_a_label_of_its_own(rooms: Rooms) -> None:
    old = Address(3, GENERAL.stream, GENERAL.ripe)
    for label in ("old/room", "*", "100%"):
        with pytest.raises(NotAllowed, match="the label names a mailbox"):
            await rooms.chans.join(rooms.account.id, "general", old, label)
    chan = await rooms.chans.join(rooms.account.id, "general", old, "old room")
    assert (chan.membership.address, chan.label) == (old, "old room")
    with pytest.raises(NotAllowed, match="case and spaces"):
        await rooms.chans.join(rooms.account.id, "General", GENERAL)


async def test_one_takes_part_once_under_whatever_version_of_the_address(rooms: Rooms) -> None:
    await rooms.chans.join(rooms.account.id, "general")
    old = Address(3, GENERAL.stream, GENERAL.ripe)
    with pytest.raises(Conflict, match=rf"already, as {GENERAL} \(mailbox Chans/general\)$"):
        await rooms.chans.join(rooms.account.id, "general", old)
    again = await rooms.chans.join(rooms.account.id, "general", old, if_missing=True)
    assert again.membership.address == GENERAL
    assert await rooms.names() == ["Chans", "Chans/general"]
    other = await rooms.station.add_account("bob")
    assert (await rooms.chans.join(other.id, "general", old)).membership.address == old


async def test_an_own_identity_cannot_be_a_chan(rooms: Rooms) -> None:
    user = await rooms.station.add_user("carol")
    with pytest.raises(NotAllowed):
        await rooms.chans.join(rooms.account.id, "anything", user.identity.address)


@pytest.mark.parametrize("text", ["general", str(GENERAL), str(GENERAL).removeprefix("BM-")])
async def test_a_chan_is_left_by_label_or_address(rooms: Rooms, text: str) -> None:
    await rooms.chans.join(rooms.account.id, "general")
    await rooms.chans.leave(rooms.account.id, text)
    assert await rooms.names() == ["Chans"]
    with pytest.raises(Missing, match="your chans: none"):
        await rooms.chans.leave(rooms.account.id, text)


async def test_a_chan_is_meant_by_either_version_of_its_address(rooms: Rooms) -> None:
    await rooms.chans.join(rooms.account.id, "general", Address(3, GENERAL.stream, GENERAL.ripe))
    await rooms.chans.leave(rooms.account.id, f"{GENERAL}@{DOMAIN}")
    assert await rooms.names() == ["Chans"]


@pytest.mark.parametrize("ending", ["", f"@{DOMAIN}"])
@pytest.mark.parametrize("start", ["", "bitmessage:"])
async def test_what_is_meant_as_an_address_and_damaged_is_not_gone(rooms: Rooms, start: str, ending: str) -> None:
    damaged = start + str(GENERAL)[:-1] + "R" + ("" if start else ending)
    with pytest.raises(BadAddress):
        await rooms.chans.leave(rooms.account.id, damaged)
    with pytest.raises(BadAddress):
        await rooms.subscriptions.unsubscribe(rooms.account.id, damaged)
    with pytest.raises(Missing):
        await rooms.chans.leave(rooms.account.id, "nothing of that name")


async def test_an_address_means_its_own_chan_whatever_others_are_called(rooms: Rooms) -> None:
    await rooms.create("Chans/precious")
    await rooms.create("Chans/general")
    await rooms.mailboxes.rename(rooms.account.id, "Chans/precious", f"Chans/{GENERAL}")
    await rooms.chans.leave(rooms.account.id, str(GENERAL))
    assert await rooms.names() == ["Chans", f"Chans/{GENERAL}"]
    with pytest.raises(Missing):
        await rooms.chans.leave(rooms.account.id, str(GENERAL))


async def test_a_label_with_our_domain_in_it_is_no_other_one(rooms: Rooms) -> None:
    await rooms.chans.join(rooms.account.id, "foo")
    with pytest.raises(Missing):
        await rooms.chans.leave(rooms.account.id, f"foo@{DOMAIN}")
    await rooms.chans.join(rooms.account.id, f"foo@{DOMAIN}")
    await rooms.chans.leave(rooms.account.id, f"foo@{DOMAIN}")
    assert await rooms.names() == ["Chans", "Chans/foo"]


async def test_a_chan_whose_label_is_a_mail_address_is_meant_before_the_address(rooms: Rooms) -> None:
    await rooms.chans.join(rooms.account.id, "general")
    await rooms.chans.join(rooms.account.id, f"{GENERAL}@{DOMAIN}")
    for left in (["Chans", "Chans/general"], ["Chans"]):
        await rooms.chans.leave(rooms.account.id, f"{GENERAL}@{DOMAIN}")
        assert await rooms.names() == left


@pytest.mark.parametrize("text", [f"{GENERAL}@{DOMAIN}", f"{GENERAL}@BM.example", f"bitmessage:{GENERAL}?label=x"])
async def test_an_address_is_an_address_with_a_domain_or_as_a_link(rooms: Rooms, text: str) -> None:
    await rooms.chans.join(rooms.account.id, "general")
    await rooms.chans.label(rooms.account.id, text, "other")
    await rooms.chans.leave(rooms.account.id, text)
    await rooms.subscriptions.subscribe(rooms.account.id, GENERAL, "news")
    await rooms.subscriptions.set_enabled(rooms.account.id, text, False)
    await rooms.subscriptions.unsubscribe(rooms.account.id, text)


@pytest.mark.parametrize("name", [" foo", "foo ", "a  b"])
async def test_m4_spaces_of_a_label_count(rooms: Rooms, name: str) -> None:
    await rooms.create(f"Chans/{name}")
    await rooms.create(f"Chans/{' '.join(name.split())}")
    await rooms.chans.leave(rooms.account.id, name)
    assert await rooms.names() == ["Chans", f"Chans/{' '.join(name.split())}"]


# --- subscriptions ---


async def test_a_subscription_with_our_domain_in_its_label_is_no_other_one(rooms: Rooms) -> None:
    other = random_keys(os.urandom).public.address()
    await rooms.subscriptions.subscribe(rooms.account.id, other, "foo")
    await rooms.subscriptions.subscribe(rooms.account.id, NEWS, f"foo@{DOMAIN}")
    for _ in range(2):
        assert not (await rooms.subscriptions.set_enabled(rooms.account.id, f"foo@{DOMAIN}", False)).stored.enabled
    await rooms.subscriptions.unsubscribe(rooms.account.id, f"foo@{DOMAIN}")
    assert await rooms.names() == ["Subscriptions", "Subscriptions/foo"]


async def test_m5_creating_a_mailbox_below_subscriptions_subscribes(rooms: Rooms) -> None:
    assert await rooms.create(f"Subscriptions/{NEWS} The news") == "Subscriptions/The news"
    (subscription,) = await rooms.subscriptions.all(rooms.account.id)
    assert (subscription.stored.address, subscription.label) == (NEWS, "The news")
    assert rooms.subscriptions_changed == 1


async def test_m5_without_a_label_the_address_is_one(rooms: Rooms) -> None:
    assert await rooms.create(f"Subscriptions/{NEWS}") == f"Subscriptions/{NEWS}"


@pytest.mark.parametrize("name", ["Subscriptions/news", "Subscriptions/BM-2cW67", f"Subscriptions/{NEWS} a/b"])
async def test_m5_what_is_no_address_is_refused(rooms: Rooms, name: str) -> None:
    with pytest.raises(NotAllowed):
        await rooms.create(name)


async def test_m5_renaming_relabels_and_deleting_ends(rooms: Rooms) -> None:
    await rooms.create(f"Subscriptions/{NEWS} news")
    await rooms.mailboxes.rename(rooms.account.id, "Subscriptions/news", "Subscriptions/olds")
    (subscription,) = await rooms.subscriptions.all(rooms.account.id)
    assert subscription.label == "olds"
    await rooms.mailboxes.delete(rooms.account.id, "Subscriptions/olds")
    assert await rooms.subscriptions.all(rooms.account.id) == []


async def test_a_subscription_is_ended_by_label_or_address(rooms: Rooms) -> None:
    for text in ("news", str(NEWS)):
        await rooms.subscriptions.subscribe(rooms.account.id, NEWS, "news")
        with pytest.raises(Conflict):
            await rooms.subscriptions.subscribe(rooms.account.id, NEWS, "again")
        await rooms.subscriptions.unsubscribe(rooms.account.id, text)
    assert await rooms.names() == ["Subscriptions"]


async def test_an_address_means_its_own_subscription_whatever_others_are_called(rooms: Rooms) -> None:
    other = random_keys(os.urandom).public.address()
    await rooms.create(f"Subscriptions/{other} {NEWS}")
    await rooms.create(f"Subscriptions/{NEWS} news")
    await rooms.subscriptions.unsubscribe(rooms.account.id, str(NEWS))
    (left,) = await rooms.subscriptions.all(rooms.account.id)
    assert left.stored.address == other


@pytest.mark.parametrize("name", ["Chans/general", f"Subscriptions/{NEWS}"])
async def test_only_the_network_delivers_there(rooms: Rooms, name: str) -> None:
    await rooms.create(name)
    mail = b"Subject: mine\r\n\r\nmine\r\n"
    with pytest.raises(NotAllowed, match="from the network alone"):
        await rooms.mailboxes.append_all(rooms.account.id, name, [NewMail(mail, Flags.NONE, (), None)])


async def test_m4_what_cannot_be_a_mailbox_is_joined_by_a_command(rooms: Rooms) -> None:
    with pytest.raises(NotAllowed, match=f"mail the command join to bmgate@{DOMAIN}"):
        await rooms.create("Chans/a/b")


async def test_m5_what_is_no_address_is_not_called_a_damaged_one(rooms: Rooms) -> None:
    with pytest.raises(NotAllowed, match=r"name the mailbox Subscriptions/BM-\.\.\. and a label: foo is no address"):
        await rooms.create("Subscriptions/foo")
    with pytest.raises(NotAllowed, match="checksum"):
        await rooms.create(f"Subscriptions/{str(NEWS)[:-1]}")


async def test_a_label_given_by_command_renames_the_mailbox(rooms: Rooms) -> None:
    chan = await rooms.chans.join(rooms.account.id, "general")
    await rooms.subscriptions.subscribe(rooms.account.id, NEWS, "News")
    assert (await rooms.chans.label(rooms.account.id, "general", " my  room ")).label == "my room"
    assert (await rooms.subscriptions.label(rooms.account.id, str(NEWS), "Letters")).label == "Letters"
    assert await rooms.names() == ["Chans", "Chans/my room", "Subscriptions", "Subscriptions/Letters"]
    assert (await rooms.chans.label(rooms.account.id, "my room", "my room")).membership == chan.membership
    assert [mailbox.subscribed for mailbox in await rooms.mailboxes.all(rooms.account.id)][-3:] == [True, True, True]


async def test_a_label_that_is_taken_or_no_name_is_refused(rooms: Rooms) -> None:
    for name in ("general", "other"):
        await rooms.chans.join(rooms.account.id, name)
    with pytest.raises(MailboxExists):
        await rooms.chans.label(rooms.account.id, "general", "other")
    for label in ("", "a/b", "a%"):
        with pytest.raises(NotAllowed):
            await rooms.chans.label(rooms.account.id, "general", label)
    with pytest.raises(Missing):
        await rooms.chans.label(rooms.account.id, "nobody", "x")


@pytest.mark.parametrize("by_mailbox", [True, False])
async def test_the_name_of_a_mailbox_that_is_left_is_kept_nowhere(rooms: Rooms, by_mailbox: bool) -> None:
    account = rooms.account.id
    await rooms.chans.join(account, "a secret passphrase")
    await rooms.subscriptions.subscribe(account, NEWS, "News")
    if by_mailbox:
        await rooms.mailboxes.delete(account, "Chans/a secret passphrase")
        await rooms.mailboxes.delete(account, "Subscriptions/News")
    else:
        await rooms.chans.leave(account, "a secret passphrase")
        await rooms.subscriptions.unsubscribe(account, "News")
    assert await rooms.mailboxes.former_subscriptions(account) == []


async def test_an_ordinary_mailbox_stays_subscribed_when_it_is_deleted(rooms: Rooms) -> None:
    await rooms.create("Work")
    await rooms.mailboxes.set_subscribed(rooms.account.id, "Work", True)
    await rooms.mailboxes.delete(rooms.account.id, "Work")
    assert await rooms.mailboxes.former_subscriptions(rooms.account.id) == ["Work"], "RFC 3501 6.3.6"


async def test_many_are_joined_with_word_of_how_far_it_is(rooms: Rooms) -> None:
    prepared, applied = list[tuple[int, int]](), list[tuple[int, int]]()

    async def tell_prepared(done: int, of: int) -> None:
        prepared.append((done, of))

    async def tell_applied(done: int, of: int) -> None:
        applied.append((done, of))

    wanted = [(line, Joining(rooms.account.id, f"room {line}")) for line in range(12)]
    assert len(await rooms.chans.join_all(wanted, tell_prepared, tell_applied)) == 12
    assert prepared == [(10, 12)]
    assert applied == [(10, 12)]


async def test_a_batch_looks_at_no_list_for_each_of_its_lines(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    def every(_repository: object) -> list[object]:
        raise AssertionError("all of them are read for one")

    for repository in (AccountChanRepository, AccountSubscriptionRepository):
        monkeypatch.setattr(repository, "all", every)
    account, told = rooms.account.id, list[tuple[int, int]]()

    async def tell(done: int, of: int) -> None:
        told.append((done, of))

    addresses = [random_keys(os.urandom).public.address() for _ in range(12)]
    wanted = [(line, Subscribing(account, address)) for line, address in enumerate(addresses)]
    assert len(await rooms.subscriptions.subscribe_all(wanted, tell)) == 12
    assert told == [(10, 12)]
    await rooms.chans.join_all([(1, Joining(account, "general"))])
