"""Files of other programs as they write them, and an account with one thing of every kind to take along."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from fakes import Failpoints, FakeClock
from stations import DOMAIN, Services, Station
from storage_fixtures import CHEAP, NOW, new_identity

from bmgate.bm.addresses import Address
from bmgate.bm.keys import PrivateKeys, deterministic_keys, encode_wif
from bmgate.bm.network import TESTNET
from bmgate.domain.account import Account
from bmgate.domain.chan import CHANS, NewChan
from bmgate.domain.contact import Contact, Standing
from bmgate.domain.identity import Identity
from bmgate.domain.mailbox import Flags, Mailbox, MailboxKind
from bmgate.domain.moving import MovedMail
from bmgate.domain.outbox import NewOutgoing, NewSubmission, Priority, ReturnContent, State
from bmgate.domain.policy import Policy, Reads, Scope
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.subscription import SUBSCRIPTIONS
from bmgate.domain.thread import Exchange, Thread
from bmgate.foreign.adapter import DiskFiles
from bmgate.foreign.mbox import mbox_entry
from bmgate.services.events import MailboxEvents
from bmgate.services.mailboxes.indexed import indexed
from bmgate.services.mailboxes.mailbox_names import make_with_parents
from bmgate.services.moving.applying import Applier
from bmgate.services.moving.exporting import Exports
from bmgate.services.moving.importing import Imports
from bmgate.services.policies import Policies

PASSPHRASE = "twelve letters and more"
SMALL_KIB = CHEAP.memory_bytes // 1024

SCHEMA_11 = """
CREATE TABLE inbox (msgid blob, toaddress text, fromaddress text, subject text, received text, message text,
 folder text, encodingtype int, read bool, sighash blob, UNIQUE(msgid) ON CONFLICT REPLACE);
CREATE TABLE sent (msgid blob, toaddress text, toripe blob, fromaddress text, subject text, message text,
 ackdata blob, senttime integer, lastactiontime integer, sleeptill integer, status text, retrynumber integer,
 folder text, encodingtype int, ttl int);
CREATE TABLE subscriptions (label text, address text, enabled bool);
CREATE TABLE addressbook (label text, address text, UNIQUE(address) ON CONFLICT IGNORE);
CREATE TABLE blacklist (label text, address text, enabled bool);
CREATE TABLE whitelist (label text, address text, enabled bool);
CREATE TABLE pubkeys (address text, addressversion int, transmitdata blob, time int, usedpersonally text,
 UNIQUE(address) ON CONFLICT REPLACE);
CREATE TABLE inventory (hash blob, objecttype int, streamnumber int, payload blob, expirestime integer, tag blob,
 UNIQUE(hash) ON CONFLICT REPLACE);
