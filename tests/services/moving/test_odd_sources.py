"""Files as they really are: what cannot come is told, what came already is known again, and nothing passes a limit."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from moving_fixtures import (
    PASSPHRASE,
    address_of,
    inbox_row,
    keys_of,
    mails_in,
    movers,
    raw_mail,
    section,
    untold,
    write_messages_dat,
)
from stations import Station
from storage_fixtures import NOW

from bmgate.bm.keysdat import read_keys_file
from bmgate.bm.network import TESTNET
from bmgate.domain.account import Account
from bmgate.domain.contact import Standing
from bmgate.domain.identity import Identity
from bmgate.domain.mailbox import Flags, MailboxKind
from bmgate.domain.moving import MovedContact, MovedIdentity, MovedMail, Parcel
from bmgate.domain.policy import Policy
from bmgate.domain.ports.database import Store
from bmgate.errors import BadImport, LimitReached, NotAllowed
from bmgate.services.mailboxes.indexed import indexed
from bmgate.services.moving.applying import Applier
from bmgate.services.moving.archive import seal_archive
from bmgate.services.moving.archive_records import Manifest, account_records, end_record, mail_record
from bmgate.services.moving.pybitmessage import parcel_of_keys
from bmgate.services.moving.report import Report
from bmgate.services.policies import Policies
from bmgate.storage.repositories.account_identities import AccountIdentityRepository

ALICE, BOB = address_of("alice"), address_of("bob")
OLD_ALICE = keys_of("alice").public.address(version=3)


@pytest.fixture
async def account(station: Station) -> Account:
    return await station.add_account("anna")


def both_versions(*of_the_old: str) -> str:
    old = section("alice", *of_the_old).replace(str(ALICE), str(OLD_ALICE))
    return old + section("alice", "label = new")


def archive_of(parcel: Parcel, *mails: MovedMail) -> bytes:
    records = [*account_records(Manifest("test", "anna", 5, len(mails)), parcel)]
    records += [portion for mail in mails for portion in mail_record(mail)]
    return b"".join(seal_archive([*records, end_record(len(mails))], PASSPHRASE, lambda size: bytes(size), 1, 8))


# -- one pair of keys under two addresses ------------------------------------------------------------------------------


async def test_of_one_pair_of_keys_one_address_comes_and_the_other_is_named(
    station: Station, account: Account, tmp_path: Path
) -> None:
    (tmp_path / "keys.dat").write_text(both_versions())
    report = await movers(station, tmp_path).imports.pybitmessage(account.id, tmp_path, untold, dry_run=False)
    assert [each.address for each in await station.services.identities.all(account.id)] == [ALICE]
    assert any(str(OLD_ALICE) in note and str(ALICE) in note for note in report.notes)


@pytest.mark.parametrize(
    ("text", "here", "kept"),
    [
        (both_versions(), (), ALICE),
        (both_versions(), (OLD_ALICE,), OLD_ALICE),
        (both_versions().replace("label = new", "enabled = false"), (), OLD_ALICE),
    ],
    ids=["the higher version", "what is here", "what is enabled"],
)
def test_which_address_of_a_pair_of_keys_comes(text: str, here: tuple[Any, ...], kept: Any) -> None:
    parcel = parcel_of_keys(read_keys_file(text.encode()), TESTNET, here)
    assert ([each.address for each in parcel.identities], len(parcel.notes)) == ([kept], 1)


async def test_a_chan_of_two_versions_leaves_and_comes(
    station: Station, make_station: Any, account: Account, tmp_path: Path
) -> None:
    text = both_versions("chan = true").replace("label = new", "label = [chan] alice\nchan = true")
    (tmp_path / "keys.dat").write_text(text)
    moving, back = movers(station, tmp_path), tmp_path / "back.dat"
    await moving.imports.pybitmessage(account.id, tmp_path, untold, dry_run=False)
    assert await moving.exports.keys(account.id, back, force=False) == 2
    there = await make_station()
    other = await there.add_account("bert")
    report = await movers(there, tmp_path).imports.pybitmessage(other.id, back, untold, dry_run=False)
    assert report.counts["chans"].new == 2


# -- what is there already ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["mbox", "maildir"])
async def test_mail_that_no_name_finds_does_not_come_twice(
    station: Station, account: Account, tmp_path: Path, form: str
) -> None:
    raws = [b"Subject: none\r\n\r\nx", raw_mail(1), b"", b"Subject: y\r\n\r\na\r\r\nb\r\n"]

    def fill(store: Store) -> None:
        mine = store.account(account.id)
        drafts = mine.mailboxes.by_kind(MailboxKind.DRAFTS)
        for raw in raws:
            mine.messages.append(drafts.id, mine.messages.add_content(indexed(raw).content()), Flags.NONE, (), NOW)

    await station.database.transact(fill)
    moving, out = movers(station, tmp_path), tmp_path / "out"
    await getattr(moving.exports, form)(account.id, out, untold)
    report = await getattr(moving.imports, form)(account.id, out, "", untold, dry_run=False)
    assert (report.counts["messages"].new, report.counts["messages"].there) == (0, len(raws))


# -- where exports may go ----------------------------------------------------------------------------------------------


async def test_no_export_replaces_what_the_gateway_needs(station: Station, account: Account, tmp_path: Path) -> None:
    own = tmp_path / "gateway"
    own.mkdir()
    settings = own / "gateway.ini"
    settings.write_text("[gateway]\n")
    (tmp_path / "link").symlink_to(own)
    exports = movers(station, tmp_path).exports
    for target in (settings, tmp_path / "link" / "gateway.ini", own / "sub" / ".." / "gateway.ini"):
        with pytest.raises(NotAllowed, match="exports"):
            await exports.keys(account.id, target, force=True)
    with pytest.raises(NotAllowed, match="exports"):
        await exports.mbox(account.id, own / "mail", untold)
    assert settings.read_text() == "[gateway]\n"
    await exports.keys(account.id, own / "exports" / "keys.dat", force=False)
    assert (own / "exports").stat().st_mode & 0o777 == 0o700


# -- messages.dat ------------------------------------------------------------------------------------------------------


async def test_messages_dat_is_copied_nowhere_and_old_copies_go(
    station: Station, account: Account, tmp_path: Path
) -> None:
    old = tmp_path / "gateway" / ".import-abcd"
    old.mkdir(parents=True)
    (old / "messages.dat").write_text("plain")
    path = write_messages_dat(tmp_path / "messages.dat", [inbox_row(str(ALICE), str(BOB))])
    imports = movers(station, tmp_path).imports
    seen: set[str] = set()

    def look() -> None:
        seen.update(str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*messages.dat*"))

    async def tell(value: Any) -> None:
        look()

    await imports.sweep()
    await imports.pybitmessage(account.id, path, tell, dry_run=False)
    assert seen == {"messages.dat"}


async def test_a_messages_dat_that_changes_while_it_is_read_brings_nothing(
    station: Station, account: Account, tmp_path: Path
) -> None:
    path = write_messages_dat(tmp_path / "messages.dat", [inbox_row(str(ALICE), str(BOB))])

    async def tell(value: Any) -> None:
        connection = sqlite3.connect(path)
        connection.execute("UPDATE inbox SET subject = subject || 'x'")
        connection.commit()
        connection.close()

    with pytest.raises(BadImport, match="changed"):
        await movers(station, tmp_path).imports.pybitmessage(account.id, path, tell, dry_run=False)
    assert await station.database.read(lambda store: mails_in(store, account, "INBOX")) == []


async def test_a_name_of_arbitrary_bytes_in_a_damaged_database_refuses_the_whole(
    station: Station, account: Account, tmp_path: Path
) -> None:
    path = write_messages_dat(tmp_path / "messages.dat", [])
    data = path.read_bytes()
    path.write_bytes(data.replace(b"CREATE TABLE inbox (", b"CREATE TABLE \xff\xfebox ("))
    with pytest.raises(BadImport, match="damaged"):
        await movers(station, tmp_path).imports.pybitmessage(account.id, path, untold, dry_run=False)


async def test_labels_of_lists_come_and_what_does_not_is_told(
    station: Station, account: Account, tmp_path: Path
) -> None:
    rows = [
        ("blacklist", ("foe", str(BOB), 1)),
        ("whitelist", ("was friend", str(ALICE), 0)),
        ("addressbook", (f"{BOB} indeed", str(address_of("carol")))),
        ("pubkeys", (str(ALICE), 4, b"damaged", NOW, "yes")),
    ]
    write_messages_dat(tmp_path / "messages.dat", rows)
    report = await movers(station, tmp_path).imports.pybitmessage(account.id, tmp_path, untold, dry_run=False)
    there = await station.database.read(lambda store: store.account(account.id).contacts.entries())
    contacts = {each.address: each for each in there}
    assert (contacts[BOB].label, contacts[BOB].standing) == ("foe", Standing.BLOCKED)
    assert (contacts[ALICE].label, contacts[ALICE].standing) == ("was friend", Standing.NONE)
    told = " ".join(report.notes)
    assert all(words in told for words in ("1 entries of the black", "1 pubkeys", f"label of {address_of('carol')}"))


@pytest.mark.parametrize("name", ["keys.dat", "messages.dat", "box.mbox"])
async def test_a_file_with_nothing_in_it_is_refused(
    station: Station, account: Account, tmp_path: Path, name: str
) -> None:
    path, imports = tmp_path / name, movers(station, tmp_path).imports
    path.write_bytes(b"[bitmessagesettings]\n" if name == "keys.dat" else b"")
    is_mail = name == "box.mbox"
    coming = imports.mbox(account.id, path, "", untold, dry_run=False) if is_mail else None
    with pytest.raises(BadImport, match=r"empty|nothing"):
        await (coming or imports.pybitmessage(account.id, path, untold, dry_run=False))


# -- archives ----------------------------------------------------------------------------------------------------------


async def test_demands_labels_and_keywords_of_an_archive_are_as_they_would_be_here(
    station: Station, account: Account, tmp_path: Path
) -> None:
    parcel = Parcel(
        identities=(
            MovedIdentity(ALICE, keys_of("alice"), "a\r\nb\0\x1b\u202ec" * 5_000, nonce_trials_per_byte=2 * 10**9),
        ),
        contacts=(MovedContact(BOB, "admin@bm.internal"), MovedContact(address_of("carol"), "c\r\nd" + "x" * 60_000)),
        secrets=(await station.database.read(lambda store: store.account(account.id).secrets)),
    )
    words = ("`x", ")", "(", '"', "\\Seen", "{5}", "%", "w" * 5_000, "fine", "fine")
    path = tmp_path / "archive"
    path.write_bytes(archive_of(parcel, MovedMail("INBOX", raw_mail(1), Flags.NONE, words, NOW)))
    report = await movers(station, tmp_path).imports.archive(account.id, path, PASSPHRASE, untold, dry_run=False)
    (identity,) = await station.database.read(lambda store: store.account(account.id).identities.all())
    assert identity.nonce_trials_per_byte == 100 * TESTNET.nonce_trials_per_byte
    assert (len(identity.label), identity.label[:3]) == (64, "a b")
    (contact,) = await station.database.read(lambda store: store.account(account.id).contacts.all())
    assert (len(contact.label), contact.label[:5]) == (64, "c dxx")
    assert await station.database.read(lambda store: mails_in(store, account, "INBOX")[0][2]) == ("`x", "fine")
    assert [words in " ".join(report.notes) for words in ("100 times", f"label of {BOB}")] == [True, True]


async def test_mail_of_too_many_mailboxes_makes_none(station: Station, account: Account, tmp_path: Path) -> None:
    mails = [MovedMail(f"box {number}", raw_mail(number), internaldate=NOW) for number in range(1_001)]
    path = tmp_path / "archive"
    secrets = await station.database.read(lambda store: store.account(account.id).secrets)
    path.write_bytes(archive_of(Parcel(secrets=secrets), *mails))
    with pytest.raises(LimitReached, match="mailboxes; it may have 1000"):
        await movers(station, tmp_path).imports.archive(account.id, path, PASSPHRASE, untold, dry_run=False)
    there = await station.database.read(lambda store: store.account(account.id).mailboxes.all())
    assert not any(each.name.startswith("box") for each in there)


async def test_looking_for_each_address_reads_no_others(
    station: Station, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking at all that is there for each that comes took 19 s for a thousand."""
    looks: list[int] = []
    whole = AccountIdentityRepository.all

    def counted(identities: AccountIdentityRepository) -> list[Identity]:
        looks.append(1)
        return whole(identities)

    monkeypatch.setattr(AccountIdentityRepository, "all", counted)
    moving = tuple(MovedIdentity(address_of(str(number)), keys_of(str(number))) for number in range(20))
    applier = Applier(Policies(Policy()), TESTNET)

    def apply(store: Store) -> None:
        applier.apply(store, store.account(account.id), Parcel(identities=moving), {}, NOW, Report())

    await station.database.transact(apply)
    assert len(looks) < 5
