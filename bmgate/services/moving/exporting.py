"""Exports: an account's addresses and mail leave, as files of other programs or as one archive for another gateway.

Read-only: nothing changes here. What is written appears when it is whole, for its owner's eyes only.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bmgate.bm.addresses import Address
from bmgate.bm.keys import Entropy, PrivateKeys, encode_wif
from bmgate.bm.keysdat import NETWORK_MINIMUM, KeysEntry, write_keys_file
from bmgate.bm.network import NetworkParameters
from bmgate.domain.account import Account, AccountId, Level
from bmgate.domain.identity import Identity
from bmgate.domain.mailbox import Flags, Mailbox, MailboxKind, MessageRow
from bmgate.domain.moving import (
    MovedChan,
    MovedContact,
    MovedIdentity,
    MovedMail,
    MovedMailbox,
    MovedSubscription,
    Parcel,
)
from bmgate.domain.policy import Scope
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.moving import ForeignFiles, NewMailFolder
from bmgate.domain.ports.world import Clock
from bmgate.errors import MailboxMissing, NotAllowed, ShuttingDown
from bmgate.services.accounts.accounts import Accounts
from bmgate.services.mailboxes.mailbox_names import label_of
from bmgate.services.moving.archive import MEMORY_KIB, Sealer
from bmgate.services.moving.archive_records import Manifest, account_record, end_record, mail_record
from bmgate.services.policies import Policies

T = TypeVar("T")

Tell = Callable[[Any], Awaitable[None]]

BATCH_MAILS, BATCH_OCTETS = 200, 4 * 1024 * 1024  # read at once
MIN_PASSPHRASE = 12
_NOT_MOVED = frozenset({MailboxKind.OUTBOX, MailboxKind.PARENT})


class Exports:
    """Exports of the accounts of this gateway."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        entropy: Entropy,
        files: ForeignFiles,
        policies: Policies,
        network: NetworkParameters,
        accounts: Accounts,
        argon2_kib: int = MEMORY_KIB,
    ) -> None:
        self._database, self._clock, self._entropy, self._files = database, clock, entropy, files
        self._policies, self._network, self._accounts, self._argon2_kib = policies, network, accounts, argon2_kib

    async def open(self, account: Account, password: str) -> None:
        """Whoever asks may have it all: at L0 the master key opens it, else the owner's password does.

        Raises NotAllowed without one where it is needed, LoginFailed for a wrong one.
        """
        if account.level is Level.L0 and not password:
            return
        if not password:
            raise NotAllowed(f"only its password opens {account.name}: give it with --password-stdin")
        await self._accounts.login(account.name, password, "127.0.0.1")

    async def keys(self, account: AccountId, path: Path, *, force: bool) -> int:
        """A keys.dat, which PyBitmessage reads; how many addresses are in it."""
        entries = await self._database.read(lambda store: self._entries(store.account(account)))
        await self._write(path, write_keys_file(entries), force)
        return len(entries)

    async def wif(self, account: AccountId, path: Path, *, force: bool) -> int:
        """The private keys alone, in Wallet Import Format, a few lines for each address."""
        entries = await self._database.read(lambda store: self._entries(store.account(account)))
        lines = [
            f"{entry.address}\n  label       {'[chan] ' if entry.is_chan else ''}{entry.label}\n"
            f"  signing     {encode_wif(entry.keys.signing)}\n  encryption  {encode_wif(entry.keys.encryption)}\n"
            for entry in entries
        ]
        await self._write(path, "\n".join(lines).encode(), force)
        return len(entries)

    async def mbox(self, account: AccountId, path: Path, tell: Tell) -> int:
        """A folder with an mbox file for each mailbox; how many mails."""
        return await self._fill(account, self._files.new_mbox_folder(path), tell)

    async def maildir(self, account: AccountId, path: Path, tell: Tell) -> int:
        """A Maildir++; how many mails."""
        return await self._fill(account, self._files.new_maildir(path), tell)

    async def archive(self, account: Account, path: Path, passphrase: str, tell: Tell, *, force: bool) -> int:
        """Everything but what is still to be sent, in one encrypted file; how many mails."""
        if len(passphrase) < MIN_PASSPHRASE:
            raise NotAllowed(f"an archive holds all keys: its passphrase has at least {MIN_PASSPHRASE} characters")
        parcel = await self._database.read(lambda store: parcel_of(store.account(account.id)))
        manifest = Manifest(self._network.name, account.name, self._clock.now(), await self._count(account.id))

        def write(batches: Iterable[list[MovedMail]]) -> int:
            done = 0
            with self._files.new_file(path, force) as file:
                sealer = Sealer(passphrase, self._entropy, memory_kib=self._argon2_kib)
                file.write(sealer.header + sealer.feed(account_record(manifest, parcel)))
                for batch in batches:
                    for mail in batch:
                        file.write(sealer.feed(mail_record(mail)))
                    done += len(batch)
                file.write(sealer.feed(end_record(done)) + sealer.finish())
            return done

        return await poured(self._mails(account.id, tell), write)

    # -- mail --------------------------------------------------------------------------------------------------------

    async def _fill(self, account: AccountId, folder: AbstractContextManager[NewMailFolder], tell: Tell) -> int:
        boxes = await self._database.read(lambda store: _moved_mailboxes(store.account(account)))

        def write(batches: Iterable[list[MovedMail]]) -> int:
            done = 0
            with folder as new:
                for mailbox in boxes:
                    new.make(mailbox.name)
                for batch in batches:
                    new.add(batch)
                    done += len(batch)
            return done

        return await poured(self._mails(account, tell), write)

    async def _mails(self, account: AccountId, tell: Tell) -> AsyncIterator[list[MovedMail]]:
        """All mail, a little at a time: what was there when each mailbox was begun."""
        total, done = await self._count(account), 0
        await tell({"step": "writing", "done": 0, "of": total})
        for mailbox in await self._database.read(lambda store: _moved_mailboxes(store.account(account))):
            rows, of = await self._database.read(partial(_begin, account, mailbox))
            while rows:
                batch = await self._database.read(partial(_portion, account, mailbox, rows, of))
                rows = _behind(rows, batch)
                done += len(batch)
                yield [mail for _, mail in batch]
                await tell({"step": "writing", "done": done, "of": total})

    async def _count(self, account: AccountId) -> int:
        def count(store: Store) -> int:
            mine = store.account(account)
            return sum(mine.mailboxes.status(mailbox.id).messages for mailbox in _moved_mailboxes(mine))

        return await self._database.read(count)

    # -- keys --------------------------------------------------------------------------------------------------------

    def _entries(self, mine: AccountStore) -> list[KeysEntry]:
        return [self._identity_entry(mine, each) for each in mine.identities.all()] + [
            KeysEntry(
                each.address,
                mine.chans.private_keys(each.id),
                label_of(mine.mailboxes.get(each.mailbox)),
                is_chan=True,
            )
            for each in mine.chans.all()
        ]

    def _identity_entry(self, mine: AccountStore, identity: Identity) -> KeysEntry:
        policy, network = self._policies.of(mine, identity.id), self._network
        return KeysEntry(
            address=identity.address,
            keys=PrivateKeys(*mine.identities.private_keys(identity.id)),
            label=identity.label,
            enabled=identity.enabled,
            list_name=policy.list or None,
            acknowledges=policy.ack != "never",
            nonce_trials_per_byte=identity.nonce_trials_per_byte * NETWORK_MINIMUM // network.nonce_trials_per_byte,
            payload_length_extra_bytes=identity.payload_length_extra_bytes
            * NETWORK_MINIMUM
            // network.payload_length_extra_bytes,
            last_pubkey_at=identity.pubkey_sent_at,
        )

    async def _write(self, path: Path, data: bytes, force: bool) -> None:
        def write() -> None:
            with self._files.new_file(path, force) as file:
                file.write(data)

        await asyncio.to_thread(write)


