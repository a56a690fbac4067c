"""Imports: what other programs and other gateways hold comes into an account, whole or not at all.

Everything is read and checked first. Then mail is stored a little at a time, where nobody sees it, and at the end one
transaction shows it together with addresses, contacts and options. What fails, is cancelled or killed before that
leaves nothing: the mail stored so far goes at once, or when the gateway starts again. What is there already is passed
over, so an import can be repeated.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from bmgate.bm.keysdat import MAX_SIZE, KeysFile, read_keys_file
from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import ContentId, StagedMail
from bmgate.domain.moving import MovedMail, Parcel
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Database, Failpoints, Store
from bmgate.domain.ports.moving import ForeignFiles
from bmgate.domain.ports.world import Clock
from bmgate.errors import BadImport, NotAllowed, OverQuota
from bmgate.services.disk import room_for_all
from bmgate.services.events import MailboxEvents
from bmgate.services.mailboxes.mailboxes import Indexed, indexed
from bmgate.services.moving.applying import Applier, Count, Place, Report, place_of
from bmgate.services.moving.archive import SEALED_SIZE, ArchiveKey, open_archive
from bmgate.services.moving.archive_records import Manifest, read_archive
from bmgate.services.moving.pybitmessage import OldMails, joined, labels_of, parcel_of_keys, parcel_of_lists

T = TypeVar("T")

Tell = Callable[[Any], Awaitable[None]]
"""How an import tells how far it is."""

BATCH_MAILS, BATCH_OCTETS = 64, 4 * 1024 * 1024  # of one transaction
MAX_MAILS = 1_000_000  # of one import
TOLD_EACH = 1_000  # mails, while they are only read


@dataclass(frozen=True, slots=True)
class Source:
    """What is to come in. `mails` begins anew each time it is called, and blocks."""

    parcel: Parcel
    mails: Callable[[], Iterator[MovedMail]]


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
        parcel = parcel_of_keys(file, self._applier.network)
        return await self._bring(account, Source(parcel, lambda: iter(())), tell, dry_run)

    async def mbox(self, account: AccountId, path: Path, mailbox: str, tell: Tell, *, dry_run: bool) -> Report:
        """An mbox file, or a folder of them; each has a mailbox of its name, unless one is given for all."""
        source = Source(Parcel(), lambda: self._files.mbox(path, mailbox))
        return await self._bring(account, source, tell, dry_run)

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

    async def sweep(self) -> None:
        """Drop what imports left that were killed; for the start of a gateway."""
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
        keys = Parcel() if file is None else parcel_of_keys(file, self._applier.network)
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
            tried = await self._tried(account, source, places)
            await self._check_quota(account, octets)
            if dry_run:
                tried.count("messages", new=True, number=mails)
                tried.octets = octets
                return tried
            await self._drop(account)
            try:
                staged = await self._stage(account, source, mails, tell)
                self._failpoints.pass_("import.staged")
                report = await self._show(account, source, staged)
            except BaseException:
                await asyncio.shield(self._drop(account))
                raise
        report.octets = octets
        self._events.changed(report.mailboxes)
        if report.changes_keys:
            self._changed()
        return report

    async def _checked(self, source: Source, tell: Tell) -> tuple[dict[Place, None], int, int]:
        """Read all mail once: where it belongs, how much it is."""
        places, count, octets = dict[Place, None](), 0, 0
        mails = source.mails()
        while batch := await _in_thread(lambda: _take(mails)):
            for mail in batch:
                places[_place(mail)] = None
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
            self._apply(store, account, source.parcel, _Staged(), now, report)
            for place in places:
                place_of(store.account(account), place, now, report)
            raise _OnlyTried

        with suppress(_OnlyTried):
            await self._database.transact(rehearse)
        return report

    async def _check_quota(self, account: AccountId, octets: int) -> None:
        def room(store: Store) -> int | None:
            mine = store.account(account)
            quota = mine.account.quota_bytes
            return None if quota is None else quota - mine.messages.used_octets()

        left = await self._database.read(room)
        if left is not None and octets > left:
            raise OverQuota(f"{octets} bytes of mail, and the account has room for {max(left, 0)}")

    async def _stage(self, account: AccountId, source: Source, total: int, tell: Tell) -> _Staged:
        staged, mails, done = _Staged(), source.mails(), 0
        await tell({"step": "storing", "done": 0, "of": total})
        while batch := await _in_thread(lambda: [(mail, indexed(mail.raw)) for mail in _take(mails)]):
            self._check_room()
            for mail, content in await self._store(account, batch):
                self._note(staged, mail, content)
            done += len(batch)
            self._failpoints.pass_("import.batch")
            await tell({"step": "storing", "done": done, "of": total})
        if done != total:
            raise BadImport("the mail changed while it was read")
        return staged

    async def _store(
        self, account: AccountId, batch: list[tuple[MovedMail, Indexed]]
    ) -> list[tuple[MovedMail, ContentId | None]]:
        def store_new(store: Store) -> list[tuple[MovedMail, ContentId | None]]:
            mine = store.account(account)
            return [(mail, None if _is_there(mine, mail, index) else _add(mine, mail, index)) for mail, index in batch]

        return await self._database.transact(store_new)

    def _note(self, staged: _Staged, mail: MovedMail, content: ContentId | None) -> None:
        if content is None:
            staged.count.there += 1
            return
        staged.count.new += 1
        date = self._clock.now() if mail.internaldate is None else mail.internaldate
        staged.mails.setdefault(_place(mail), []).append(StagedMail(content, mail.flags, mail.keywords, date))

    async def _show(self, account: AccountId, source: Source, staged: _Staged) -> Report:
        now, report = self._clock.now(), Report()
        await self._database.transact(lambda store: self._apply(store, account, source.parcel, staged, now, report))
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


def _place(mail: MovedMail) -> Place:
    return mail.mailbox, mail.of


def _take(mails: Iterator[MovedMail]) -> list[MovedMail]:
    """As many as one transaction takes."""
    batch, octets = list[MovedMail](), 0
    for mail in mails:
        batch.append(mail)
        octets += len(mail.raw)
        if len(batch) >= BATCH_MAILS or octets >= BATCH_OCTETS:
            break
    return batch


def _name_of(mail: MovedMail, index: Indexed) -> str:
    """What it is found by: its Message-ID, or for want of one its bytes."""
    return mail.known_by or index.message_id or f"<{sha256(mail.raw).hexdigest()}@bytes>"


def _is_there(mine: AccountStore, mail: MovedMail, index: Indexed) -> bool:
    """Whether the account shows this mail, in whatever mailbox its owner put it."""
    places = mine.messages.places_of(_name_of(mail, index))
    if mail.known_by:
        return bool(places)
    return any(
        stored.header + stored.body == mail.raw
        for mailbox, uid in places
        for stored in mine.messages.messages(mailbox, [uid])
    )


def _add(mine: AccountStore, mail: MovedMail, index: Indexed) -> ContentId:
    return mine.messages.add_content(index.content(mine.messages.message_id_tag(_name_of(mail, index))))


async def _in_thread(work: Callable[[], T]) -> T:
    """`work` on a thread; who cancels waits until it has ended, for it holds files."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise
