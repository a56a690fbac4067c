"""Mail and keys on their way out and in again, and what a kill in the middle leaves."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import Failpoints, Killed
from moving_fixtures import (
    PASSPHRASE,
    Told,
    address_of,
    fill_account,
    mails_in,
    mbox_of,
    movers,
    picture_of,
    raw_mail,
    untold,
)
from stations import MakeStation, Station
from storage_fixtures import NOW

from bmgate.bm.keysdat import read_keys_file
from bmgate.domain.account import Account, Level
from bmgate.domain.mailbox import Flags
from bmgate.domain.moving import MovedMail
from bmgate.domain.ports.database import Store
from bmgate.errors import BadImport, Conflict, NotAllowed
from bmgate.services.moving.batches import BATCH_MAILS


@pytest.fixture
async def filled(station: Station) -> Account:
    account = await station.add_account("anna")
    await station.database.transact(lambda store: fill_account(store, account))
    return account


def write_mbox(path: Path, count: int) -> Path:
    mails = (MovedMail("INBOX", raw_mail(number), Flags.SEEN, (), NOW - number) for number in range(count))
    path.write_bytes(mbox_of(*mails))
    return path


async def mail_of(station: Station, account: Account) -> dict[str, Any]:
    picture = await station.database.read(picture_of(account))
    return {name: sorted(mails, key=repr) for name, mails in picture["mail"].items() if mails}


@pytest.mark.parametrize("form", ["mbox", "maildir"])
async def test_mail_survives_other_programs_files(
    make_station: MakeStation, station: Station, filled: Account, tmp_path: Path, form: str
) -> None:
    target, exports = tmp_path / "out", movers(station, tmp_path).exports
    count = await getattr(exports, form)(filled.id, target, untold)
    assert count == 15
    there = await make_station()
    account = await there.add_account("bert")
    imports = movers(there, tmp_path).imports
    await getattr(imports, form)(account.id, target, "", untold, dry_run=False)
    before, after = await mail_of(station, filled), await mail_of(there, account)
    own = {name: f"Imported/{name}" for name in before if name.startswith(("Chans/", "Subscriptions/"))}
    assert after == {own.get(name, name): mails for name, mails in before.items()}
    report = await getattr(imports, form)(account.id, target, "", untold, dry_run=False)
    assert (report.counts["messages"].new, report.counts["messages"].there) == (0, 15)


async def test_keys_dat_survives_the_round_trip(
    make_station: MakeStation, station: Station, filled: Account, tmp_path: Path
) -> None:
    path = tmp_path / "keys.dat"
    assert await movers(station, tmp_path).exports.keys(filled.id, path, force=False) == 3
    assert os.stat(path).st_mode & 0o777 == 0o600
    there = await make_station()
    account = await there.add_account("bert")
    await movers(there, tmp_path).imports.pybitmessage(account.id, path, untold, dry_run=False)
    before, after = await station.database.read(picture_of(filled)), await there.database.read(picture_of(account))
    assert [each[:3] for each in after["identities"]] == [each[:3] for each in before["identities"]]
    assert [each[-1] for each in after["identities"]] == [{}, {"ack": "never"}]
    assert [each[:2] for each in after["chans"]] == [each[:2] for each in before["chans"]]
    with pytest.raises(Conflict):
        await movers(station, tmp_path).exports.keys(filled.id, path, force=False)
    await movers(station, tmp_path).exports.keys(filled.id, path, force=True)


async def test_wif_tells_the_keys_of_each_address(station: Station, filled: Account, tmp_path: Path) -> None:
    path, wif = tmp_path / "keys.dat", tmp_path / "keys.txt"
    exports = movers(station, tmp_path).exports
    await exports.keys(filled.id, path, force=False)
    assert await exports.wif(filled.id, wif, force=False) == 3
    text = await asyncio.to_thread(wif.read_text)
    assert str(address_of("general")) in text
    assert all(str(entry.address) in text for entry in read_keys_file(await asyncio.to_thread(path.read_bytes)).entries)


async def test_what_only_a_password_opens_leaves_with_the_password(
    station: Station, filled: Account, tmp_path: Path
) -> None:
    exports = movers(station, tmp_path).exports
    await exports.open(filled, "")
    with pytest.raises(NotAllowed, match="--password-stdin"):
        await exports.open(replace(filled, level=Level.L1), "")


async def test_mail_without_a_message_id_comes_once(station: Station, tmp_path: Path) -> None:
    account, imports = await station.add_account("bert"), movers(station, tmp_path).imports
    path = tmp_path / "Old"
    mail = MovedMail("", b"Subject: no name\r\n\r\ntext\r\n", internaldate=5)
    path.write_bytes(mbox_of(mail, mail._replace(raw=mail.raw + b"more\r\n")))
    for expected in (2, 0):
        report = await imports.mbox(account.id, path, "", untold, dry_run=False)
        assert report.counts["messages"].new == expected
    assert len(await station.database.read(lambda store: mails_in(store, account, "Old"))) == 2


async def test_all_mail_may_go_into_one_mailbox(station: Station, tmp_path: Path) -> None:
    account = await station.add_account("bert")
    path, told = write_mbox(tmp_path / "Old", 3), Told()
    await movers(station, tmp_path).imports.mbox(account.id, path, "Archive", told, dry_run=False)
    assert len(await station.database.read(lambda store: mails_in(store, account, "Archive"))) == 3
    assert told == [{"step": "storing", "done": 0, "of": 3}, {"step": "storing", "done": 3, "of": 3}]


async def test_a_mailbox_that_is_open_is_told_of_what_came(station: Station, tmp_path: Path) -> None:
    account, news = await station.add_account("bert"), list[str]()
    inbox = await station.services.mailboxes.open(account.id, "INBOX")
    station.services.mailboxes.watch(inbox.mailbox.id, lambda: news.append("news"))
    path = write_mbox(tmp_path / "INBOX", 3)
    await movers(station, tmp_path).imports.mbox(account.id, path, "", untold, dry_run=False)
    assert news == ["news"]


async def test_a_file_that_ends_in_nonsense_brings_nothing(station: Station, tmp_path: Path) -> None:
    account = await station.add_account("bert")
    folder = tmp_path / "mail"
    folder.mkdir()
    write_mbox(folder / "a", 3)
    (folder / "b").write_bytes(b"no mbox")
    with pytest.raises(BadImport):
        await movers(station, tmp_path).imports.mbox(account.id, folder, "", untold, dry_run=False)
    assert await station.database.read(lambda store: store.account(account.id).mailboxes.find("a")) is None


@pytest.mark.parametrize("kill_at", [1, 2, 3])
async def test_a_kill_in_the_middle_leaves_nothing_to_be_seen(
    make_station: MakeStation, tmp_path: Path, kill_at: int
) -> None:
    """Killed after the first part, after the last, and before the end: then the next start cleans up."""
    station = await make_station()
    account = await station.add_account("bert")
    before = await station.database.read(picture_of(account))
    path = write_mbox(tmp_path / "Old", BATCH_MAILS + 10)
    killed = movers(station, tmp_path).imports
    points = Failpoints(kill_at)
    killed._failpoints = points

    async def nothing(account: Any) -> None:
        """A killed process cleans nothing up."""

    killed._drop = nothing  # type: ignore[method-assign]
    with pytest.raises(Killed):
        await killed.mbox(account.id, path, "", untold, dry_run=False)
    assert points.passed[-1] in ("import.batch", "import.staged")
    assert await station.database.read(picture_of(account)) == before
    await station.crash()
    await station.start()
    imports = movers(station, tmp_path).imports

    def used(store: Store) -> int:
        return store.account(account.id).messages.used_octets()

    assert await station.database.read(used) > 0
    await imports.sweep()
    assert await station.database.read(used) == 0
    report = await imports.mbox(account.id, path, "", untold, dry_run=False)
    assert report.counts["messages"].new == BATCH_MAILS + 10


async def test_an_import_that_is_cancelled_leaves_nothing(station: Station, tmp_path: Path) -> None:
    account = await station.add_account("bert")
    path = write_mbox(tmp_path / "Old", 3 * BATCH_MAILS)
    reached, never = asyncio.Event(), asyncio.Event()

    async def hang(value: Any) -> None:
        if value["done"]:
            reached.set()
            await never.wait()

    task = asyncio.create_task(movers(station, tmp_path).imports.mbox(account.id, path, "", hang, dry_run=False))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await station.settle()
    assert await station.database.read(lambda store: store.account(account.id).messages.used_octets()) == 0


async def test_an_export_that_is_cancelled_leaves_no_file(station: Station, filled: Account, tmp_path: Path) -> None:
    reached, never = asyncio.Event(), asyncio.Event()

    async def hang(value: Any) -> None:
        if value["done"]:
            reached.set()
            await never.wait()

    folder = tmp_path / "out"
    folder.mkdir()
    exports = movers(station, tmp_path).exports
    task = asyncio.create_task(exports.archive(filled, folder / "archive", PASSPHRASE, hang, force=False))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5):
            await task
    assert os.listdir(folder) == []


async def test_nobodys_mail_is_shown_to_another(station: Station, filled: Account, tmp_path: Path) -> None:
    """What is staged for one account is not dropped with another's."""
    other, path = await station.add_account("bert"), write_mbox(tmp_path / "Old", 3)
    before = await station.database.read(picture_of(filled))
    await movers(station, tmp_path).imports.mbox(other.id, path, "", untold, dry_run=False)
    assert await station.database.read(picture_of(filled)) == before
