"""Coming and going on both databases: all of it, none of it, and a kill in the middle."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from fakes import Failpoints, Killed
from moving_fixtures import (
    PASSPHRASE,
    address_of,
    fill_account,
    inbox_row,
    mbox_of,
    movers_over,
    picture_of,
    raw_mail,
    section,
    sent_row,
    untold,
    write_messages_dat,
)
from storage_fixtures import NOW, add_account, make_database, make_passwords, make_vault

from bmgate.domain.account import Account
from bmgate.domain.mailbox import Flags
from bmgate.domain.moving import MovedMail
from bmgate.domain.ports.database import Store
from bmgate.errors import BadImport, OverQuota, ProtocolError
from bmgate.services.moving.batches import BATCH_MAILS
from bmgate.storage.database import SealedDatabase
from bmgate.storage.fsck import check


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[SealedDatabase]:
    """Another gateway's database, always SQLite."""
    folder, vault = tmp_path / "other", make_vault()
    folder.mkdir()
    database = make_database(folder, vault)
    yield database
    assert await database.close()


@pytest.fixture
async def anna(other: SealedDatabase) -> Account:
    return await other.transact(lambda store: add_account(store, make_passwords(make_vault()), "alice"))


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "scratch"
    folder.mkdir()
    yield folder
    assert not [each for each in folder.iterdir() if each.name.startswith(".")], "nothing half-written is left"


def seen(picture: dict[str, object]) -> dict[str, object]:
    """Without Drafts, where what waits is copied to."""
    return {
        name: {key: each for key, each in value.items() if key != "Drafts"} if name in ("mail", "saved") else value  # type: ignore[attr-defined]
        for name, value in picture.items()
    }


async def test_an_account_moves_from_one_database_to_another_and_back(
    database: SealedDatabase, alice: Account, other: SealedDatabase, anna: Account, scratch: Path
) -> None:
    path, back = scratch / "archive", scratch / "back"
    await database.transact(lambda store: fill_account(store, alice))
    await movers_over(database, scratch).exports.archive(alice, path, PASSPHRASE, untold, force=False)
    report = await movers_over(other, scratch).imports.archive(anna.id, path, PASSPHRASE, untold, dry_run=False)
    assert report.notes == []
    before, after = await database.read(picture_of(alice)), await other.read(picture_of(anna))
    assert seen(after) == seen(before)
    assert after["mail"]["Drafts"]
    await movers_over(other, scratch).exports.archive(anna, back, PASSPHRASE, untold, force=False)
    report = await movers_over(database, scratch).imports.archive(alice.id, back, PASSPHRASE, untold, dry_run=False)
    assert {kind: count.new for kind, count in report.counts.items() if count.new} == {"messages": 1}  # the draft
    assert await database.read(check) == []


async def test_an_account_moves_here(
    database: SealedDatabase, alice: Account, other: SealedDatabase, anna: Account, scratch: Path
) -> None:
    path = scratch / "archive"
    await other.transact(lambda store: fill_account(store, anna))
    await movers_over(other, scratch).exports.archive(anna, path, PASSPHRASE, untold, force=False)
    await movers_over(database, scratch).imports.archive(alice.id, path, PASSPHRASE, untold, dry_run=False)
    assert seen(await database.read(picture_of(alice))) == seen(await other.read(picture_of(anna)))
    assert await database.read(check) == []


@pytest.mark.parametrize("form", ["mbox", "maildir", "keys"])
async def test_files_of_other_programs_leave_and_come(
    database: SealedDatabase, alice: Account, scratch: Path, form: str
) -> None:
    await database.transact(lambda store: fill_account(store, alice))
    before = await database.read(picture_of(alice))
    moving, path = movers_over(database, scratch), scratch / form
    if form == "keys":
        await moving.exports.keys(alice.id, path, force=False)
        report = await moving.imports.pybitmessage(alice.id, path, untold, dry_run=False)
    else:
        assert await getattr(moving.exports, form)(alice.id, path, untold) == 15
        report = await getattr(moving.imports, form)(alice.id, path, "", untold, dry_run=False)
    assert report.counts["identities" if form == "keys" else "messages"].new == 0
    after = await database.read(picture_of(alice))
    assert after["mail"] | before["mail"] == after["mail"]
    assert {name: mails for name, mails in after["mail"].items() if name not in before["mail"] and mails} == {}


