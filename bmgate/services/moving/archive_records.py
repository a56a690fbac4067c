"""What is in an archive: MessagePack values, each a list of a kind and a map, preceded by its size (4 bytes).

First `account` with the version, the network and all that is small; then as many `more` as there are, with what is many
and small: duplicates, threads, held acks; then `mail`, each with its bytes; last `end` with their number. Keys of maps
that a later minor version adds are passed over, those that an earlier version did not have may be missing. What is read
is checked in `archive_reading`.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import msgpack

from bmgate.bm.addresses import Address
from bmgate.bm.keys import PrivateKeys
from bmgate.domain.contact import HeldAck
from bmgate.domain.moving import MovedContact, MovedIdentity, MovedMail, Parcel
from bmgate.domain.thread import ThreadEntry
from bmgate.mail.dates import MAX_TIME

VERSION = 2
SIZE = struct.Struct(">I")  # of a record, before it
PORTION = 1_000  # values in one record of many
PORTION_OCTETS = 1024 * 1024  # and about so many bytes
MAX_THREAD_NAMES, MAX_THREAD_OCTETS = 300_000, 16 * 1024 * 1024  # Message-IDs of all threads, and their characters
MAX_ACK, MAX_ACKS = 64 * 1024, 16 * 1024 * 1024  # bytes of one ack that waits, and of all
MAX_NAME = 4_096  # bytes of a Message-ID, or of a subject that mail is threaded by

_BIN_32 = b"\xc6"  # MessagePack: bytes follow, after their number in four


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where an archive comes from."""

    network: str
    account: str
    made_at: int
    mails: int


def account_records(manifest: Manifest, parcel: Parcel) -> Iterator[bytes]:
    """The first record, and those with what is many and small."""
    yield _packed("account", _account_values(manifest, parcel))
    many = _portions(
        chain(
            (("duplicates", list(each)) for each in parcel.duplicates),
            (("threads", _thread_value(each)) for each in _fitting(parcel.threads)),
            (("held_acks", _held_value(each)) for each in _acks_within(parcel.held_acks)),
        )
    )
    for portion in many:
        values: dict[str, list[Any]] = {}
        for kind, value in portion:
            values.setdefault(kind, []).append(value)
        yield _packed("more", values)


def _portions(many: Iterable[tuple[str, Any]]) -> Iterator[list[tuple[str, Any]]]:
    """As many as one record takes."""
    portion, octets = list[tuple[str, Any]](), 0
    for each in many:
        portion.append(each)
        octets += len(msgpack.packb(each[1], use_bin_type=True))
        if len(portion) >= PORTION or octets >= PORTION_OCTETS:
            yield portion
            portion, octets = [], 0
    if portion:
        yield portion


def mail_record(mail: MovedMail) -> Iterator[bytes]:
    """One mail, in two portions: what is known of it, and its bytes as they are."""
    values = {
        "mailbox": mail.mailbox,
        "of": _address_value(mail.of),
        "flags": int(mail.flags),
        "keywords": list(mail.keywords),
        "internaldate": _time(mail.internaldate),
        "saved_at": _time(mail.saved_at),
        "raw": b"",
    }
    head: bytes = msgpack.packb(["mail", values], use_bin_type=True)
    begun = head.removesuffix(msgpack.packb(b"", use_bin_type=True))  # the bytes come last
    yield SIZE.pack(len(begun) + 5 + len(mail.raw)) + begun + _BIN_32 + SIZE.pack(len(mail.raw))
    yield mail.raw


def end_record(mails: int) -> bytes:
    """The last record."""
    return _packed("end", {"mails": mails})


def _packed(kind: str, values: Mapping[str, Any]) -> bytes:
    packed: bytes = msgpack.packb([kind, values], use_bin_type=True)
    return SIZE.pack(len(packed)) + packed


def _account_values(manifest: Manifest, parcel: Parcel) -> dict[str, Any]:
    secrets = parcel.secrets
    return {
        "version": VERSION,
        "network": manifest.network,
        "account": manifest.account,
        "made_at": manifest.made_at,
        "mails": manifest.mails,
        "options": dict(parcel.options),
        "id_key": b"" if secrets is None else secrets.id_key,
        "dedupe_key": b"" if secrets is None else secrets.dedupe_key,
        "identities": [_identity_value(each) for each in parcel.identities],
        "chans": [
            {
                "address": str(each.address),
                **_keys_value(each.keys),
                "label": each.label,
                "options": dict(each.options),
                "subscribed": each.subscribed,
                "mailbox": each.mailbox,
            }
            for each in parcel.chans
        ],
        "subscriptions": [
            {
                "address": str(each.address),
                "label": each.label,
                "enabled": each.enabled,
                "subscribed": each.subscribed,
                "mailbox": each.mailbox,
            }
            for each in parcel.subscriptions
        ],
        "contacts": [_contact_value(each) for each in parcel.contacts],
        "mailboxes": [{"name": each.name, "subscribed": each.subscribed} for each in parcel.mailboxes],
        "former": list(parcel.former),
    }


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
        "deleted_at": each.deleted_at,
        "answered": [{"address": str(address), "at": at} for address, at in each.answered],
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


def _thread_value(each: ThreadEntry) -> dict[str, Any]:
    exchange = each.exchange
    return {
        "key": each.key.value,
        "word": each.word,
        "own": _address_value(None if exchange is None else exchange.own),
        "other": _address_value(None if exchange is None else exchange.other),
        "message_id": each.mail.message_id,
        "references": list(each.mail.references),
        "keep_until": each.keep_until,
    }


def _fitting(threads: Iterable[ThreadEntry]) -> Iterator[ThreadEntry]:
    """Those before the bounds of all are reached; of names that no honest mail is called by none."""
    names, octets = 0, 0
    for each in threads:
        if len(each.word) > MAX_NAME or any(len(name) > MAX_NAME for name in thread_names(each)):
            continue
        names += len(thread_names(each))
        octets += len(each.word) + sum(map(len, thread_names(each)))
        if names > MAX_THREAD_NAMES or octets > MAX_THREAD_OCTETS:
            return
        yield each


def _acks_within(acks: Iterable[HeldAck]) -> Iterator[HeldAck]:
    octets = 0
    for each in acks:
        octets += len(each.packet) if len(each.packet) <= MAX_ACK else 0
        if len(each.packet) <= MAX_ACK and octets <= MAX_ACKS:
            yield each


def thread_names(each: ThreadEntry) -> tuple[str, ...]:
    """All Message-IDs of an entry."""
    return (each.mail.message_id, *each.mail.references)


def _held_value(each: HeldAck) -> dict[str, Any]:
    return {
        "sender": str(each.sender),
        "content_tag": each.content_tag,
        "packet": each.packet,
        "keep_until": each.keep_until,
    }


def _address_value(address: Address | None) -> str:
    return "" if address is None else str(address)


def _time(moment: int | None) -> int | None:
    return None if moment is None else min(moment, MAX_TIME)
