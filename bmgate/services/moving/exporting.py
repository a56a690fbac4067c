"""Exports: an account's addresses and mail leave, as files of other programs or as one archive for another gateway.

Read-only: nothing changes here. What is written appears when it is whole, for its owner's eyes only.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bmgate.bm.addresses import Address
from bmgate.bm.keys import Entropy, PrivateKeys, encode_wif
from bmgate.bm.keysdat import NETWORK_MINIMUM, KeysEntry, write_keys_file
from bmgate.bm.network import NetworkParameters
from bmgate.domain.account import Account, AccountId, Level
from bmgate.domain.identity import Identity
from bmgate.domain.mailbox import Flags, Mailbox, MessageRow
from bmgate.domain.moving import MovedMail
from bmgate.domain.outbox import OutboxId
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.moving import ForeignFiles, NewMailFolder
from bmgate.domain.ports.world import Clock
from bmgate.errors import MailboxMissing, NotAllowed
from bmgate.services.accounts.accounts import Accounts
from bmgate.services.mailboxes.mailbox_names import label_of
from bmgate.services.moving.archive import MEMORY_KIB, Sealer
from bmgate.services.moving.archive_records import Manifest, account_records, end_record, mail_record
from bmgate.services.moving.packing import PENDING, draft_of, moved_mailboxes, parcel_of, waiting_rows
from bmgate.services.moving.pouring import poured
from bmgate.services.outbound.payloads import Payloads
from bmgate.services.outbound.queued_mail import QueuedMailWriter
from bmgate.services.policies import Policies

Tell = Callable[[Any], Awaitable[None]]

BATCH_MAILS, BATCH_OCTETS = 200, 4 * 1024 * 1024  # read at once
PORTION = 1024 * 1024  # bytes that are encrypted at once
MIN_PASSPHRASE = 12
DOMAIN = "bm.internal"  # of addresses in drafts, where there is no other


@dataclass(frozen=True, slots=True)
class Archived:
    """What an archive holds; `waiting` of its mails are drafts of what this gateway still has to send."""

    mails: int
    waiting: int


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
        domain: str = DOMAIN,
    ) -> None:
        self._database, self._clock, self._entropy, self._files = database, clock, entropy, files
        self._policies, self._network, self._accounts, self._argon2_kib = policies, network, accounts, argon2_kib
        self._writer = QueuedMailWriter(domain, network, Payloads(policies, domain), rate=lambda: 0)

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

    async def archive(self, account: Account, path: Path, passphrase: str, tell: Tell, *, force: bool) -> Archived:
        """Everything in one encrypted file. What is still to be sent is in it as drafts, and goes on here."""
        if len(passphrase) < MIN_PASSPHRASE:
            raise NotAllowed(f"an archive holds all keys: its passphrase has at least {MIN_PASSPHRASE} characters")
        parcel = await self._database.read(lambda store: parcel_of(store.account(account.id)))
        waiting = await self._database.read(lambda store: waiting_rows(store.account(account.id)))
        total = await self._count(account.id) + len(waiting)
        manifest = Manifest(self._network.name, account.name, self._clock.now(), total)

        def write(batches: Iterable[list[MovedMail]]) -> int:
            done = 0
            with self._files.new_file(path, force) as file:
                sealer = Sealer(passphrase, self._entropy, memory_kib=self._argon2_kib)
                file.write(sealer.header)
                for record in account_records(manifest, parcel):
                    file.write(sealer.feed(record))
                for batch in batches:
                    for mail in batch:
                        for portion in _cut(mail_record(mail)):
                            file.write(sealer.feed(portion))
                    done += len(batch)
                file.write(sealer.feed(end_record(done)) + sealer.finish())
            return done

        drafts = self._drafts(waiting)
        return Archived(await poured(self._mails(account.id, tell, drafts, len(waiting)), write), len(waiting))

    # -- mail --------------------------------------------------------------------------------------------------------

    async def _fill(self, account: AccountId, folder: AbstractContextManager[NewMailFolder], tell: Tell) -> int:
        boxes = await self._database.read(lambda store: moved_mailboxes(store.account(account)))

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

    async def _mails(
        self, account: AccountId, tell: Tell, drafts: AsyncIterator[list[MovedMail]] | None = None, waiting: int = 0
    ) -> AsyncIterator[list[MovedMail]]:
        """All mail, a little at a time: what was there when each mailbox was begun; then `waiting` drafts."""
        total, done = await self._count(account) + waiting, 0
        await tell({"step": "writing", "done": 0, "of": total})
        for mailbox in await self._database.read(lambda store: moved_mailboxes(store.account(account))):
            rows, of = await self._database.read(partial(_begin, account, mailbox))
            while rows:
                found = await self._database.read(partial(_portion, account, mailbox, rows, of))
                rows = _behind(rows, found)
                done += len(found)
                yield [mail for _, mail in found]
                await tell({"step": "writing", "done": done, "of": total})
        if drafts is not None:
            async for batch in drafts:
                done += len(batch)
                yield batch
                await tell({"step": "writing", "done": done, "of": total})

    async def _drafts(self, waiting: Sequence[OutboxId]) -> AsyncIterator[list[MovedMail]]:
        """One by one: they may be large. What was published or cancelled meanwhile is none any more."""
        now = self._clock.now()
        for row in waiting:
            draft = await self._database.read(partial(draft_of, self._writer, row, now))
            if draft is not None:
                yield [draft]

    async def _count(self, account: AccountId) -> int:
        def count(store: Store) -> int:
            mine = store.account(account)
            return sum(mine.mailboxes.status(mailbox.id).messages for mailbox in moved_mailboxes(mine))

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
                tuple(word for word in first[found.uid].keywords if word != PENDING),
                first[found.uid].internaldate,
                of,
                saved_at=first[found.uid].saved_at,
            ),
        )
        for found in found_now
    ]


def _behind(rows: list[MessageRow], batch: list[tuple[int, MovedMail]]) -> list[MessageRow]:
    """What is left to do; where nothing of a portion was there any more, what follows it."""
    if not batch:
        return rows[BATCH_MAILS:]
    return rows[sum(row.uid <= batch[-1][0] for row in rows[:BATCH_MAILS]) :]


def _cut(portions: Iterable[bytes]) -> Iterator[bytes]:
    """In pieces, so that a large mail is encrypted bit by bit."""
    for portion in portions:
        for start in range(0, len(portion), PORTION):
            yield portion[start : start + PORTION]