def parcel_of(mine: AccountStore) -> Parcel:
    """All that is an account's but its mail; raises AccountLocked."""
    own = {mailbox.id: mailbox for mailbox in mine.mailboxes.all()}
    chans, subscriptions = mine.chans.all(), mine.subscriptions.all()
    taken = {each.mailbox for each in chans} | {each.mailbox for each in subscriptions}
    return Parcel(
        identities=tuple(_identities(mine)),
        chans=tuple(
            MovedChan(
                each.address,
                mine.chans.private_keys(each.id),
                label_of(own[each.mailbox]),
                mine.settings.values(Scope.MEMBERSHIP, each.id),
            )
            for each in chans
        ),
        subscriptions=tuple(
            MovedSubscription(each.address, label_of(own[each.mailbox]), each.enabled) for each in subscriptions
        ),
        contacts=tuple(_contacts(mine)),
        mailboxes=tuple(
            MovedMailbox(mailbox.name, mailbox.subscribed)
            for mailbox in _moved_mailboxes(mine)
            if mailbox.id not in taken
        ),
        options=mine.settings.values(Scope.ACCOUNT),
        secrets=mine.secrets,
        duplicates=tuple(mine.duplicates.tags()),
    )


def _identities(mine: AccountStore) -> Iterator[MovedIdentity]:
    aliases = defaultdict(list)
    for name, identity in mine.identities.aliases().items():
        if name != mine.account.name:
            aliases[identity].append(name)
    for each in mine.identities.all():
        yield MovedIdentity(
            address=each.address,
            keys=PrivateKeys(*mine.identities.private_keys(each.id)),
            label=each.label,
            enabled=each.enabled,
            is_default=each.is_default,
            nonce_trials_per_byte=each.nonce_trials_per_byte,
            payload_length_extra_bytes=each.payload_length_extra_bytes,
            created_at=each.created_at,
            pubkey_sent_at=each.pubkey_sent_at,
            aliases=tuple(sorted(aliases[each.id])),
            options=mine.settings.values(Scope.IDENTITY, each.id),
        )


