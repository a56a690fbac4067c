"""What is in an archive: MessagePack values, each a list of a kind and a map, preceded by its size (4 bytes).

First `account` with the version, the network and all that is small; then `mail`, as many as there are, each with its
bytes; last `end` with their number. Keys of maps that a later minor version adds are passed over.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgpack

from bmgate.bm.addresses import Address, parse_address
from bmgate.bm.keys import KEY_SIZE, PrivateKeys, is_scalar
from bmgate.domain.account import AccountSecrets
from bmgate.domain.contact import Standing
from bmgate.domain.mailbox import Flags
from bmgate.domain.moving import (
    MovedChan,
    MovedContact,
    MovedIdentity,
    MovedMail,
    MovedMailbox,
    MovedSubscription,
    Parcel,
)
from bmgate.domain.policy import Reads
from bmgate.errors import BadAddress, BadImport
from bmgate.mail.addresses import is_alias
from bmgate.mail.dates import MAX_TIME

T = TypeVar("T")

VERSION = 1
MAX_RECORD = 512 * 1024 * 1024
MAX_ITEMS = 1_000_000
MAX_TEXT = 64 * 1024
_STORED_FLAGS = int(Flags.SEEN | Flags.ANSWERED | Flags.FLAGGED | Flags.DELETED | Flags.DRAFT)
_TAG_SIZE = 32
_SIZE = struct.Struct(">I")  # of a record, before it


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where an archive comes from."""

    network: str
    account: str
    made_at: int
    mails: int


# -- writing -----------------------------------------------------------------------------------------------------------


def account_record(manifest: Manifest, parcel: Parcel) -> bytes:
    """The first record."""
    secrets = parcel.secrets
    values = {
        "version": VERSION,
        "network": manifest.network,
        "account": manifest.account,
        "made_at": manifest.made_at,
        "mails": manifest.mails,
        "options": dict(parcel.options),
        "id_key": b"" if secrets is None else secrets.id_key,
        "dedupe_key": b"" if secrets is None else secrets.dedupe_key,
        "duplicates": [list(each) for each in parcel.duplicates],
        "identities": [_identity_value(each) for each in parcel.identities],
        "chans": [
            {"address": str(each.address), **_keys_value(each.keys), "label": each.label, "options": dict(each.options)}
            for each in parcel.chans
        ],
        "subscriptions": [
            {"address": str(each.address), "label": each.label, "enabled": each.enabled}
            for each in parcel.subscriptions
        ],
        "contacts": [_contact_value(each) for each in parcel.contacts],
        "mailboxes": [{"name": each.name, "subscribed": each.subscribed} for each in parcel.mailboxes],
    }
    return _packed("account", values)


def mail_record(mail: MovedMail) -> bytes:
    """One mail."""
    values = {
        "mailbox": mail.mailbox,
        "of": "" if mail.of is None else str(mail.of),
        "flags": int(mail.flags),
        "keywords": list(mail.keywords),
        "internaldate": None if mail.internaldate is None else min(mail.internaldate, MAX_TIME),
        "raw": mail.raw,
    }
    return _packed("mail", values)


def end_record(mails: int) -> bytes:
    """The last record."""
    return _packed("end", {"mails": mails})


def _packed(kind: str, values: dict[str, Any]) -> bytes:
    packed: bytes = msgpack.packb([kind, values], use_bin_type=True)
    return _SIZE.pack(len(packed)) + packed


def _identity_value(each: MovedIdentity) -> dict[str, Any]:
    return {
        "address": str(each.address),
        **_keys_value(each.keys),
        "label": each.label,
        "enabled": each.enabled,
        "is_default": each.is_default,
        "nonce_trials_per_byte": each.nonce_trials_per_byte,
        "payload_length_extra_bytes": each.payload_length_extra_bytes,
        "created_at": each.created_at,
        "pubkey_sent_at": each.pubkey_sent_at,
        "aliases": list(each.aliases),
        "options": dict(each.options),
    }


def _keys_value(keys: PrivateKeys) -> dict[str, bytes]:
    return {"signing": keys.signing, "encryption": keys.encryption}


