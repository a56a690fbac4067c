"""Leaving with one's address: an account in one file, and the same account at another gateway."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_fixtures import (
    PASSPHRASE,
    SMALL_KIB,
    Told,
    address_of,
    fill_account,
    keys_of,
    mails_in,
    movers,
    picture_of,
    raw_mail,
    untold,
)
from stations import MakeStation, Station
from storage_fixtures import NOW

from bmgate.bm.keys import PrivateKeys
from bmgate.bm.network import MAINNET
from bmgate.domain.account import Account, AccountSecrets
from bmgate.domain.identity import NewIdentity
from bmgate.domain.mailbox import FlagChange, Flags, MailboxKind
from bmgate.domain.moving import MovedChan, MovedContact, MovedIdentity, MovedMail, Parcel
from bmgate.domain.ports.database import Store
from bmgate.errors import BadImport, Conflict, LimitReached, NotAllowed
from bmgate.mail.dates import MAX_TIME
from bmgate.services.moving.applying import MAX_THINGS
from bmgate.services.moving.archive import PIECE_SIZE, ArchiveKey, Sealer, open_archive, seal_archive
from bmgate.services.moving.archive_reading import read_archive
from bmgate.services.moving.archive_records import Manifest, account_records, end_record
from bmgate.services.moving.archive_records import mail_record as mail_portions
from bmgate.services.moving.exporting import MIN_PASSPHRASE

SECRETS = AccountSecrets(b"i" * 32, b"d" * 32)
MANIFEST = Manifest("test", "anna", 1_700_000_000, 1)


def account_record(manifest: Manifest, parcel: Parcel) -> bytes:
    return b"".join(account_records(manifest, parcel))


def mail_record(mail: MovedMail) -> bytes:
    return b"".join(mail_portions(mail))


def sealed(plain: bytes) -> bytes:
    return b"".join(seal_archive([plain], PASSPHRASE, os.urandom, 1, SMALL_KIB))


def opened(data: bytes, passphrase: str = PASSPHRASE, piece: int = 1000) -> bytes:
    pieces = (data[start : start + piece] for start in range(0, len(data), piece))
    return b"".join(open_archive(pieces, ArchiveKey(passphrase)))


@pytest.fixture
async def filled(station: Station) -> Account:
    account = await station.add_account("anna")
    await station.database.transact(lambda store: fill_account(store, account))
    return account


@pytest.fixture
async def archive(station: Station, filled: Account, tmp_path: Path) -> Path:
    path = tmp_path / "anna.bmgate"
    await movers(station, tmp_path).exports.archive(filled, path, PASSPHRASE, untold, force=False)
    return path


async def test_an_account_is_the_same_at_another_gateway(
    make_station: MakeStation, station: Station, filled: Account, archive: Path, tmp_path: Path
) -> None:
    assert os.stat(archive).st_mode & 0o777 == 0o600
    there = await make_station()
    moved = await there.add_account("anna")
    told = Told()
    report = await movers(there, tmp_path).imports.archive(moved.id, archive, PASSPHRASE, told, dry_run=False)
    assert report.notes == []
    assert told[-1] == {"step": "storing", "done": 16, "of": 16}
    before, after = await station.database.read(picture_of(filled)), await there.database.read(picture_of(moved))
    assert before["mail"]["INBOX"]
    assert before["threads"][0][0] is not None
    assert before["held"]
    assert before["deleted"][0][4] == ["formerly"]
    (draft,) = after["mail"].pop("Drafts")
    assert b"Subject: waiting 0" in draft[0]
    assert str(address_of("friend")).encode() in draft[0]
    assert (draft[1], draft[3]) == (Flags.SEEN | Flags.DRAFT, NOW)
    assert before["mail"].pop("Drafts") == []
    for each in (before, after):
        del each["saved"]["Drafts"]
    assert after == before


async def test_what_waits_is_sent_by_the_gateway_that_took_it_and_is_a_draft_at_the_other(
    make_station: MakeStation, station: Station, filled: Account, tmp_path: Path
) -> None:
    path = tmp_path / "archive"
    rows = [(row.name, row.state) for row in await station.rows()]
    made = await movers(station, tmp_path).exports.archive(filled, path, PASSPHRASE, untold, force=False)
    assert (made.mails, made.waiting) == (16, 1)
    assert [(row.name, row.state) for row in await station.rows()] == rows
    there = await make_station()
    moved = await there.add_account("anna")
    imports = movers(there, tmp_path).imports
    for new in (16, 0):
        report = await imports.archive(moved.id, path, PASSPHRASE, untold, dry_run=False)
        assert report.counts["messages"].new == new
    assert await there.rows() == []


async def test_a_mail_that_was_pending_is_not_said_to_be_where_nothing_sends_it(
    make_station: MakeStation, station: Station, filled: Account, tmp_path: Path
) -> None:
    def pend(store: Store) -> None:
        mine = store.account(filled.id)
        sent = mine.mailboxes.by_kind(MailboxKind.SENT)
        mine.messages.set_flags(sent.id, [1], FlagChange.ADD, Flags.NONE, ["bm-pending"])

    await station.database.transact(pend)
    path, there = tmp_path / "archive", await make_station()
    await movers(station, tmp_path).exports.archive(filled, path, PASSPHRASE, untold, force=False)
    moved = await there.add_account("anna")
    await movers(there, tmp_path).imports.archive(moved.id, path, PASSPHRASE, untold, dry_run=False)
    words = [mail[2] for mail in (await there.database.read(picture_of(moved)))["mail"]["Sent"]]
    assert [set(each) for each in words] == [{"$Label1", "bm-acked"}] * 3


async def test_a_deleted_address_can_be_brought_back_at_the_other_gateway(
    make_station: MakeStation, archive: Path, tmp_path: Path
) -> None:
    there = await make_station()
    account = await there.add_account("anna")
    await movers(there, tmp_path).imports.archive(account.id, archive, PASSPHRASE, untold, dry_run=False)

    def restore(store: Store) -> list[str]:
        mine = store.account(account.id)
        (deleted,) = mine.identities.deleted()
        mine.identities.restore(deleted.id, NOW)
        return [name for name, identity in mine.identities.aliases().items() if identity == deleted.id]

    assert await there.database.transact(restore) == ["formerly"]


async def test_a_deleted_address_that_is_anothers_here_is_told_and_left_out(
    make_station: MakeStation, station: Station, filled: Account, archive: Path, tmp_path: Path
) -> None:
    there = await make_station()
    (lost,) = (await station.database.read(picture_of(filled)))["deleted"]
    keys = PrivateKeys(*lost[3])
    await there.add_identity(await there.add_account("other"), NewIdentity(lost[0], keys, "", True, 1, 1000, NOW))
    account = await there.add_account("anna")
    report = await movers(there, tmp_path).imports.archive(account.id, archive, PASSPHRASE, untold, dry_run=False)
    assert len(report.notes) == 1
    assert str(lost[0]) in report.notes[0]
    assert (await there.database.read(picture_of(account)))["deleted"] == []


async def test_what_came_to_the_old_gateway_after_the_first_import_comes_with_the_second(
    make_station: MakeStation, station: Station, filled: Account, archive: Path, tmp_path: Path
) -> None:
    there = await make_station()
    account = await there.add_account("anna")
    imports = movers(there, tmp_path).imports
    await imports.archive(account.id, archive, PASSPHRASE, untold, dry_run=False)

    def come(store: Store) -> None:
        store.account(filled.id).duplicates.remember(b"later", NOW + 1)

    await station.database.transact(come)
    exports = movers(station, tmp_path).exports
    await exports.archive(filled, archive, PASSPHRASE, untold, force=True)
    await imports.archive(account.id, archive, PASSPHRASE, untold, dry_run=False)
    assert await there.database.read(lambda store: store.account(account.id).duplicates.seen(b"later"))


async def test_an_archive_of_the_first_version_is_read(station: Station, tmp_path: Path) -> None:
    account, path = await station.add_account("anna"), tmp_path / "archive"
    kind, fields = msgpack.unpackb(FIRST[4:])
    for record in (fields, *fields["identities"], *fields["chans"]):
        for name in ("former", "deleted_at", "answered", "subscribed", "mailbox"):
            record.pop(name, None)
    first = msgpack.packb([kind, fields | {"version": 1, "duplicates": [[b"t" * 32, NOW + 5]]}])
    path.write_bytes(sealed(framed(first) + END))
    await movers(station, tmp_path).imports.archive(account.id, path, PASSPHRASE, untold, dry_run=False)
    tags = await station.database.read(lambda store: store.account(account.id).duplicates.tags())
    assert tags == [(b"t" * 32, NOW + 5)]
    assert [each.label for each in await station.services.identities.all(account.id)] == ["Alice"]


async def test_a_second_import_changes_nothing(make_station: MakeStation, archive: Path, tmp_path: Path) -> None:
    there = await make_station()
    account = await there.add_account("anna")
    imports = movers(there, tmp_path).imports
    await imports.archive(account.id, archive, PASSPHRASE, untold, dry_run=False)
    before = await there.database.read(picture_of(account))
    report = await imports.archive(account.id, archive, PASSPHRASE, untold, dry_run=False)
    assert {kind: count.new for kind, count in report.counts.items()} == dict.fromkeys(report.counts, 0)
    assert await there.database.read(picture_of(account)) == before


async def test_an_account_with_a_life_of_its_own_keeps_its_secrets_and_gets_the_rest(
    make_station: MakeStation, archive: Path, tmp_path: Path
) -> None:
    there = await make_station()
    user = await there.add_user("anna")
    await user.send(user)
    await there.settle()
    secrets = (await there.database.read(picture_of(user.account)))["secrets"]
    report = await movers(there, tmp_path).imports.archive(user.id, archive, PASSPHRASE, untold, dry_run=False)
    after = await there.database.read(picture_of(user.account))
    assert after["secrets"] == secrets
    assert len(after["identities"]) == 3
    assert "mail of its own" in report.notes[0]


async def test_an_address_that_is_still_elsewhere_on_the_gateway_is_refused(
    station: Station, archive: Path, tmp_path: Path
) -> None:
    other = await station.add_account("other")
    with pytest.raises(Conflict):
        await movers(station, tmp_path).imports.archive(other.id, archive, PASSPHRASE, untold, dry_run=False)


async def test_a_short_passphrase_is_refused(station: Station, filled: Account, tmp_path: Path) -> None:
    path = tmp_path / "x"
    with pytest.raises(NotAllowed):
        await movers(station, tmp_path).exports.archive(filled, path, "x" * (MIN_PASSPHRASE - 1), untold, force=False)


async def test_an_archive_of_another_network_is_refused(station: Station, tmp_path: Path) -> None:
    account = await station.add_account("anna")
    path = tmp_path / "archive"
    manifest = Manifest(MAINNET.name, "anna", 0, 0)
    path.write_bytes(sealed(account_record(manifest, Parcel(secrets=SECRETS)) + end_record(0)))
    with pytest.raises(NotAllowed, match="network"):
        await movers(station, tmp_path).imports.archive(account.id, path, PASSPHRASE, untold, dry_run=False)


async def test_e8_a_truncated_archive_is_refused_whole(
    make_station: MakeStation, archive: Path, tmp_path: Path
) -> None:
    there = await make_station()
    account = await there.add_account("anna")
    before = await there.database.read(picture_of(account))
    imports = movers(there, tmp_path).imports
    whole, cut = await asyncio.to_thread(archive.read_bytes), tmp_path / "cut"
    for size in (0, 10, 100, PIECE_SIZE, len(whole) - 70_000, len(whole) - 1):
        cut.write_bytes(whole[:size])
        with pytest.raises(BadImport):
            await imports.archive(account.id, cut, PASSPHRASE, untold, dry_run=False)
    for flipped in (0, 20, 50, 100, len(whole) // 2, len(whole) - 1):
        cut.write_bytes(whole[:flipped] + bytes([whole[flipped] ^ 1]) + whole[flipped + 1 :])
        with pytest.raises(BadImport):
            await imports.archive(account.id, cut, PASSPHRASE, untold, dry_run=False)
    cut.write_bytes(whole + b"x")
    with pytest.raises(BadImport):
        await imports.archive(account.id, cut, PASSPHRASE, untold, dry_run=False)
    assert await there.database.read(picture_of(account)) == before


def test_a_wrong_passphrase_says_so() -> None:
    with pytest.raises(BadImport, match="wrong passphrase"):
        opened(sealed(b"content"), "another passphrase")


@pytest.mark.parametrize("size", [0, 1, PIECE_SIZE - 1, PIECE_SIZE, PIECE_SIZE + 1, 3 * PIECE_SIZE])
def test_what_is_sealed_opens_in_pieces_of_any_size(size: int) -> None:
    plain = os.urandom(size)
    data = sealed(plain)
    assert opened(data) == plain == opened(data, piece=len(data)) == opened(data, piece=PIECE_SIZE + 17)


def test_pieces_cannot_be_left_out_or_exchanged() -> None:
    data = sealed(os.urandom(4 * PIECE_SIZE))
    step = PIECE_SIZE + 17
    head = len(data) - 4 * step
    pieces = [data[head + place * step : head + (place + 1) * step] for place in range(4)]
    for order in ([0, 1, 3], [1, 0, 2, 3], [0, 1, 1, 2, 3], [0, 1, 2]):
        with pytest.raises(BadImport):
            opened(data[:head] + b"".join(pieces[place] for place in order))


def test_e8_an_archive_that_asks_for_a_terabyte_of_memory_is_refused() -> None:
    data = bytearray(sealed(b""))
    data[18:22] = b"\xff\xff\xff\xff"
    with pytest.raises(BadImport, match="more work"):
        opened(bytes(data))


def test_an_archive_of_a_later_version_is_refused() -> None:
    data = bytearray(sealed(b""))
    data[16] = 2
    with pytest.raises(BadImport, match="version 2"):
        opened(bytes(data))


def test_the_sealer_holds_back_one_piece_only() -> None:
    sealer = Sealer(PASSPHRASE, os.urandom, 1, SMALL_KIB)
    sizes = [len(sealer.feed(b"x" * 10_000)) for _ in range(70)]
    assert max(sizes) == PIECE_SIZE + 17
    assert len(sealer.finish()) <= PIECE_SIZE + 17


# -- records -----------------------------------------------------------------------------------------------------------

ALICE = MovedIdentity(address_of("alice"), keys_of("alice"), "Alice", aliases=("office",))
GENERAL = MovedChan(address_of("general"), keys_of("general"), "general")
WHOLE = Parcel(identities=(ALICE,), chans=(GENERAL,), secrets=SECRETS, duplicates=((b"t" * 32, 5),))
(FIRST, *MORE), END = account_records(MANIFEST, WHOLE), end_record(0)
ACCOUNT = b"".join([FIRST, *MORE])
MAIL = MovedMail("INBOX", raw_mail(1), Flags.SEEN, ("$Label1",), 5, address_of("general"))


def framed(packed: bytes) -> bytes:
    return len(packed).to_bytes(4) + packed


def changed(**values: Any) -> bytes:
    """An account record with other values in it."""
    kind, fields = msgpack.unpackb(FIRST[4:])
    return framed(msgpack.packb([kind, fields | values]))


def changed_identity(**values: Any) -> bytes:
    kind, fields = msgpack.unpackb(FIRST[4:])
    fields["identities"][0] |= values
    return framed(msgpack.packb([kind, fields]))


def read(data: bytes) -> tuple[Manifest, Parcel, list[MovedMail]]:
    manifest, parcel, mails = read_archive(iter([data[:100], data[100:]]))
    return manifest, parcel, list(mails)


def test_records_survive_the_round_trip() -> None:
    data = account_record(MANIFEST, WHOLE) + mail_record(MAIL) + end_record(1)
    assert read(data) == (MANIFEST, WHOLE, [MAIL])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        END,
        ACCOUNT,
        ACCOUNT + end_record(1),
        ACCOUNT + END + END,
        ACCOUNT + END + b"\x93",
        ACCOUNT + ACCOUNT,
        ACCOUNT + framed(msgpack.packb(["mail", {"raw": "text"}])) + end_record(1),
        ACCOUNT + mail_record(MAIL._replace(internaldate=None)) + end_record(1),
        ACCOUNT + mail_record(MAIL._replace(flags=Flags(64))) + end_record(1),
        changed(version=3) + END,
        changed(version=0) + END,
        changed(id_key=b"short") + END,
        changed(options={"ttl": 5}) + END,
        changed(duplicates=[[b"t", 5]]) + END,
        changed(contacts=[{"address": "BM-x"}]) + END,
        changed(mailboxes=[5]) + END,
        changed_identity(signing=bytes(32)) + END,
        changed_identity(encryption=b"\xff" * 32) + END,
        changed_identity(signing=keys_of("bob").signing) + END,
        changed_identity(aliases=["../etc"]) + END,
        changed_identity(created_at=-1) + END,
        changed_identity(created_at=MAX_TIME + 1) + END,
        changed_identity(enabled=1) + END,
        framed(b"\x91" * 100_000),
        framed(b"\xc1"),
        framed(msgpack.packb(5)),
        b"\xff" * 10,
    ],
)
def test_e8_hostile_records_are_refused(data: bytes) -> None:
    with pytest.raises(BadImport):
        read(data)


@settings(max_examples=200)
@given(st.binary(max_size=300), st.integers(0, 400))
def test_arbitrary_records_give_only_our_error(junk: bytes, at: int) -> None:
    whole = ACCOUNT + mail_record(MAIL) + end_record(1)
    with suppress(BadImport):
        read(whole[:at] + junk + whole[at + len(junk) :])


async def test_e8_mailbox_names_that_cannot_be_are_refused(station: Station, tmp_path: Path) -> None:
    account = await station.add_account("anna")
    path = tmp_path / "archive"
    for name in ("", "a//b", "x" * 300, "a/" * 30):
        data = ACCOUNT + mail_record(MAIL._replace(mailbox=name, of=None)) + end_record(1)
        path.write_bytes(sealed(data))
        with pytest.raises(NotAllowed):
            await movers(station, tmp_path).imports.archive(account.id, path, PASSPHRASE, untold, dry_run=False)
    assert await station.services.identities.all(account.id) == []


async def test_what_stood_in_names_elsewhere_and_cannot_here_holds_nobodys_mail_back(
    station: Station, tmp_path: Path
) -> None:
    account, path = await station.add_account("anna"), tmp_path / "archive"
    mails = [MAIL._replace(mailbox=name, of=None) for name in ("a\0b", "50%/\u202eover")]
    path.write_bytes(sealed(ACCOUNT + b"".join(map(mail_record, mails)) + end_record(2)))
    await movers(station, tmp_path).imports.archive(account.id, path, PASSPHRASE, untold, dry_run=False)
    mail = (await station.database.read(picture_of(account)))["mail"]
    assert (len(mail["a_b"]), len(mail["50_/_over"])) == (1, 1)


async def test_e8_an_archive_with_too_many_contacts_is_refused(station: Station, tmp_path: Path) -> None:
    account, path = await station.add_account("anna"), tmp_path / "archive"
    contacts = (MovedContact(address_of("alice"), "Alice"),) * (MAX_THINGS + 1)
    path.write_bytes(sealed(account_record(MANIFEST, Parcel(secrets=SECRETS, contacts=contacts)) + END))
    with pytest.raises(LimitReached, match="contacts"):
        await movers(station, tmp_path).imports.archive(account.id, path, PASSPHRASE, untold, dry_run=False)


async def test_mail_for_a_name_that_means_something_here_goes_below_imported(station: Station, tmp_path: Path) -> None:
    account = await station.add_account("anna")
    path = tmp_path / "archive"
    mails = [MAIL._replace(mailbox=name, of=None) for name in ("Outbox", "Chans/other", "Sent Items")]
    path.write_bytes(sealed(ACCOUNT + b"".join(map(mail_record, mails)) + end_record(3)))
    await movers(station, tmp_path).imports.archive(account.id, path, PASSPHRASE, untold, dry_run=False)
    for name in ("Imported/Outbox", "Imported/Chans/other", "Sent"):
        assert len(await station.database.read(lambda store, of=name: mails_in(store, account, of))) == 1  # type: ignore[misc]
