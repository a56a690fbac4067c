"""Imports: what other programs and other gateways hold comes into an account, whole or not at all.

Everything is read and checked first. Then mail is stored a little at a time, where nobody sees it, and at the end one
transaction shows it together with addresses, contacts and options. What fails, is cancelled or killed before that
leaves nothing: the mail stored so far goes at once, or when the gateway starts again. What is there already is passed
over, so an import can be repeated.
"""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from bmgate.bm.addresses import Address
from bmgate.bm.keysdat import MAX_SIZE, KeysFile, read_keys_file
from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import ContentId, MailboxId, StagedMail
from bmgate.domain.moving import MovedMail, Parcel
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Database, Failpoints, Store
from bmgate.domain.ports.moving import ForeignFiles
from bmgate.domain.ports.world import Clock
from bmgate.errors import BadImport, NotAllowed, OverQuota
from bmgate.services.disk import room_for_all
from bmgate.services.events import MailboxEvents
from bmgate.services.finishing import finished
from bmgate.services.mailboxes.indexed import Indexed, indexed
from bmgate.services.moving.applying import Applier
from bmgate.services.moving.archive import SEALED_SIZE, ArchiveKey, open_archive
from bmgate.services.moving.archive_reading import read_archive
from bmgate.services.moving.archive_records import Manifest
from bmgate.services.moving.batches import add, digests_of, is_there, look_up, place_named, take
from bmgate.services.moving.old_mails import OldMails
from bmgate.services.moving.places import Place, check_mailboxes, place_of
from bmgate.services.moving.pybitmessage import joined, labels_of, parcel_of_keys, parcel_of_lists
from bmgate.services.moving.report import Count, Report

T = TypeVar("T")

Tell = Callable[[Any], Awaitable[None]]
"""How an import tells how far it is."""

MAX_MAILS = 1_000_000  # of one import
TOLD_EACH = 1_000  # mails, while they are only read
LOOKED_AT = 16  # mails of the account at once, of those without a name


@dataclass(frozen=True, slots=True)
class Source:
    """What is to come in. `mails` begins anew each time it is called, and blocks."""

    parcel: Parcel
    mails: Callable[[], Iterator[MovedMail]]
    left_out: "LeftOut" = field(default_factory=lambda: LeftOut())

    @property
    def has_nothing(self) -> bool:
        """Nothing but mail, if at all."""
        return replace(self.parcel, notes=()) == Parcel()


@dataclass(slots=True)
class LeftOut:
    """Counts what a reading left out."""

    number: int = 0

    def begin(self) -> None:
        """Another reading."""
        self.number = 0

    def one(self) -> None:
        self.number += 1

    def notes(self) -> Iterator[str]:
        if self.number:
            yield f"left out {self.number} mails that another program had deleted and not yet removed from its file"


@dataclass(slots=True)
class _Staged:
    """Mail that is stored and not shown yet."""

    mails: dict[Place, list[StagedMail]] = field(default_factory=dict)
    count: Count = field(default_factory=Count)


class _OnlyTried(Exception):
    """Takes back what was only tried."""