def _contact_value(each: MovedContact) -> dict[str, Any]:
    return {
        "address": str(each.address),
        "label": each.label,
        "standing": each.standing.value,
        "reads": each.reads.value,
        "corresponded": each.corresponded,
        "written_to": each.written_to,
        "options": dict(each.options),
    }


# -- reading -----------------------------------------------------------------------------------------------------------


def read_archive(plain: Iterable[bytes]) -> tuple[Manifest, Parcel, Iterator[MovedMail]]:
    """What an archive says of itself, what is small, and its mails, which end in BadImport if one is missing."""
    records = _records(plain)
    first = next(records, None)
    if first is None or first.kind != "account":
        raise BadImport("the archive is damaged: it does not begin with an account")
    version = first.number("version")
    if version != VERSION:
        raise BadImport(f"the archive's content has version {version}; this gateway knows version {VERSION}")
    manifest = Manifest(first.text("network"), first.text("account"), first.number("made_at"), first.number("mails"))
    return manifest, _parcel(first), _mails(records)


def _mails(records: Iterator["Record"]) -> Iterator[MovedMail]:
    for count, record in enumerate(records):
        if record.kind == "end":
            if record.number("mails") != count or next(records, None) is not None:
                raise BadImport(f"the archive is damaged: it has not the number of mails that it says, {count}")
            return
        if record.kind != "mail":
            raise BadImport(f"the archive is damaged: a record {record.kind[:20]!r}")
        yield _mail(record)
    raise BadImport("the archive is damaged: it has no end")


@dataclass(frozen=True, slots=True, repr=False)
class Record:
    """A map of an archive; every method takes a key, and raises BadImport for what cannot stand there."""

    kind: str
    values: Mapping[str, Any]

    def text(self, key: str, limit: int = MAX_TEXT) -> str:
        value = self._of(key, str)
        if len(value) > limit:
            raise BadImport(f"the archive is damaged: {key} of {len(value)} characters")
        return value

    def data(self, key: str) -> bytes:
        return self._of(key, bytes)

    def flag(self, key: str) -> bool:
        return self._of(key, bool)

    def number(self, key: str, most: int = MAX_TIME) -> int:
        value = self._of(key, int)
        if isinstance(value, bool) or not 0 <= value <= most:
            raise BadImport(f"the archive is damaged: {key}")
        return value

    def number_or_none(self, key: str) -> int | None:
        return None if self.values.get(key) is None else self.number(key)

    def address(self, key: str) -> Address:
        try:
            return parse_address(self.text(key))
        except BadAddress as error:
            raise BadImport(f"the archive is damaged: {key}: {error}") from error

    def keys_of(self, address: Address) -> PrivateKeys:
        keys = PrivateKeys(self.data("signing"), self.data("encryption"))
        if not is_scalar(keys.signing) or not is_scalar(keys.encryption) or keys.public.ripe != address.ripe:
            raise BadImport(f"the archive is damaged: the keys of {address} make another address")
        return keys

    def choice(self, key: str, kind: Callable[[str], T]) -> T:
        try:
            return kind(self.text(key))
        except ValueError as error:
            raise BadImport(f"the archive is damaged: {key}") from error

    def words(self, key: str) -> dict[str, str]:
        value = self._of(key, dict)
        if not all(isinstance(each, str) and len(each) < MAX_TEXT for pair in value.items() for each in pair):
            raise BadImport(f"the archive is damaged: {key}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._of(key, list)
        if not all(isinstance(each, str) for each in value):
            raise BadImport(f"the archive is damaged: {key}")
        return tuple(value)

    def records(self, key: str) -> tuple["Record", ...]:
        value = self._of(key, list)
        if not all(isinstance(each, dict) for each in value):
            raise BadImport(f"the archive is damaged: {key}")
        return tuple(Record(key, each) for each in value)

    def pairs(self, key: str) -> tuple[tuple[bytes, int], ...]:
        value = self._of(key, list)
        for each in value:
            is_pair = isinstance(each, list) and len(each) == 2 and isinstance(each[0], bytes)
            if not is_pair or len(each[0]) != _TAG_SIZE or type(each[1]) is not int or not 0 <= each[1] <= MAX_TIME:
                raise BadImport(f"the archive is damaged: {key}")
        return tuple((tag, until) for tag, until in value)

    def _of(self, key: str, kind: type[T]) -> T:
        value = self.values.get(key)
        if not isinstance(value, kind):
            raise BadImport(f"the archive is damaged: {self.kind} has no {key}")
        return value


def _records(plain: Iterable[bytes]) -> Iterator[Record]:
    waiting, size = bytearray(), None
    for piece in plain:
        waiting += piece
        while len(waiting) >= (_SIZE.size if size is None else size):
            if size is None:
                (size,) = _SIZE.unpack_from(waiting)
                del waiting[: _SIZE.size]
                if size > MAX_RECORD:
                    raise BadImport(f"the archive is damaged: a record of {size} bytes")
            else:
                yield _record(bytes(waiting[:size]))
                del waiting[:size]
                size = None
    if waiting or size is not None:
        raise BadImport("the archive is damaged: half a record at its end")


def _record(packed: bytes) -> Record:
    try:
        value = msgpack.unpackb(packed, raw=False, strict_map_key=True, max_ext_len=0, max_array_len=MAX_ITEMS)
    except (ValueError, msgpack.exceptions.UnpackException, RecursionError) as error:
        raise BadImport(f"the archive is damaged: {type(error).__name__}") from error
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not isinstance(value[0], str)
        or not isinstance(value[1], dict)
    ):
        raise BadImport("the archive is damaged: what it holds are no records")
    return Record(value[0], value[1])