async def test_pybitmessage_comes_here(database: SealedDatabase, alice: Account, scratch: Path) -> None:
    me, you = str(address_of("me")), str(address_of("you"))
    (scratch / "keys.dat").write_text(section("me", "label = me"))
    write_messages_dat(scratch / "messages.dat", [inbox_row(me, you), sent_row(you, me, "ackreceived")])
    imports = movers_over(database, scratch).imports
    for new in (2, 0):
        report = await imports.pybitmessage(alice.id, scratch, untold, dry_run=False)
        assert report.counts["messages"].new == new


@pytest.mark.parametrize("kill_at", [1, 2, 3])
async def test_a_kill_in_the_middle_leaves_nothing_to_be_seen_and_the_next_import_takes_it_away(
    database: SealedDatabase, alice: Account, scratch: Path, kill_at: int
) -> None:
    before = await database.read(picture_of(alice))
    path = scratch / "Old"
    mails = (MovedMail("", raw_mail(number), Flags.SEEN, (), NOW) for number in range(BATCH_MAILS + 10))
    path.write_bytes(mbox_of(*mails))
    killed = movers_over(database, scratch, Failpoints(kill_at)).imports

    async def nothing(account: object) -> None:
        """A killed process cleans nothing up."""

    killed._drop = nothing  # type: ignore[method-assign]
    with pytest.raises(Killed):
        await killed.mbox(alice.id, path, "", untold, dry_run=False)
    assert await database.read(picture_of(alice)) == before
    (problem, *_) = await database.read(check)
    assert problem.rule == "U4"
    assert "goes at the next start" in problem.detail
    report = await movers_over(database, scratch).imports.mbox(alice.id, path, "", untold, dry_run=False)
    assert report.counts["messages"].new == BATCH_MAILS + 10
    assert await database.read(check) == []


async def test_what_is_refused_leaves_everything_as_it_was(
    database: SealedDatabase, alice: Account, scratch: Path
) -> None:
    before = await database.read(picture_of(alice))
    imports = movers_over(database, scratch).imports
    whole = mbox_of(*(MovedMail("", raw_mail(number)) for number in range(3)))
    folder = scratch / "mail"
    folder.mkdir()
    (folder / "a").write_bytes(whole)
    (folder / "b").write_bytes(b"no mbox\n")
    with pytest.raises(BadImport):
        await imports.mbox(alice.id, folder, "", untold, dry_run=False)
    (folder / "b").unlink()

    def narrow(store: Store) -> None:
        store.accounts.set_quota(alice.id, 10)

    await database.transact(narrow)
    with pytest.raises(OverQuota):
        await imports.mbox(alice.id, folder, "", untold, dry_run=False)
    keys = section("me") + section("you").replace(section("you").split("\n")[1], "privsigningkey = 5K")
    (scratch / "keys.dat").write_text(keys)
    with pytest.raises(ProtocolError):
        await imports.pybitmessage(alice.id, scratch / "keys.dat", untold, dry_run=False)
    assert await database.read(picture_of(alice)) == before
    assert await database.read(check) == []


async def test_two_imports_of_one_account_take_turns(database: SealedDatabase, alice: Account, scratch: Path) -> None:
    imports = movers_over(database, scratch).imports
    for name in ("a", "b"):
        mails = (MovedMail("", raw_mail(number, message_id=f"<{number}@{name}>")) for number in range(5))
        (scratch / name).write_bytes(mbox_of(*mails))
    await asyncio.gather(*(imports.mbox(alice.id, scratch / name, "", untold, dry_run=False) for name in ("a", "b")))
    mail = (await database.read(picture_of(alice)))["mail"]
    assert (len(mail["a"]), len(mail["b"])) == (5, 5)