def _contacts(mine: AccountStore) -> Iterator[MovedContact]:
    entries = {contact.address: contact for contact in mine.contacts.entries()}
    correspondents = dict.fromkeys(mine.contacts.correspondents())
    for address in dict.fromkeys([*entries, *correspondents]):
        entry = entries.get(address)
        yield MovedContact(
            address=address,
            label="" if entry is None else entry.label,
            standing=mine.contacts.standing_of(address),
            reads=mine.contacts.reads_of(address),
            corresponded=address in correspondents,
            written_to=mine.contacts.was_written_to(address),
            options=mine.settings.values(Scope.CONTACT, mine.contacts.ref_of(address)),
        )


def _moved_mailboxes(mine: AccountStore) -> list[Mailbox]:
    return [mailbox for mailbox in mine.mailboxes.all() if mailbox.kind not in _NOT_MOVED]


def _begin(account: AccountId, mailbox: Mailbox, store: Store) -> tuple[list[MessageRow], Address | None]:
    """The rows of a mailbox, none when it was deleted meanwhile, and the chan or subscription whose it is."""
    mine = store.account(account)
    if all(each.id != mailbox.id for each in mine.mailboxes.all()):
        return [], None
    owner = mine.chans.by_mailbox(mailbox.id) or mine.subscriptions.by_mailbox(mailbox.id)
    return mine.messages.rows(mailbox.id), None if owner is None else owner.address


def _portion(
    account: AccountId, mailbox: Mailbox, rows: list[MessageRow], of: Address | None, store: Store
) -> list[tuple[int, MovedMail]]:
    """The first mails of these rows, with their UIDs; none when all of those first ones are gone."""
    first = {row.uid: row for row in rows[:BATCH_MAILS]}
    try:
        found_now = store.account(account).messages.messages(mailbox.id, list(first), BATCH_OCTETS)
    except MailboxMissing:  # deleted meanwhile
        return []
    return [
        (
            found.uid,
            MovedMail(
                mailbox.name,
                found.header + found.body,
                first[found.uid].flags & ~Flags.RECENT,
                first[found.uid].keywords,
                first[found.uid].internaldate,
                of,
            ),
        )
        for found in found_now
    ]


def _behind(rows: list[MessageRow], batch: list[tuple[int, MovedMail]]) -> list[MessageRow]:
    """What is left to do; where nothing of a portion was there any more, what follows it."""
    if not batch:
        return rows[BATCH_MAILS:]
    return rows[sum(row.uid <= batch[-1][0] for row in rows[:BATCH_MAILS]) :]


async def poured(batches: AsyncIterator[list[MovedMail]], write: Callable[[Iterable[list[MovedMail]]], T]) -> T:
    """What `write` gives, which runs on a thread and gets the batches as they come; both end together."""
    bridge = _Bridge(batches)
    task = asyncio.ensure_future(asyncio.to_thread(lambda: write(bridge.batches())))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        bridge.close()
        await asyncio.gather(task, return_exceptions=True)
        raise


class _Bridge:
    """Batches that are made in the loop, for a thread that waits for each."""

    def __init__(self, source: AsyncIterator[list[MovedMail]]) -> None:
        self._source, self._loop, self._is_closed = source, asyncio.get_running_loop(), False
        self._following: asyncio.Task[list[MovedMail] | None] | None = None

    def batches(self) -> Iterator[list[MovedMail]]:
        """On the thread; raises ShuttingDown once it is closed."""
        while (batch := asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()) is not None:
            yield batch

    def close(self) -> None:
        """In the loop: nothing more comes."""
        self._is_closed = True
        if self._following is not None:
            self._following.cancel()

    async def _next(self) -> list[MovedMail] | None:
        if not self._is_closed:
            self._following = asyncio.ensure_future(self._pull())
            await asyncio.wait({self._following})
        if self._is_closed or self._following is None:
            raise ShuttingDown("the export was given up")
        return self._following.result()

    async def _pull(self) -> list[MovedMail] | None:
        return await anext(self._source, None)