def _parcel(record: Record) -> Parcel:
    secrets = AccountSecrets(record.data("id_key"), record.data("dedupe_key"))
    if len(secrets.id_key) != KEY_SIZE or len(secrets.dedupe_key) != KEY_SIZE:
        raise BadImport("the archive is damaged: its account has no keys")
    return Parcel(
        identities=tuple(map(_identity, record.records("identities"))),
        chans=tuple(map(_chan, record.records("chans"))),
        subscriptions=tuple(
            MovedSubscription(each.address("address"), each.text("label"), each.flag("enabled"))
            for each in record.records("subscriptions")
        ),
        contacts=tuple(map(_contact, record.records("contacts"))),
        mailboxes=tuple(
            MovedMailbox(each.text("name"), each.flag("subscribed")) for each in record.records("mailboxes")
        ),
        options=record.words("options"),
        secrets=secrets,
        duplicates=record.pairs("duplicates"),
    )


def _identity(record: Record) -> MovedIdentity:
    address, aliases = record.address("address"), record.texts("aliases")
    if not all(map(is_alias, aliases)):
        raise BadImport(f"the archive is damaged: an alias of {address}")
    return MovedIdentity(
        address=address,
        keys=record.keys_of(address),
        label=record.text("label"),
        enabled=record.flag("enabled"),
        is_default=record.flag("is_default"),
        nonce_trials_per_byte=record.number_or_none("nonce_trials_per_byte"),
        payload_length_extra_bytes=record.number_or_none("payload_length_extra_bytes"),
        created_at=record.number_or_none("created_at"),
        pubkey_sent_at=record.number_or_none("pubkey_sent_at"),
        aliases=aliases,
        options=record.words("options"),
    )


def _chan(record: Record) -> MovedChan:
    address = record.address("address")
    return MovedChan(address, record.keys_of(address), record.text("label"), record.words("options"))


def _contact(record: Record) -> MovedContact:
    return MovedContact(
        record.address("address"),
        record.text("label"),
        record.choice("standing", Standing),
        record.choice("reads", Reads),
        record.flag("corresponded"),
        record.flag("written_to"),
        record.words("options"),
    )


def _mail(record: Record) -> MovedMail:
    keywords = record.texts("keywords")
    if any(not word or not word.isascii() or not word.isprintable() or " " in word for word in keywords):
        raise BadImport("the archive is damaged: keywords")
    flags = Flags(record.number("flags", _STORED_FLAGS))
    of = record.address("of") if record.text("of") else None
    return MovedMail(record.text("mailbox"), record.data("raw"), flags, keywords, record.number("internaldate"), of)
