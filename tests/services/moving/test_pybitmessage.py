"""Coming from PyBitmessage and notbit."""

import email
import os
from pathlib import Path
from typing import Any

import pytest
from moving_fixtures import (
    Movers,
    Told,
    address_of,
    inbox_row,
    keys_of,
    mails_in,
    movers,
    section,
    sent_row,
    untold,
    write_messages_dat,
)
from stations import Station
from storage_fixtures import NOW

from bmgate.bm.plaintext import Behavior, Pubkey
from bmgate.bm.plaintext.pubkeys import encode_pubkey_record
from bmgate.domain.account import Account
from bmgate.domain.contact import Standing
from bmgate.domain.mailbox import Flags
from bmgate.domain.policy import Scope
from bmgate.domain.ports.database import Store
from bmgate.errors import BadImport, Conflict, OverQuota, ProtocolError

ALICE, BOB, GENERAL, NEWS = (str(address_of(name)) for name in ("alice", "bob", "general", "news"))
KEYS = (
    "[bitmessagesettings]\nsettingsversion = 10\nblackwhitelist = white\nttl = 172800\ntimeformat = %%c\n\n"
    + section(
        "alice", "label = Alice", "enabled = true", "noncetrialsperbyte = 2000", "lastpubkeysendtime = 1699999000"
    )
    + section(
        "off", "label = old", "enabled = false", "dontsendack = true", "mailinglist = true", "mailinglistname = friends"
    )
    + section("general", "label = [chan] general", "enabled = true", "chan = true")
)
PUBKEY = Pubkey(4, 1, int(Behavior.DOES_ACK), keys_of("bob").public, 1000, 1000)
ROWS = [
    inbox_row(
        ALICE,
        BOB,
        subject="Grüße".encode("latin-1"),
        message="kept \xff".encode("latin-1"),
        msgid="as text",
        read=False,
    ),
    inbox_row(GENERAL, GENERAL, subject="a post"),
    inbox_row("[Broadcast subscribers]", NEWS, subject="news"),
    inbox_row(ALICE, BOB, folder="trash", received=None),
    sent_row(BOB, ALICE, "ackreceived", subject="acked"),
    sent_row(BOB, ALICE, "msgsent", subject="on its way"),
    sent_row("[Broadcast subscribers]", ALICE, "broadcastsent", subject="to all"),
    sent_row(BOB, ALICE, "awaitingpubkey", subject="not gone"),
    ("addressbook", ("Bob ✓", BOB)),
    ("addressbook", ("nobody", "BM-nonsense")),
    ("subscriptions", ("News/Today", NEWS, 1)),
    ("blacklist", ("foe", str(address_of("foe")), 1)),
    ("blacklist", ("was", str(address_of("was")), 0)),
    ("whitelist", ("friend", str(address_of("friend")), 1)),
    ("pubkeys", (BOB, 4, encode_pubkey_record(PUBKEY), NOW, "yes")),
    ("pubkeys", (ALICE, 4, b"damaged", NOW, "yes")),
]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder as PyBitmessage has it."""
    folder = tmp_path / "PyBitmessage"
    folder.mkdir()
    (folder / "keys.dat").write_text(KEYS)
    write_messages_dat(folder / "messages.dat", ROWS)
    return folder


@pytest.fixture
async def account(station: Station) -> Account:
    return await station.add_account("anna")


@pytest.fixture
def moving(station: Station, tmp_path: Path) -> Movers:
    return movers(station, tmp_path)


async def mails(station: Station, account: Account, name: str) -> list[tuple[bytes, Flags, tuple[str, ...], int]]:
    return await station.database.read(lambda store: mails_in(store, account, name))


async def test_addresses_come_with_all_settings_that_matter(
    station: Station, account: Account, moving: Movers, old: Path
) -> None:
    report = await moving.imports.pybitmessage(account.id, old / "keys.dat", untold, dry_run=False)
    assert {kind: count.new for kind, count in report.counts.items()} == {"identities": 2, "chans": 1}

    def look(store: Store) -> None:
        mine = store.account(account.id)
        alice, off = mine.identities.all()
        assert (str(alice.address), alice.label, alice.is_default, alice.enabled) == (ALICE, "Alice", True, True)
        assert (alice.nonce_trials_per_byte, alice.pubkey_sent_at) == (2, 1_699_999_000)  # twice the test network's
        assert mine.identities.private_keys(alice.id) == (keys_of("alice").signing, keys_of("alice").encryption)
        assert (off.label, off.enabled, off.is_default) == ("old", False, False)
        assert mine.settings.values(Scope.IDENTITY, off.id) == {"ack": "never", "list": "friends"}
        assert mine.settings.values(Scope.ACCOUNT) == {"ttl": "2d", "requests": "on"}
        (chan,) = mine.chans.all()
        assert str(chan.address) == GENERAL
        assert mine.chans.private_keys(chan.id) == keys_of("general")
        assert mine.mailboxes.get(chan.mailbox).name == "Chans/general"

    await station.database.read(look)


async def test_mail_comes_where_it_belongs_with_its_date_and_status(
    station: Station, account: Account, moving: Movers, old: Path
) -> None:
    told = Told()
    report = await moving.imports.pybitmessage(account.id, old, told, dry_run=False)
    assert report.counts["messages"].new == 8
    assert told[-1] == {"step": "storing", "done": 8, "of": 8}
    ((raw, flags, _, date),) = await mails(station, account, "INBOX")
    mail = email.message_from_bytes(raw)
    assert (flags, date, mail["X-Bitmessage-Kind"]) == (Flags.NONE, NOW - 1000, "import")
    assert mail["From"].endswith(f"<{BOB}@bm.internal>")
    assert "\ufffd" in mail.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert len(await mails(station, account, "Chans/general")) == 1
    assert len(await mails(station, account, "Subscriptions/News_Today")) == 1
    assert [each[1] for each in await mails(station, account, "Trash")] == [Flags.SEEN]
    assert [each[2] for each in await mails(station, account, "Sent")] == [("bm-acked",), ("bm-sent",), ("bm-noack",)]
    ((draft, flags, words, date),) = await mails(station, account, "Drafts")
    assert (flags, words, date) == (Flags.SEEN | Flags.DRAFT, (), NOW - 400)
    assert email.message_from_bytes(draft)["Subject"] == "not gone"
    assert await station.rows() == []  # nothing is sent by itself


async def test_mail_of_senders_that_are_no_addresses_comes_with_what_is_known(
    station: Station, account: Account, moving: Movers, tmp_path: Path
) -> None:
    senders = ["", "BM-2cNotAnAddress", "someone@example.org", "two\nlines", "\u202eevil", "x" * 5000]
    rows = [inbox_row(ALICE, sender, f"from {number}") for number, sender in enumerate(senders)]
    rows += [
        inbox_row("nobody", "nobody", "from nobody to nobody"),
        inbox_row("nobody", BOB, "to nobody"),
        sent_row("nobody", ALICE, "msgsent", subject="sent to nobody"),
        sent_row("", ALICE, "draft", subject="draft to nobody"),
        sent_row(BOB, "old address", "msgsent", subject="sent by nobody"),
    ]
    write_messages_dat(tmp_path / "messages.dat", rows)
    for new in (11, 0):
        report = await moving.imports.pybitmessage(account.id, tmp_path / "messages.dat", untold, dry_run=False)
        assert report.counts["messages"].new == new
        assert "10 mails name a sender or recipient that is no address" in report.notes[0]
    inbox = [email.message_from_bytes(each[0]) for each in await mails(station, account, "INBOX")]
    assert [mail["Subject"] for mail in inbox] == [
        *(f"from {number}" for number in range(len(senders))),
        "from nobody to nobody",
        "to nobody",
    ]
    assert [mail["From"] for mail in inbox[:3]] == [
        "noreply@bm.internal",
        "BM-2cNotAnAddress <noreply@bm.internal>",
        "noreply@bm.internal",  # what looks like another address is no name
    ]
    assert inbox[2]["X-Bitmessage-Claimed-Address"] == "someone@example.org"
    assert inbox[3]["X-Bitmessage-Claimed-Address"] == "two lines"
    assert all(mail["X-Bitmessage-Kind"] == "import" and not mail.defects for mail in inbox)
    assert [mail.get_all("From") is not None and len(mail.get_all("From", [])) for mail in inbox] == [1] * len(inbox)
    sent = [email.message_from_bytes(each[0]) for each in await mails(station, account, "Sent")]
    assert [(mail["Subject"], mail["To"]) for mail in sent] == [
        ("sent to nobody", "nobody <noreply@bm.internal>"),
        ("sent by nobody", f"{BOB}@bm.internal"),
    ]
    assert len(await mails(station, account, "Drafts")) == 1


async def test_of_very_many_correspondents_the_latest_come(
    station: Station, account: Account, moving: Movers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bmgate.services.moving.pybitmessage.MAX_THINGS", 3)
    people = [str(address_of(name)) for name in ("friend", "foe", "was", "news")]
    rows = [inbox_row(ALICE, sender) for sender in [*people, people[0]]]
    write_messages_dat(tmp_path / "messages.dat", [("addressbook", ("Bob", BOB)), *rows])
    report = await moving.imports.pybitmessage(account.id, tmp_path / "messages.dat", untold, dry_run=False)
    assert report.counts["messages"].new == 5
    assert report.notes == ["of 4 correspondents the latest 2 came"]
    known = await station.database.read(lambda store: store.account(account.id).contacts.correspondents())
    assert sorted(map(str, known)) == sorted([people[3], people[0]])


async def test_contacts_lists_and_pubkeys_come(station: Station, account: Account, moving: Movers, old: Path) -> None:
    report = await moving.imports.pybitmessage(account.id, old / "messages.dat", untold, dry_run=False)
    assert "BM-nonsense" in report.notes[0]

    def look(store: Store) -> None:
        contacts = store.account(account.id).contacts
        assert contacts.label_of(address_of("bob")) == "Bob ✓"
        assert contacts.standing_of(address_of("foe")) is Standing.BLOCKED
        assert contacts.standing_of(address_of("was")) is Standing.NONE
        assert contacts.standing_of(address_of("friend")) is Standing.ALLOWED
        assert contacts.was_written_to(address_of("bob"))
        assert store.pubkeys.find(address_of("bob")) == PUBKEY
        assert [str(each.address) for each in store.account(account.id).subscriptions.all()] == [NEWS]

    await station.database.read(look)


async def test_a_second_import_brings_nothing_twice(
    station: Station, account: Account, moving: Movers, old: Path
) -> None:
    await moving.imports.pybitmessage(account.id, old, untold, dry_run=False)
    report = await moving.imports.pybitmessage(account.id, old, untold, dry_run=False)
    assert {kind: count.new for kind, count in report.counts.items()} == dict.fromkeys(report.counts, 0)
    assert report.counts["messages"].there == 8
    assert len(await mails(station, account, "INBOX")) == 1


async def test_a_dry_run_tells_what_would_come_and_brings_nothing(
    station: Station, account: Account, moving: Movers, old: Path
) -> None:
    report = await moving.imports.pybitmessage(account.id, old, untold, dry_run=True)
    assert (report.counts["identities"].new, report.counts["messages"].new) == (2, 8)
    assert await station.services.identities.all(account.id) == []
    assert await mails(station, account, "INBOX") == []


async def test_an_address_of_another_account_refuses_the_whole(
    station: Station, account: Account, moving: Movers, old: Path
) -> None:
    await moving.imports.pybitmessage(account.id, old, untold, dry_run=False)
    other = await station.add_account("other")
    with pytest.raises(Conflict, match="another account"):
        await moving.imports.pybitmessage(other.id, old, untold, dry_run=False)
    assert await mails(station, other, "INBOX") == []


async def test_mail_beyond_the_quota_refuses_the_whole(station: Station, moving: Movers, old: Path) -> None:
    small = await station.add_account("small", quota_bytes=100)
    with pytest.raises(OverQuota):
        await moving.imports.pybitmessage(small.id, old, untold, dry_run=False)
    assert await station.services.identities.all(small.id) == []


async def test_notbits_addresses_and_contacts_come(
    station: Station, account: Account, moving: Movers, tmp_path: Path
) -> None:
    text = section("alice", "label = me") + f"[{BOB}]\nlabel = Bob\npubsigningkey = 04aa\npubencryptionkey = 04bb\n"
    (tmp_path / "keys.dat").write_text(text)
    report = await moving.imports.notbit(account.id, tmp_path, untold, dry_run=False)
    assert (report.counts["identities"].new, report.counts["contacts"].new) == (1, 1)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3000])


def _scribble(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:8192] = b"\xff" * 4096
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [_cut, _scribble, lambda path: path.write_bytes(b"(lp0\nS'pickle'\n.")])
async def test_e8_a_damaged_messages_dat_is_refused_whole(
    station: Station, account: Account, moving: Movers, old: Path, damage: Any
) -> None:
    damage(old / "messages.dat")
    with pytest.raises(BadImport, match=r"damaged|no SQLite"):
        await moving.imports.pybitmessage(account.id, old, untold, dry_run=False)
    assert await station.services.identities.all(account.id) == []


@pytest.mark.parametrize(
    ("schema", "version", "told"),
    [
        ("CREATE TABLE settings (key, value);", 11, "not PyBitmessage's"),
        (None, 6, "version 6"),
        (None, 12, "version 12"),
        (None, "nonsense", "version 0"),
        ("CREATE TABLE settings (key, value); CREATE VIEW inbox AS SELECT 1 AS msgid;", 11, "no ordinary table"),
        ("CREATE TABLE settings (key, value); CREATE VIRTUAL TABLE inbox USING fts5(x);", 11, "no ordinary table"),
    ],
)
async def test_e8_what_is_no_messages_dat_that_we_know_is_refused(
    account: Account, moving: Movers, tmp_path: Path, schema: str | None, version: object, told: str
) -> None:
    path = tmp_path / "messages.dat"
    write_messages_dat(path, [], version, *([] if schema is None else [schema]))
    with pytest.raises(BadImport, match=told):
        await moving.imports.pybitmessage(account.id, path, untold, dry_run=False)


async def test_older_schemas_are_read_and_told(account: Account, moving: Movers, tmp_path: Path) -> None:
    path = write_messages_dat(tmp_path / "messages.dat", [inbox_row(ALICE, BOB)], 9)
    report = await moving.imports.pybitmessage(account.id, path, untold, dry_run=False)
    assert "older schema 9" in report.notes[0]


async def test_a_running_pybitmessage_is_noticed(account: Account, moving: Movers, old: Path) -> None:
    (old / "messages.dat-journal").write_bytes(b"hot")
    with pytest.raises(BadImport, match="quit it first"):
        await moving.imports.pybitmessage(account.id, old, untold, dry_run=False)


@pytest.mark.parametrize("lines", ["privsigningkey = 5Kbad\n", "enabled = perhaps\n"])
async def test_e8_a_hostile_keys_dat_brings_nothing(
    station: Station, account: Account, moving: Movers, old: Path, lines: str
) -> None:
    (old / "keys.dat").write_text(section("alice") + f"[{BOB}]\nprivencryptionkey = x\nprivsigningkey = y\n{lines}")
    with pytest.raises(ProtocolError):
        await moving.imports.pybitmessage(account.id, old, untold, dry_run=False)
    assert await station.services.identities.all(account.id) == []


async def test_no_copy_of_messages_dat_is_left(account: Account, moving: Movers, old: Path, tmp_path: Path) -> None:
    before = sorted(os.listdir(tmp_path))
    await moving.imports.pybitmessage(account.id, old, untold, dry_run=False)
    assert sorted(os.listdir(tmp_path)) == before
