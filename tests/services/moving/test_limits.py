"""No import passes a limit: it is refused whole, with the reason, before anything of it is stored."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from moving_fixtures import Told, mbox_of, movers, picture_of, raw_mail, untold, write_messages_dat
from stations import Station

from bmgate.bm.keys import encode_wif, random_keys
from bmgate.domain.account import Account
from bmgate.domain.moving import MovedMail
from bmgate.errors import LimitReached, OverQuota
from bmgate.services.chans.chans import MAX_CHANS
from bmgate.services.chans.subscriptions import MAX_SUBSCRIPTIONS
from bmgate.services.contacts.contacts import MAX_CONTACTS
from bmgate.services.identities.requests import MAX_IDENTITIES
from bmgate.services.mailboxes.mailbox_names import MAX_MAILBOXES


@pytest.fixture
async def account(station: Station) -> Account:
    return await station.add_account("anna")


def addresses(folder: Path, number: int, *lines: str) -> None:
    """A keys.dat with so many, of keys that are quickly made."""
    sections = []
    for _ in range(number):
        keys = random_keys(os.urandom, leading_zeros=0)
        private = f"privsigningkey = {encode_wif(keys.signing)}", f"privencryptionkey = {encode_wif(keys.encryption)}"
        sections.append("\n".join([f"[{keys.public.address()}]", *lines, *private, "", ""]))
    (folder / "keys.dat").write_text("".join(sections))


def listed(folder: Path, table: str, number: int, *flags: int) -> None:
    keys = (random_keys(os.urandom, leading_zeros=0).public.address() for _ in range(number))
    write_messages_dat(folder / "messages.dat", [(table, ("label", str(each), *flags)) for each in keys])


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda folder: addresses(folder, MAX_IDENTITIES + 1), "1000 addresses"),
        (lambda folder: addresses(folder, MAX_CHANS + 1, "chan = true"), "201 chans; it may have 200"),
        (lambda folder: listed(folder, "subscriptions", MAX_SUBSCRIPTIONS + 1, 1), "1001 subscriptions"),
        (lambda folder: listed(folder, "addressbook", MAX_CONTACTS + 1), "5001 contacts"),
    ],
)
async def test_an_import_that_passes_a_limit_is_refused_whole(
    station: Station, account: Account, tmp_path: Path, make: Callable[[Path], None], told: str
) -> None:
    make(tmp_path)
    before = await station.database.read(picture_of(account))
    for dry_run in (True, False):
        with pytest.raises(LimitReached, match=told):
            await movers(station, tmp_path).imports.pybitmessage(account.id, tmp_path, untold, dry_run=dry_run)
    assert await station.database.read(picture_of(account)) == before


async def test_addresses_that_are_there_already_do_not_count_again(
    station: Station, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imports = movers(station, tmp_path).imports
    monkeypatch.setattr("bmgate.services.identities.requests.MAX_IDENTITIES", 3)
    addresses(tmp_path, 2)
    for _ in range(2):
        await imports.pybitmessage(account.id, tmp_path, untold, dry_run=False)
    addresses(tmp_path, 2)
    with pytest.raises(LimitReached):
        await imports.pybitmessage(account.id, tmp_path, untold, dry_run=False)


async def test_too_many_mailboxes_are_refused_before_any_mail_is_stored(
    station: Station, account: Account, tmp_path: Path
) -> None:
    folder, told = tmp_path / "mail", Told()
    (folder / "new").mkdir(parents=True)
    for number in range(MAX_MAILBOXES):
        part = folder / f".Box{number}" / "cur"
        part.mkdir(parents=True)
        (part / "1:2,S").write_bytes(raw_mail(number))
    with pytest.raises(LimitReached, match="mailboxes; it may have 1000"):
        await movers(station, tmp_path).imports.maildir(account.id, folder, "", told, dry_run=False)
    assert all(each["step"] != "storing" for each in told)


async def test_mail_beyond_the_quota_is_refused_before_any_is_stored_and_what_is_there_needs_no_room(
    station: Station, tmp_path: Path
) -> None:
    account, imports = await station.add_account("small", quota_bytes=4_000), movers(station, tmp_path).imports
    first, second = (
        mbox_of(*(MovedMail("", raw_mail(number, 1_000)) for number in numbers)) for numbers in (range(3), range(3, 5))
    )
    (tmp_path / "Old").write_bytes(first)
    assert (await _new(imports, account, tmp_path)) == (3, 0)
    assert (await _new(imports, account, tmp_path)) == (0, 3)
    (tmp_path / "Old").write_bytes(first + second)
    told = Told()
    with pytest.raises(OverQuota, match="more room"):
        await imports.mbox(account.id, tmp_path / "Old", "", told, dry_run=False)
    assert all(each["step"] != "storing" for each in told)


async def _new(imports: Any, account: Account, folder: Path) -> tuple[int, int]:
    counts = []
    for dry_run in (True, False):
        report = await imports.mbox(account.id, folder / "Old", "", untold, dry_run=dry_run)
        counts.append((report.counts["messages"].new, report.counts["messages"].there))
    assert counts[0] == counts[1], "a dry run tells what would come"
    return counts[0]


async def test_an_import_goes_into_an_account_that_has_more_than_it_may(
    station: Station, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit that was lowered since stands in the way of more, and of nothing else."""
    imports = movers(station, tmp_path).imports
    listed(tmp_path, "addressbook", 3)
    await imports.pybitmessage(account.id, tmp_path, untold, dry_run=False)
    monkeypatch.setattr("bmgate.services.moving.applying.MAX_CONTACTS", 2)
    await imports.pybitmessage(account.id, tmp_path, untold, dry_run=False)
    assert await station.database.read(lambda store: store.account(account.id).contacts.count()) == 3