class Imports:
    """Imports into the accounts of this gateway. `changed` is called after each commit that brought keys."""

    def __init__(
        self,
        database: Database,
        events: MailboxEvents,
        clock: Clock,
        files: ForeignFiles,
        applier: Applier,
        domain: str,
        failpoints: Failpoints,
        changed: Callable[[], None],
        check_room: Callable[[], None] = room_for_all,
    ) -> None:
        self._database, self._events, self._clock, self._files = database, events, clock, files
        self._applier, self._domain, self._failpoints = applier, domain, failpoints
        self._changed, self._check_room = changed, check_room
        self._turns: WeakValueDictionary[AccountId, asyncio.Lock] = WeakValueDictionary()

    async def pybitmessage(self, account: AccountId, path: Path, tell: Tell, *, dry_run: bool) -> Report:
        """keys.dat, messages.dat, or a folder with both; raises BadImport."""
        async with self._opened(account, path) as source:
            return await self._bring(account, source, tell, dry_run)

    async def notbit(self, account: AccountId, path: Path, tell: Tell, *, dry_run: bool) -> Report:
        """notbit's keys.dat, or the folder with it; its mail is a Maildir."""
        file = await _in_thread(lambda: self._keys_file(self._files.beside(path).get("keys.dat")))
        if file is None:
            raise BadImport(f"{path} holds no keys.dat")
        parcel = parcel_of_keys(file, self._applier.network, await self._addresses(account))
        return await self._bring(account, Source(parcel, lambda: iter(())), tell, dry_run)

    async def mbox(self, account: AccountId, path: Path, mailbox: str, tell: Tell, *, dry_run: bool) -> Report:
        """An mbox file, or a folder of them; each has a mailbox of its name, unless one is given for all."""
        left = LeftOut()

        def mails() -> Iterator[MovedMail]:
            left.begin()
            return self._files.mbox(path, mailbox, left.one)

        return await self._bring(account, Source(Parcel(), mails, left), tell, dry_run)

    async def maildir(self, account: AccountId, path: Path, mailbox: str, tell: Tell, *, dry_run: bool) -> Report:
        """A Maildir with the folders in it."""
        source = Source(Parcel(), lambda: self._files.maildir(path, mailbox))
        return await self._bring(account, source, tell, dry_run)

    async def archive(self, account: AccountId, path: Path, passphrase: str, tell: Tell, *, dry_run: bool) -> Report:
        """An archive of this gateway or another; raises BadImport, for a wrong passphrase too."""
        key = ArchiveKey(passphrase)

        def read() -> tuple[Manifest, Parcel, Iterator[MovedMail]]:
            return read_archive(open_archive(self._files.pieces(path, SEALED_SIZE), key))

        manifest, parcel, _ = await _in_thread(read)
        if manifest.network != self._applier.network.name:
            raise NotAllowed(f"the archive is of the {manifest.network} network, not {self._applier.network.name}")
        return await self._bring(account, Source(parcel, lambda: read()[2]), tell, dry_run)

    @property
    def running(self) -> int:
        """Imports that bring something now: the end of the gateway would undo them."""
        return sum(turn.locked() for turn in list(self._turns.values()))

    async def sweep(self) -> None:
        """Drop what imports left that were killed; for the start of a gateway."""
        await _in_thread(self._files.sweep)
        for account in await self._database.read(lambda store: [each.id for each in store.accounts.all()]):
            async with self._turn(account):
                if await self._has_staged(account):
                    await self._drop(account)

    # -- sources -----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _opened(self, account: AccountId, path: Path) -> AsyncIterator[Source]:
        """PyBitmessage's files, as far as they are there."""
        found = await _in_thread(lambda: self._files.beside(path))
        file = await _in_thread(lambda: self._keys_file(found.get("keys.dat")))
        here = await self._addresses(account)
        keys = Parcel() if file is None else parcel_of_keys(file, self._applier.network, here)
        if "messages.dat" not in found:
            yield Source(keys, lambda: iter(()))
            return
        with ExitStack() as stack:
            messages = await _in_thread(lambda: stack.enter_context(self._files.messages_dat(found["messages.dat"])))
            lists = await _in_thread(lambda: parcel_of_lists(messages))
            if messages.version < 11:
                lists = replace(lists, notes=(*lists.notes, f"messages.dat has the older schema {messages.version}"))
            renderer = await self._database.read(lambda store: self._renderer(store.account(account), keys, lists))
            yield Source(joined(keys, lists), lambda: renderer.of(messages))

    def _keys_file(self, path: Path | None) -> KeysFile | None:
        return None if path is None else read_keys_file(self._files.read(path, MAX_SIZE))

    async def _addresses(self, account: AccountId) -> list[Address]:
        return await self._database.read(
            lambda store: [each.address for each in store.account(account).identities.all()]
        )

    def _renderer(self, mine: AccountStore, *parcels: Parcel) -> OldMails:
        labels = labels_of(parcels)
        labels |= {contact.address: contact.label for contact in mine.contacts.all() if contact.label}
        labels |= {identity.address: identity.label for identity in mine.identities.all() if identity.label}
        policy = self._applier.policies.of(mine)
        return OldMails(mine.secrets.id_key, self._domain, policy.recognise, labels)

    # -- bringing it in ----------------------------------------------------------------------------------------------

    async def _bring(self, account: AccountId, source: Source, tell: Tell, dry_run: bool) -> Report:
        async with self._turn(account):
            places, mails, octets = await self._checked(source, tell)
            if not mails and source.has_nothing:
                why = "".join(f": {note}" for note in (*source.left_out.notes(), *source.parcel.notes))
                raise BadImport(f"there is nothing in it that could come{why}")
            unnamed = await self._unnamed(account) if mails else frozenset()
            tried = await self._tried(account, source, places)
            left = await self._room_left(account)
            if dry_run or (left is not None and octets > left):
                await self._looked_up(account, source, mails, unnamed, left, tried, tell)
            if dry_run:
                tried.octets = octets
                tried.note_all(source.left_out.notes())
                return tried
            await self._drop(account)
            try:
                staged = await self._stage(account, source, mails, unnamed, tell)
                self._failpoints.pass_("import.staged")
                report = await finished(self._show(account, source, staged))
            except BaseException:
                await asyncio.shield(self._drop(account))
                raise
        report.octets = octets
        report.note_all(source.left_out.notes())
        return report

    async def _checked(self, source: Source, tell: Tell) -> tuple[dict[Place, None], int, int]:
        """Read all mail once: where it belongs, how much it is."""
        places, count, octets = dict[Place, None](), 0, 0
        mails = source.mails()
        while batch := await _in_thread(lambda: take(mails)):
            for mail in batch:
                places[place_named(mail)] = None
                octets += len(mail.raw)
            count += len(batch)
            if count > MAX_MAILS:
                raise NotAllowed(f"more than {MAX_MAILS} mails in one import")
            if count // TOLD_EACH != (count - len(batch)) // TOLD_EACH:
                await tell({"step": "reading", "done": count, "of": None})
        return places, count, octets

    async def _tried(self, account: AccountId, source: Source, places: Iterable[Place]) -> Report:
        """What would come of it, without mail; raises what stands against it."""
        now, report = self._clock.now(), Report()

        def rehearse(store: Store) -> None:
            check_mailboxes(store.account(account), source.parcel, places)
            self._apply(store, account, source.parcel, _Staged(), now, report)
            for place in places:
                place_of(store.account(account), place, now, report)
            raise _OnlyTried

        with suppress(_OnlyTried):
            await self._database.transact(rehearse)
        return report

    async def _room_left(self, account: AccountId) -> int | None:
        """How many bytes of mail the account's quota leaves; None without one."""

        def room(store: Store) -> int | None:
            mine = store.account(account)
            quota = mine.account.quota_bytes
            return None if quota is None else max(0, quota - mine.messages.used_octets())

        return await self._database.read(room)

    async def _unnamed(self, account: AccountId) -> frozenset[bytes]:
        """The digests of mails that are there and are not found by a name."""
        digests, of = set[bytes](), dict[MailboxId, list[int]]()
        for mailbox, uid in await self._database.read(lambda store: store.account(account).messages.untagged()):
            of.setdefault(mailbox, []).append(uid)
        for mailbox, uids in of.items():
            while uids:
                found = await self._database.read(partial(digests_of, account, mailbox, uids[:LOOKED_AT]))
                digests.update(digest for _, digest in found)
                last = found[-1][0] if found else uids[:LOOKED_AT][-1]
                uids = uids[bisect_right(uids, last) :]
        return frozenset(digests)

    async def _looked_up(
        self,
        account: AccountId,
        source: Source,
        total: int,
        unnamed: Collection[bytes],
        left: int | None,
        report: Report,
        tell: Tell,
    ) -> None:
        """What of the mail would be new; raises OverQuota where there is no room for that."""
        mails, new_octets, done = source.mails(), 0, 0
        while batch := await _in_thread(lambda: [(mail, indexed(mail.raw)) for mail in take(mails)]):
            for mail, was_there in await self._database.read(partial(look_up, account, batch, unnamed)):
                report.count("messages", new=not was_there)
                new_octets += 0 if was_there else len(mail.raw)
            if left is not None and new_octets > left:
                raise OverQuota(f"the mail needs more room than the {left} bytes that the account's quota leaves")
            done += len(batch)
            await tell({"step": "looking", "done": done, "of": total})

    async def _stage(
        self, account: AccountId, source: Source, total: int, unnamed: Collection[bytes], tell: Tell
    ) -> _Staged:
        staged, mails, done = _Staged(), source.mails(), 0
        await tell({"step": "storing", "done": 0, "of": total})
        while batch := await _in_thread(lambda: [(mail, indexed(mail.raw)) for mail in take(mails)]):
            self._check_room()
            for mail, content in await self._store(account, batch, unnamed):
                self._note(staged, mail, content)
            done += len(batch)
            del batch, mail, content
            self._failpoints.pass_("import.batch")
            await tell({"step": "storing", "done": done, "of": total})
        if done != total:
            raise BadImport("the mail changed while it was read")
        return staged

    async def _store(
        self, account: AccountId, batch: list[tuple[MovedMail, Indexed]], unnamed: Collection[bytes]
    ) -> list[tuple[MovedMail, ContentId | None]]:
        def store_new(store: Store) -> list[tuple[MovedMail, ContentId | None]]:
            mine = store.account(account)
            return [
                (mail, None if is_there(mine, mail, index, unnamed) else add(mine, mail, index))
                for mail, index in batch
            ]

        return await self._database.transact(store_new)

    def _note(self, staged: _Staged, mail: MovedMail, content: ContentId | None) -> None:
        if content is None:
            staged.count.there += 1
            return
        staged.count.new += 1
        date = self._clock.now() if mail.internaldate is None else mail.internaldate
        staged.mails.setdefault(place_named(mail), []).append(
            StagedMail(content, mail.flags, mail.keywords, date, mail.saved_at)
        )

    async def _show(self, account: AccountId, source: Source, staged: _Staged) -> Report:
        now, report = self._clock.now(), Report()
        await self._database.transact(lambda store: self._apply(store, account, source.parcel, staged, now, report))
        self._events.changed(report.mailboxes)
        if report.changes_keys:
            self._changed()
        return report

    def _apply(
        self, store: Store, account: AccountId, parcel: Parcel, staged: _Staged, now: int, report: Report
    ) -> None:
        self._applier.apply(store, store.account(account), parcel, staged.mails, now, report)
        if staged.count.new or staged.count.there:
            report.counts["messages"] = staged.count

    async def _has_staged(self, account: AccountId) -> bool:
        return await self._database.read(lambda store: store.account(account).messages.has_staged())

    async def _drop(self, account: AccountId) -> None:
        await self._database.transact(lambda store: store.account(account).messages.drop_staged())

    def _turn(self, account: AccountId) -> asyncio.Lock:
        """One import of an account at a time: what it stored unseen is its own."""
        return self._turns.setdefault(account, asyncio.Lock())


async def _in_thread(work: Callable[[], T]) -> T:
    """`work` on a thread; who cancels waits until it has ended, for it holds files."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise
