"""Archives by whoever knows the passphrase: damaged anywhere, cut at any border, with numbers no account has (E8)."""

import os
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moving_fixtures import PASSPHRASE, SMALL_KIB, address_of, keys_of, movers, picture_of, raw_mail, untold
from stations import Station
from storage_fixtures import NOW

from bmgate.bm.keys import PrivateKeys
from bmgate.domain.account import AccountSecrets
from bmgate.domain.contact import HeldAck
from bmgate.domain.mailbox import Flags
from bmgate.domain.moving import MovedChan, MovedContact, MovedIdentity, MovedMail, MovedSubscription, Parcel
from bmgate.domain.thread import Exchange, Thread, ThreadEntry, ThreadKey
from bmgate.errors import BadImport, GatewayError, LimitReached
from bmgate.services.moving import archive_reading, archive_values
from bmgate.services.moving.archive import HEADER_SIZE, PIECE_SIZE, ArchiveKey, open_archive, seal_archive
from bmgate.services.moving.archive_reading import read_archive
from bmgate.services.moving.archive_records import Manifest, account_records, end_record, mail_record

ALICE, BOB = address_of("alice"), address_of("bob")
PARCEL = Parcel(
    identities=(MovedIdentity(ALICE, keys_of("alice"), "Alice", answered=((BOB, 5),)),),
    chans=(MovedChan(address_of("general"), keys_of("general"), "general", mailbox="Chans/general"),),
    subscriptions=(MovedSubscription(address_of("news"), "news", mailbox="Subscriptions/news"),),
    contacts=(MovedContact(BOB, "Bob", options={"quotes": "dashes"}),),
    secrets=AccountSecrets(b"i" * 32, b"d" * 32),
    duplicates=((b"t" * 32, 5),),
    held_acks=(HeldAck(BOB, b"h" * 32, b"packet", NOW + 5),),
    threads=(ThreadEntry(ThreadKey.ALIAS, b"<a@x>", Exchange(ALICE, BOB), Thread("<1@x>", ("<0@x>",)), NOW + 5),),
    former=("Gone",),
)
MAIL = MovedMail("INBOX", raw_mail(1), Flags.SEEN, ("$Label1",), 5, saved_at=6)
RECORDS = [
    *account_records(Manifest("test", "anna", 5, 2), PARCEL),
    b"".join(mail_record(MAIL)),
    b"".join(mail_record(MAIL._replace(mailbox="Own"))),
    end_record(2),
]
BORDERS = [sum(map(len, RECORDS[:count])) for count in range(len(RECORDS))]


def sealed(plain: bytes) -> bytes:
    return b"".join(seal_archive([plain], PASSPHRASE, os.urandom, 1, SMALL_KIB))


def read(plain: bytes) -> tuple[Parcel, list[MovedMail]]:
    _, parcel, mails = read_archive(iter([plain]))
    return parcel, list(mails)


def packed(kind: str, values: Any) -> bytes:
    data: bytes = msgpack.packb([kind, values])
    return len(data).to_bytes(4) + data


def paths(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where values stand in a record."""
    if place:
        yield place
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from paths(each, (*place, key))


def with_value(record: bytes, place: tuple[Any, ...], value: Any) -> bytes:
    """The record with another value at one place."""
    whole = msgpack.unpackb(record[4:])
    inner = whole
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return packed(*whole)


PLACES = [(number, place) for number, each in enumerate(RECORDS) for place in paths(msgpack.unpackb(each[4:]))]


def test_what_is_written_is_read() -> None:
    assert read(b"".join(RECORDS)) == (PARCEL, [MAIL, MAIL._replace(mailbox="Own")])


@pytest.mark.parametrize("border", BORDERS)
def test_an_archive_cut_at_a_border_of_records_is_refused(border: int) -> None:
    for cut in {border, border + 1, border + 4, border + 5, max(border - 1, 0)}:
        with pytest.raises(BadImport):
            read(b"".join(RECORDS)[:cut])


@given(st.sampled_from(PLACES), st.none() | st.integers() | st.binary(max_size=40) | st.text(max_size=5) | st.just([]))
def test_any_value_in_any_place_is_read_or_refused(at: tuple[int, tuple[Any, ...]], value: Any) -> None:
    number, place = at
    try:
        changed = with_value(RECORDS[number], place, value)
    except (OverflowError, TypeError):
        return
    with suppress(BadImport):
        read(b"".join([*RECORDS[:number], changed, *RECORDS[number + 1 :]]))


@pytest.mark.parametrize(
    "section", ["magic", "version", "cost", "salt", "stream header", "first piece", "middle", "last piece", "last tag"]
)
async def test_one_bit_in_any_section_refuses_the_whole(station: Station, tmp_path: Path, section: str) -> None:
    account, path = await station.add_account("anna"), tmp_path / "archive"
    large = b"".join(mail_record(MAIL._replace(raw=raw_mail(2, 3 * PIECE_SIZE))))
    whole = bytearray(sealed(b"".join([*RECORDS[:-1], large, end_record(3)])))
    places = {
        "magic": 3,
        "version": 16,
        "cost": 17,
        "salt": 30,
        "stream header": HEADER_SIZE - 1,
        "first piece": HEADER_SIZE + 100,
        "middle": HEADER_SIZE + PIECE_SIZE + 100,
        "last piece": len(whole) - 100,
        "last tag": len(whole) - 1,
    }
    whole[places[section]] ^= 2
    path.write_bytes(whole)
    before = await station.database.read(picture_of(account))
    with pytest.raises(BadImport):
        await movers(station, tmp_path).imports.archive(account.id, path, PASSPHRASE, untold, dry_run=False)
    assert await station.database.read(picture_of(account)) == before


@pytest.mark.parametrize(
    "records",
    [
        packed("account", []),
        RECORDS[0] + packed("more", {"duplicates": [[b"t", 5]]}),
        RECORDS[0] + packed("more", {"threads": [{"key": "alias", "word": b"", "own": "", "other": ""}]}),
        RECORDS[0] + packed("more", {"held_acks": [{"sender": str(BOB), "content_tag": b"x", "packet": b""}]}),
        RECORDS[0] + packed("more", []),
        RECORDS[0] + packed("other", {}),
        RECORDS[0] + (archive_values.MAX_RECORD + 1).to_bytes(4) + b"x",
    ],
    ids=range(7),
)
def test_records_that_no_gateway_writes_are_refused(records: bytes) -> None:
    with pytest.raises(BadImport):
        read(records + end_record(0))


@pytest.mark.parametrize("value", [[[]] * 1_001, [[[]] * 400] * 3, {str(number): {} for number in range(1_001)}])
def test_a_record_of_more_values_than_any_is_refused_before_they_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch, value: Any
) -> None:
    monkeypatch.setattr(archive_values, "MAX_ITEMS", 1_000)
    with pytest.raises(BadImport):
        read(packed("account", {"x": value}))


def test_more_of_a_kind_than_any_account_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_reading, "MAX_MANY", 5)
    more = packed("more", {"duplicates": [[b"t" * 32, 5]] * 3})
    with pytest.raises(BadImport, match="more than 5"):
        read(RECORDS[0] + more * 2 + end_record(0))


@pytest.mark.parametrize(
    "value",
    [[{}] * 400_001, [[]] * 400_001, ["ab"] * 400_001, [[None] * 1_000] * 401, "x" * 8_500_000],
    ids=["maps", "lists", "texts", "nothing", "long"],
)
def test_a_record_that_would_take_much_more_memory_than_bytes_is_refused(value: Any) -> None:
    record = packed("account", {"x": value})
    tracemalloc.start()
    try:
        with pytest.raises(BadImport, match=r"values|bytes"):
            list(archive_values.records_of([record]))
        assert tracemalloc.get_traced_memory()[1] < len(record) * 3
    finally:
        tracemalloc.stop()


def test_threads_of_very_many_mails_are_refused_and_never_written() -> None:
    entry = {"key": "vector", "word": b"w", "own": "", "other": "", "message_id": "<m>", "keep_until": 9}
    more = packed("more", {"threads": [entry | {"references": ["r"] * 100}] * 1_000})
    with pytest.raises(BadImport, match="threads of"):
        read(RECORDS[0] + more * 4 + end_record(0))
    long = ThreadEntry(ThreadKey.VECTOR, b"w", None, Thread("<m>", ("r",) * 100), 9)
    records = account_records(Manifest("test", "anna", 5, 0), replace(PARCEL, threads=(long,) * 4_000))
    assert len(read(b"".join([*records, end_record(0)]))[0].threads) == 300_000 // 101


async def test_things_that_are_there_twice_come_once(station: Station, tmp_path: Path) -> None:
    account, path = await station.add_account("anna"), tmp_path / "archive"
    twice = Parcel(
        identities=PARCEL.identities * 2,
        chans=PARCEL.chans * 2,
        subscriptions=PARCEL.subscriptions * 2,
        contacts=PARCEL.contacts * 2,
        secrets=PARCEL.secrets,
        duplicates=PARCEL.duplicates * 2,
        held_acks=PARCEL.held_acks * 2,
        threads=PARCEL.threads * 2,
        former=PARCEL.former * 2,
    )
    path.write_bytes(sealed(b"".join([*account_records(Manifest("test", "anna", 5, 0), twice), end_record(0)])))
    report = await movers(station, tmp_path).imports.archive(account.id, path, PASSPHRASE, untold, dry_run=False)
    counts = {kind: (count.new, count.there) for kind, count in report.counts.items()}
    assert counts == dict.fromkeys(("identities", "chans", "subscriptions", "contacts"), (1, 1))
    assert report.notes == []


async def test_a_chan_of_a_key_that_is_an_identity_of_the_same_archive_is_refused_whole(
    station: Station, tmp_path: Path
) -> None:
    account, path = await station.add_account("anna"), tmp_path / "archive"
    odd = Parcel(identities=PARCEL.identities, chans=(MovedChan(ALICE, keys_of("alice"), "x"),), secrets=PARCEL.secrets)
    path.write_bytes(sealed(b"".join([*account_records(Manifest("test", "anna", 5, 0), odd), end_record(0)])))
    with pytest.raises(GatewayError):
        await movers(station, tmp_path).imports.archive(account.id, path, PASSPHRASE, untold, dry_run=False)
    assert await station.services.identities.all(account.id) == []


def test_keys_that_are_none_are_refused() -> None:
    for keys in (PrivateKeys(bytes(32), bytes(32)), PrivateKeys(b"\xff" * 32, b"\xff" * 32), PrivateKeys(b"", b"x")):
        chan = packed(
            "account",
            msgpack.unpackb(RECORDS[0][4:])[1]
            | {"chans": [{"address": str(ALICE), "signing": keys.signing, "encryption": keys.encryption}]},
        )
        with pytest.raises(BadImport):
            read(chan + end_record(0))


def test_the_whole_file_is_checked_to_its_last_byte() -> None:
    data = sealed(b"".join(RECORDS))
    for size in range(0, len(data), 97):
        with pytest.raises(BadImport):
            b"".join(open_archive([data[:size]], ArchiveKey(PASSPHRASE)))


async def test_t5_keywords_without_end_are_refused(station: Station, tmp_path: Path) -> None:
    words = [tuple(f"word{number}" for number in range(first, first + 101)) for first in range(0, 1001, 101)]
    mails = b"".join(
        b"".join(mail_record(MAIL._replace(keywords=each, raw=raw_mail(n)))) for n, each in enumerate(words)
    )
    account, path = await station.add_account("anna"), tmp_path / "archive"
    path.write_bytes(sealed(RECORDS[0] + mails + end_record(len(words))))
    with pytest.raises(LimitReached, match="1000 different keywords"):
        await movers(station, tmp_path).imports.archive(account.id, path, PASSPHRASE, untold, dry_run=False)
    many = mail_record(MAIL._replace(keywords=tuple(f"word{number}" for number in range(129))))
    with pytest.raises(BadImport, match="128 keywords"):
        read(RECORDS[0] + b"".join(many) + end_record(1))