CREATE TABLE settings (key blob, value blob, UNIQUE(key) ON CONFLICT REPLACE);
CREATE TABLE objectprocessorqueue (objecttype int, data blob, UNIQUE(objecttype, data) ON CONFLICT REPLACE);
CREATE TABLE chat (kivy text);
"""
"""What PyBitmessage makes, and a table that its Kivy interface adds."""


VECTOR = bytes(range(32))


@cache
def keys_of(name: str) -> PrivateKeys:
    return next(deterministic_keys(name.encode()))


def address_of(name: str) -> Address:
    return keys_of(name).public.address()


def section(name: str, *lines: str) -> str:
    """An identity of keys.dat."""
    keys = keys_of(name)
    private = f"privsigningkey = {encode_wif(keys.signing)}", f"privencryptionkey = {encode_wif(keys.encryption)}"
    return "\n".join([f"[{address_of(name)}]", *lines, *private, "", ""])


def write_messages_dat(
    path: Path, rows: Iterable[tuple[str, Sequence[Any]]], version: object = 11, schema: str = SCHEMA_11
) -> Path:
    """A messages.dat with these rows, each of a table and its values."""
    connection = sqlite3.connect(path)
    connection.executescript(schema)
    for table, values in [("settings", ("version", version)), *rows]:
        marks = ", ".join("?" * len(values))
        connection.execute(f"INSERT INTO {table} VALUES ({marks})", tuple(values))
    connection.commit()
    connection.close()
    return path


def inbox_row(
    to: str, sender: str, subject: object = "Hello", message: object = "text", folder: str = "inbox", **other: Any
) -> tuple[str, Sequence[Any]]:
    values = {"msgid": os.urandom(32), "received": str(NOW - 1000), "encoding": 2, "read": True} | other
    row = values["msgid"], to, sender, subject, values["received"], message, folder
    return "inbox", (*row, values["encoding"], values["read"], b"sighash")


def sent_row(
    to: str, sender: str, status: str, subject: str = "Sent", folder: str = "sent"
) -> tuple[str, Sequence[Any]]:
    row = b"", to, b"ripe", sender, subject, "what I wrote", os.urandom(32), NOW - 500, NOW - 400, 0
    return "sent", (*row, status, 0, folder, 2, 216_000)


@dataclass(frozen=True, slots=True)
class Movers:
    """Imports and exports of a station."""

    imports: Imports
    exports: Exports


def movers(station: Station, scratch: Path) -> Movers:
    """Over the station as it runs now."""
    services: Services = station.services

    def changed() -> None:
        services.receiving.identities_changed()
        services.receiving.chans_changed()
        services.receiving.subscriptions_changed()

    return _movers(station.database, station.clock, scratch, services.policies, services, changed)


def movers_over(database: Database, scratch: Path, failpoints: Failpoints | None = None) -> Movers:
    """Over a database, where nothing else runs."""
    services = _Alone(MailboxEvents(), failpoints or Failpoints())
    return _movers(database, FakeClock(NOW), scratch, Policies(Policy()), services, lambda: None)


@dataclass(frozen=True, slots=True)
class _Alone:
    events: MailboxEvents
    failpoints: Failpoints


def _movers(
    database: Database,
    clock: FakeClock,
    scratch: Path,
    policies: Policies,
    services: _Alone | Services,
    changed: Callable[[], None],
) -> Movers:
    files, applier = DiskFiles(scratch / "gateway"), Applier(policies, TESTNET)
    imports = Imports(database, services.events, clock, files, applier, DOMAIN, services.failpoints, changed)
    exports = Exports(database, clock, os.urandom, files, policies, TESTNET, _NO_ACCOUNTS, SMALL_KIB)
    return Movers(imports, exports)


class _NobodyLogsIn:
    """At L0 no password is asked for."""


_NO_ACCOUNTS: Any = _NobodyLogsIn()


async def untold(value: Any) -> None:
    """A `Tell` for who does not listen."""


class Told(list[dict[str, Any]]):
    """A `Tell` that remembers."""

    async def __call__(self, value: dict[str, Any]) -> None:
        self.append(value)


def fill_account(store: Store, account: Account) -> None:
    """One thing of every kind, and mail everywhere."""
    mine = store.account(account.id)
    mailboxes, settings = mine.mailboxes, mine.settings
    first, second = mine.identities.add(new_identity()), mine.identities.add(new_identity(is_default=False))
    mine.identities.set_enabled(second.id, False)
    mine.identities.add_alias("office", first.id, NOW)
    settings.put(Scope.IDENTITY, second.id, "ack", "never")
    settings.put(Scope.ACCOUNT, 0, "ttl", "2d")
    friend, foe = address_of("friend"), address_of("foe")
    mine.contacts.save(Contact(friend, "Friend \u00e9"))
    mine.contacts.learn_reads(friend, Reads.FILES)
    mine.contacts.note_written(friend)
    settings.put(Scope.CONTACT, mine.contacts.ref_of(friend), "quotes", "dashes")
    mine.contacts.set_standing(foe, Standing.BLOCKED)
    mine.contacts.note_correspondent(address_of("stranger"))
    chan_box = make_with_parents(mailboxes, f"{CHANS}/general", NOW)
    membership = mine.chans.join(NewChan(address_of("general"), keys_of("general")), chan_box.id, NOW)
    settings.put(Scope.MEMBERSHIP, membership.id, "mute", "on")
    news_box = make_with_parents(mailboxes, f"{SUBSCRIPTIONS}/news", NOW)
    subscription = mine.subscriptions.add(address_of("news"), news_box.id, NOW)
    mine.subscriptions.set_enabled(subscription.id, False)
    own = make_with_parents(mailboxes, "Own/Deep.er \u00fc", NOW)
    mailboxes.set_subscribed(own.id, False)
    mine.duplicates.remember(b"content id", NOW + 1)
    _fill_what_is_not_seen(mine, (first, second), own)
    _fill_queue(store, mine, first)
    inbox = mailboxes.by_kind(MailboxKind.INBOX)
    places = (inbox, mailboxes.by_kind(MailboxKind.SENT), chan_box, news_box, own)
    for number, mailbox in enumerate(places * 3):
        flags = Flags.SEEN | Flags.FLAGGED if number % 2 else Flags.NONE
        raw = raw_mail(number, size=300_000 if number == 7 else 20)
        content = mine.messages.add_content(indexed(raw).content(mine.messages.message_id_tag(f"<{number}@x>")))
        words = ("bm-acked", "$Label1")
        mine.messages.append(mailbox.id, content, flags, words, NOW - number, saved_at=NOW - 2 * number)


def _fill_what_is_not_seen(mine: AccountStore, identities: Sequence[Identity], own: Mailbox) -> None:
    """What mail that is still to come is handled by, and what could be brought back."""
    first, second = identities
    friend, stranger = address_of("friend"), address_of("stranger")
    mine.settings.put(Scope.IDENTITY, second.id, "deliver_to", own.name)
    quiet = mine.contacts.make_ref(address_of("quiet"))
    mine.settings.put(Scope.CONTACT, quiet, "quotes", "dashes")
    mine.answers.note(first.id, friend, NOW - 5)
    mine.held_acks.hold(stranger, b"his mail", b"the ack", NOW + 9)
    exchange, mail = Exchange(first.address, friend), Thread("<1@x>", ("<0@x>",))
    mine.threads.add_vector(VECTOR, mail, exchange, NOW)
    mine.threads.add_alias("<theirs@x>", mail, exchange, NOW)
    mine.threads.add_subject("lunch \u00e9", mail, exchange, NOW)
    gone = mine.mailboxes.create("Gone", MailboxKind.USER, NOW)
    mine.mailboxes.delete(gone.id)
    for name in (CHANS, f"{SUBSCRIPTIONS}/news", "Junk", "Outbox"):
        unseen = mine.mailboxes.find(name)
        assert unseen is not None
        mine.mailboxes.set_subscribed(unseen.id, False)
    former = mine.identities.add(new_identity("former", is_default=False))
    mine.identities.add_alias("formerly", former.id, NOW)
    mine.settings.put(Scope.IDENTITY, former.id, "ack", "never")
    mine.identities.delete(former.id, NOW - 10)


def _fill_queue(store: Store, mine: AccountStore, sender: Identity) -> None:
    """A mail to two, of whom one has got it; and one that is confirmed."""
    ends = [("friend", State.ACCEPTED), ("foe", State.PUBLISHED)], [("friend", State.ACKED)]
    for number, rows in enumerate(ends):
        new = NewSubmission(
            sender.id, f"QUEUE{number}", f"waiting {number}", "text", "", ReturnContent.FULL, "", None, b"tag", NOW
        )
        recipients = [
            NewOutgoing(n, address_of(name), b"", 3600, Priority.NORMAL, (), "") for n, (name, _) in enumerate(rows, 1)
        ]
        for row, (_, state) in zip(mine.outbox.add(new, recipients), rows, strict=True):
            if state is not State.ACCEPTED:
                store.outbox.save(replace(row, state=state, expires_time=NOW + 3600), NOW, "")


def mbox_of(*mails: MovedMail) -> bytes:
    """An mbox file with these."""
    return b"".join(portion for mail in mails for portion in mbox_entry(mail))


def raw_mail(number: int, size: int = 20, message_id: str = "") -> bytes:
    name = message_id or f"<{number}@x>"
    lines = [f"Message-ID: {name}", f"Subject: mail {number}", "", "From here", ">From there", "x" * size, ""]
    return "\r\n".join(lines).encode()


def picture_of(account: Account) -> Callable[[Store], dict[str, Any]]:
    """All that moves, without the numbers that differ from gateway to gateway."""

    def look(store: Store) -> dict[str, Any]:
        mine = store.account(account.id)
        mailboxes = mine.mailboxes.all()
        values = mine.settings.values
        contacts = {contact.address: contact for contact in mine.contacts.entries()}
        return {
            "secrets": (mine.secrets.id_key, mine.secrets.dedupe_key),
            "seen": mine.duplicates.seen(b"content id"),
            "options": values(Scope.ACCOUNT),
            "identities": [
                (
                    each.address,
                    each.label,
                    each.enabled,
                    each.is_default,
                    each.nonce_trials_per_byte,
                    each.payload_length_extra_bytes,
                    each.created_at,
                    each.pubkey_sent_at,
                    mine.identities.private_keys(each.id),
                    values(Scope.IDENTITY, each.id),
                )
                for each in mine.identities.all()
            ],
            "aliases": {
                name: mine.identities.get(identity).address
                for name, identity in mine.identities.aliases().items()
                if name != account.name
            },
            "contacts": {
                address: (
                    contact,
                    mine.contacts.reads_of(address),
                    mine.contacts.was_written_to(address),
                    values(Scope.CONTACT, mine.contacts.ref_of(address)),
                )
                for address, contact in contacts.items()
            },
            "correspondents": sorted(map(str, mine.contacts.correspondents())),
            "chans": [
                (each.address, mine.chans.private_keys(each.id), values(Scope.MEMBERSHIP, each.id))
                for each in mine.chans.all()
            ],
            "subscriptions": [(each.address, each.enabled) for each in mine.subscriptions.all()],
            "deleted": [
                (
                    each.address,
                    each.label,
                    each.deleted_at,
                    mine.identities.private_keys(each.id),
                    mine.identities.former_aliases(each.id),
                    values(Scope.IDENTITY, each.id),
                )
                for each in mine.identities.deleted()
            ],
            "answered": [mine.answers.last(each.id, address_of("friend")) for each in mine.identities.all()],
            "settings of others": {
                address: found
                for address in mine.contacts.known()
                if (found := values(Scope.CONTACT, mine.contacts.ref_of(address)))
            },
            "held": mine.held_acks.held_for([address_of("stranger")]),
            "threads": [
                (
                    mine.threads.by_vector(VECTOR),
                    mine.threads.vectors_of("<1@x>", Exchange(each.address, address_of("friend"))),
                    mine.threads.by_alias("<theirs@x>", Exchange(each.address, address_of("friend"))),
                    mine.threads.by_subject("lunch \u00e9", Exchange(each.address, address_of("friend")), NOW),
                )
                for each in mine.identities.all()
            ],
            "former": mine.mailboxes.former_subscriptions(),
            "saved": {each.name: [row.saved_at for row in mine.messages.rows(each.id)] for each in mailboxes},
            "mailboxes": {each.name: (each.kind, each.subscribed) for each in mailboxes},
            "mail": {each.name: mails_in(store, account, each.name) for each in mailboxes},
        }

    return look


def mails_in(store: Store, account: Account, name: str) -> list[tuple[bytes, Flags, tuple[str, ...], int]]:
    """Bytes, flags, keywords and date of each mail of a mailbox."""
    mine = store.account(account.id)
    mailbox = mine.mailboxes.find(name)
    assert mailbox is not None, name
    rows = mine.messages.rows(mailbox.id)
    found = {
        mail.uid: mail.header + mail.body for mail in mine.messages.messages(mailbox.id, [row.uid for row in rows])
    }
    return [(found[row.uid], row.flags, row.keywords, row.internaldate) for row in rows]
