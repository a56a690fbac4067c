"""Reading what is in an archive: records into what moves. BadImport is all that comes of others."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

from bmgate.bm.keys import KEY_SIZE
from bmgate.domain.account import AccountSecrets
from bmgate.domain.contact import HeldAck, Standing
from bmgate.domain.mailbox import Flags
from bmgate.domain.moving import (
    MovedChan,
    MovedContact,
    MovedIdentity,
    MovedMail,
    MovedMailbox,
    MovedSubscription,
    Parcel,
    usable_keywords,
)
from bmgate.domain.policy import Reads
from bmgate.domain.thread import Exchange, Thread, ThreadEntry, ThreadKey
from bmgate.errors import BadImport
from bmgate.mail.addresses import is_alias
from bmgate.services.mailboxes.keywords import MAX_OF_MESSAGE
from bmgate.services.moving.archive_records import (
    MAX_ACK,
    MAX_ACKS,
    MAX_NAME,
    MAX_THREAD_NAMES,
    MAX_THREAD_OCTETS,
    VERSION,
    Manifest,
    thread_names,
)
from bmgate.services.moving.archive_values import MAX_MAIL, Record, records_of

MAX_REFERENCES = 100
MAX_MANY = 200_000  # of what is many and small
_STORED_FLAGS = int(Flags.SEEN | Flags.ANSWERED | Flags.FLAGGED | Flags.DELETED | Flags.DRAFT)
_TAG_SIZE = 32


def read_archive(plain: Iterable[bytes]) -> tuple[Manifest, Parcel, Iterator[MovedMail]]:
    """What an archive says of itself, what is small, and its mails, which end in BadImport if one is missing."""
    records = records_of(plain)
    first = next(records, None)
    if first is None or first.kind != "account":
        raise BadImport("the archive is damaged: it does not begin with an account")
    version = first.number("version")
    if not 1 <= version <= VERSION:
        raise BadImport(f"the archive's content has version {version}; this gateway knows up to version {VERSION}")
    manifest = Manifest(first.text("network"), first.text("account"), first.number("made_at"), first.number("mails"))
    parcel, behind = _with_more(_parcel(first), records)
    return manifest, parcel, _mails(chain(behind, records))


def _with_more(parcel: Parcel, records: Iterator[Record]) -> tuple[Parcel, list[Record]]:
    """With all that is many, and the record behind it."""
    duplicates, threads, acks = list(parcel.duplicates), list[ThreadEntry](), list[HeldAck]()
    octets = names = letters = 0
    behind: list[Record] = []
    for record in records:
        if record.kind != "more":
            behind.append(record)
            break
        known, begun = len(acks), len(threads)
        duplicates += record.pairs("duplicates")
        threads += map(_thread, record.records("threads", optional=True))
        acks += map(_held_ack, record.records("held_acks", optional=True))
        octets += sum(len(each.packet) for each in acks[known:])
        names += sum(len(thread_names(each)) for each in threads[begun:])
        letters += sum(len(each.word) + sum(map(len, thread_names(each))) for each in threads[begun:])
        if names > MAX_THREAD_NAMES or letters > MAX_THREAD_OCTETS:
            raise BadImport(f"the archive is damaged: threads of {names} mails with {letters} characters")
        if max(len(duplicates), len(threads), len(acks)) > MAX_MANY or octets > MAX_ACKS:
            raise BadImport(f"the archive is damaged: more than {MAX_MANY} things of a kind, or acks of {octets} bytes")
    return replace(parcel, duplicates=tuple(duplicates), threads=tuple(threads), held_acks=tuple(acks)), behind


def _mails(records: Iterator[Record]) -> Iterator[MovedMail]:
    for count, record in enumerate(records):
        if record.kind == "end":
            if record.number("mails") != count or next(records, None) is not None:
                raise BadImport(f"the archive is damaged: it has not the number of mails that it says, {count}")
            return
        if record.kind != "mail":
            raise BadImport(f"the archive is damaged: a record {record.kind[:20]!r}")
        yield _mail(record)
    raise BadImport("the archive is damaged: it has no end")


def _parcel(record: Record) -> Parcel:
    secrets = AccountSecrets(record.data("id_key"), record.data("dedupe_key"))
    if len(secrets.id_key) != KEY_SIZE or len(secrets.dedupe_key) != KEY_SIZE:
        raise BadImport("the archive is damaged: its account has no keys")
    return Parcel(
        identities=tuple(map(_identity, record.records("identities"))),
        chans=tuple(map(_chan, record.records("chans"))),
        subscriptions=tuple(
            MovedSubscription(
                each.address("address"),
                each.text("label"),
                each.flag("enabled"),
                each.flag("subscribed", default=True),
                each.text("mailbox", default=""),
            )
            for each in record.records("subscriptions")
        ),
        contacts=tuple(map(_contact, record.records("contacts"))),
        mailboxes=tuple(
            MovedMailbox(each.text("name"), each.flag("subscribed")) for each in record.records("mailboxes")
        ),
        options=record.words("options"),
        secrets=secrets,
        duplicates=record.pairs("duplicates"),  # where version 1 has them
        former=record.texts("former", optional=True),
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
        deleted_at=record.number_or_none("deleted_at"),
        answered=tuple(
            (each.address("address"), each.number("at")) for each in record.records("answered", optional=True)
        ),
    )


def _chan(record: Record) -> MovedChan:
    address = record.address("address")
    return MovedChan(
        address,
        record.keys_of(address),
        record.text("label"),
        record.words("options"),
        record.flag("subscribed", default=True),
        record.text("mailbox", default=""),
    )


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


def _thread(record: Record) -> ThreadEntry:
    key, own, other = record.choice("key", ThreadKey), record.address_or_none("own"), record.address_or_none("other")
    if (own is None) is not (other is None) or (own is None and key is not ThreadKey.VECTOR):
        raise BadImport("the archive is damaged: a thread without its ends")
    mail = Thread(record.text("message_id", MAX_NAME), record.texts("references", MAX_REFERENCES))
    if any("\n" in name or len(name) > MAX_NAME for name in (mail.message_id, *mail.references)):
        raise BadImport("the archive is damaged: the name of a mail")
    exchange = None if own is None or other is None else Exchange(own, other)
    return ThreadEntry(key, record.data("word", MAX_NAME), exchange, mail, record.number("keep_until"))


def _held_ack(record: Record) -> HeldAck:
    tag = record.data("content_tag")
    if len(tag) != _TAG_SIZE:
        raise BadImport("the archive is damaged: a held ack")
    return HeldAck(record.address("sender"), tag, record.data("packet", MAX_ACK), record.number("keep_until"))


def _mail(record: Record) -> MovedMail:
    keywords = record.texts("keywords")
    if len(keywords) > MAX_OF_MESSAGE:
        raise BadImport(f"a mail with more than {MAX_OF_MESSAGE} keywords")
    return MovedMail(
        mailbox=record.text("mailbox"),
        raw=record.data("raw", MAX_MAIL),
        flags=Flags(record.number("flags", _STORED_FLAGS)),
        keywords=usable_keywords(keywords, MAX_OF_MESSAGE),
        internaldate=record.number("internaldate"),
        of=record.address_or_none("of"),
        saved_at=record.number_or_none("saved_at"),
    )
