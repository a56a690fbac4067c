"""Accounts: making them, logging in, passwords.

Argon2id costs about 0.1 s and 64 MiB a run, so passwords are checked in a pool of two behind a bounded queue, and a
session once verified is remembered for a while: a mail program opens up to five connections at once (F12).
"""

import asyncio
import hmac
import unicodedata
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from weakref import WeakValueDictionary

from bmgate.bm.addresses import Address, parse_address
from bmgate.bm.keys import Entropy
from bmgate.domain.account import Account, AccountId, AccountState, Level
from bmgate.domain.ports.accounts import PasswordSlot
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Clock, NewAccountKeys, Passwords
from bmgate.domain.sources import is_banned_for_failures, login_source, source_group
from bmgate.errors import BadAddress, IdentityDisabled, LoginFailed, Missing, NotAllowed, NotOwner, Unavailable
from bmgate.mail.addresses import Domains, is_alias, is_reserved, resolve_sender
from bmgate.services.accounts.renaming import rename
from bmgate.services.limiter import LoginLimiter, LoginLimits

T = TypeVar("T")

POOL_SIZE = 2
QUEUE_SIZE = 32
REMEMBER_SECONDS = 600
MIN_CHARACTERS, MAX_BYTES = 10, 1024


@dataclass(frozen=True, slots=True)
class AccountDefaults:
    """What a new account gets; from `[accounts]`."""

    level: Level = Level.L0
    quota_bytes: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class AccountRequest:
    """What a new account shall be; `quota_bytes` None is no limit."""

    name: str
    password: str
    quota_bytes: int | None


class Accounts:
    """The gateway's accounts, for the doors and the command line."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        clock: Clock,
        entropy: Entropy,
        domains: Domains,
        defaults: AccountDefaults,
        limits: LoginLimits,
    ) -> None:
        self._database, self._passwords, self._clock = database, passwords, clock
        self._domains, self._defaults = domains, defaults
        self._limiter = LoginLimiter(clock, limits)
        self._pool = ThreadPoolExecutor(POOL_SIZE, thread_name_prefix="argon2id")
        self._waiting = 0
        self._fingerprint_key = entropy(32)
        self._verified: dict[bytes, tuple[AccountId, float]] = {}
        self._forgotten = 0  # how often; a login that was under way then is not remembered
        self._turns: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    def close(self) -> None:
        """Let the password threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def add(self, name: str, password: str) -> Account:
        """A new account; raises NotAllowed for a bad name or password, Conflict when the name is taken."""
        request = AccountRequest(name, password, self._defaults.quota_bytes)
        keys, now = await self.keys_of(request), self._clock.now()
        return await self._database.transact(lambda store: self.admit(store, request, keys, now))

    @property
    def usual_quota(self) -> int | None:
        """Bytes that a new account gets."""
        return self._defaults.quota_bytes

    async def keys_of(self, request: AccountRequest) -> NewAccountKeys:
        """Keys for a new account, sealed with its password: an Argon2id run. Raises NotAllowed."""
        check_request(request)
        secret, level = prepared(request.password), self._defaults.level
        return await self._in_pool(lambda: self._passwords.new_account(secret, level))

    def admit(self, store: Store, request: AccountRequest, keys: NewAccountKeys, now: int) -> Account:
        """Add an account within a transaction; raises Conflict when the name is taken."""
        return store.accounts.add(folded(request.name), keys, self._defaults.level, request.quota_bytes, now)

    async def all(self) -> list[Account]:
        """By name; without deleted ones."""
        return await self._database.read(lambda store: store.accounts.all())

    async def deleted(self) -> list[tuple[Account, int]]:
        """Those that can still be brought back, and when they were deleted."""
        return await self._database.read(lambda store: store.accounts.deleted())

    async def named(self, name: str) -> Account:
        """Raises Missing."""

        def find(store: Store) -> Account:
            account = find_account(store, name, self._domains)
            if account is None:
                raise Missing(f"there is no account {name!r}; see: bmgate account list")
            return account

        return await self._database.read(find)

    async def is_called(self, account: AccountId, name: str) -> bool:
        """Whether this account has that name, or an alias of it; nobody has the empty one."""
        found = await self._database.read(lambda store: store.accounts.find(name.strip()))
        return found is not None and found.id == account

    async def set_password(self, name: str, password: str) -> None:
        """Replace the password; sessions that other programs have remembered must log in anew."""
        secret = prepared(password)
        account = await self.named(name)
        user_key = await self._database.read(lambda store: store.accounts.user_key(account.id))
        slot = await self._in_pool(lambda: self._passwords.new_slot(user_key, secret))
        await self._database.transact(lambda store: store.accounts.replace_password_slots(account.id, slot))
        self._forget(account.id)

    async def set_state(self, name: str, state: AccountState) -> None:
        """Disable or enable; raises Missing, NotAllowed for a deleted account."""
        account = await self.named(name)
        _check_living(account)
        await self._database.transact(lambda store: store.accounts.set_state(account.id, state))
        self._forget(account.id)

    async def rename(self, name: str, new: str, *, keep_alias: bool = False) -> Account:
        """Let an account log in under another name, its former one given up or kept as an alias; sessions go on.

        Raises Missing, Conflict when the name is taken, NotAllowed for what is no name and for a deleted account.
        """
        check_name(new)
        now = self._clock.now()

        def change(store: Store) -> Account:
            account = find_account(store, name, self._domains)
            if account is None:
                raise Missing(f"there is no account {name!r}; see: bmgate account list")
            _check_living(account)
            return rename(store, account.id, folded(new), now, keep_alias=keep_alias)

        renamed = await self._database.transact(change)
        self._forget(renamed.id)
        return renamed

    async def set_quota(self, name: str, quota_bytes: int | None) -> Account:
        """Change the room for its mail, None for no limit; raises Missing."""
        account = await self.named(name)

        def change(store: Store) -> Account:
            store.accounts.set_quota(account.id, quota_bytes)
            return store.accounts.get(account.id)

        return await self._database.transact(change)

    async def delete(self, name: str) -> Account:
        """Nobody logs in and its addresses receive no more; all it has stays for a while. Raises as `set_state`."""
        account, now = await self.named(name), self._clock.now()
        _check_living(account)
        await self._database.transact(lambda store: store.accounts.delete(account.id, now))
        self._forget(account.id)
        return await self.named(name)

    async def undelete(self, name: str) -> Account:
        """Bring a deleted account back; raises Missing, NotAllowed for one that was not deleted."""
        account = await self.named(name)
        if account.state is not AccountState.DELETED:
            raise NotAllowed(f"the account {account.name} was not deleted")
        await self._database.transact(lambda store: store.accounts.restore(account.id))
        return await self.named(name)

    async def login(self, name: str, password: str, source: str) -> AccountId:
        """The account of this name and password, for a client at IP address `source`.

        Raises LoginFailed after a delay, alike in text and time for unknown names, LimitReached for a source that
        failed too often, Unavailable when too many logins wait.
        """
        source = login_source(source, name)
        fingerprint = self._fingerprint(name, password)
        async with self._turn(source, fingerprint):
            self._limiter.check(source)
            known = self._verified.get(fingerprint)
            if known is not None and known[1] > self._clock.monotonic():
                return known[0]
            forgotten = self._forgotten
            account = await self._verify(name, password)
            if account is not None:
                self._limiter.succeeded(source)
                if self._forgotten == forgotten:
                    self._remember(fingerprint, account)
                return account
            delay = self._limiter.failed(source, fingerprint)
        await self._clock.sleep(delay)
        raise LoginFailed("wrong user name or password")

    def _turn(self, source: str, fingerprint: bytes) -> asyncio.Lock:
        """One attempt of a source at a time: guesses made at once are counted before the next is tried (I9).

        Where no source is shut out, one of the same words: the first is verified, the others are remembered (F12).
        """
        key = source_group(source).encode() if is_banned_for_failures(source) else fingerprint
        return self._turns.setdefault(key, asyncio.Lock())

    async def of_sender(self, addr_spec: str) -> AccountId:
        """The account of the identity that an address means, for a program which has authenticated its owner.

        Raises NotOwner when it means none of this gateway, IdentityDisabled when its account is disabled.
        """
        account = await self._database.read(lambda store: find_sender(store, addr_spec, self._domains))
        if account is None:
            raise NotOwner(f"<{addr_spec}> is no address of this gateway")
        if account.state is not AccountState.ACTIVE:
            raise IdentityDisabled(f"the account of <{addr_spec}> is disabled")
        return account.id

    async def _verify(self, name: str, password: str) -> AccountId | None:
        def slots(store: Store) -> tuple[Account, list[PasswordSlot]] | None:
            account = find_account(store, name, self._domains)
            if account is None or account.state is not AccountState.ACTIVE:
                return None
            return account, store.accounts.password_slots(account.id)

        found = await self._database.read(slots)
        secret = unicodedata.normalize("NFC", password)
        if found is None or len(secret.encode(errors="replace")) > MAX_BYTES:
            await self._in_pool(lambda: self._passwords.waste(secret[:MAX_BYTES]))
            return None
        account, candidates = found
        for slot in candidates:
            if await self._in_pool(partial(self._passwords.open_slot, slot.parameters, slot.wrapped, secret)):
                return account.id
        return None

    async def _in_pool(self, work: Callable[[], T]) -> T:
        if self._waiting >= QUEUE_SIZE:
            raise Unavailable("too many logins at once; try again in a moment")
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        future.add_done_callback(self._left_pool)
        return await asyncio.shield(future)  # a client that hangs up leaves its work in the queue, where it counts

    def _left_pool(self, future: "asyncio.Future[T]") -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()

    def _fingerprint(self, name: str, password: str) -> bytes:
        data = name.encode(errors="replace") + b"\0" + password.encode(errors="replace")
        return hmac.digest(self._fingerprint_key, data, "sha256")

    def _remember(self, fingerprint: bytes, account: AccountId) -> None:
        now = self._clock.monotonic()
        self._verified = {key: entry for key, entry in self._verified.items() if entry[1] > now}
        self._verified[fingerprint] = (account, now + REMEMBER_SECONDS)

    def _forget(self, account: AccountId) -> None:
        self._forgotten += 1
        self._verified = {key: entry for key, entry in self._verified.items() if entry[0] != account}


def find_account(store: Store, login: str, domains: Domains) -> Account | None:
    """Whose login name this is: account name, alias or address, with or without the domain (M2)."""
    local, at, domain = login.strip().rpartition("@")
    if not at:
        local = login.strip()
    elif not domains.is_own(domain.lower()):
        return None
    if not local.isascii():
        return None
    account = store.accounts.find(local.lower())
    if account is not None:
        return account
    try:
        return store.accounts.find_by_address(parse_address(local))
    except BadAddress:
        return store.accounts.find_by_folded_address(local.lower().removeprefix("bm-"))


def find_sender(store: Store, addr_spec: str, domains: Domains) -> Account | None:
    """Whose identity an address means when no account has logged in: as M10, but no nicknames, which are anybody's."""
    try:
        resolved = resolve_sender(addr_spec, domains, _EveryName(store))
    except (BadAddress, Missing, NotAllowed):
        base = addr_spec.rpartition("@")[0].partition("+")[0] or addr_spec
        return store.accounts.find_by_folded_address(base.lower().removeprefix("bm-")) if base.isascii() else None
    return None if resolved.address is None else store.accounts.find_by_address(resolved.address)


@dataclass(frozen=True, slots=True)
class _EveryName:
    """The `mail.addresses.Directory` of nobody in particular."""

    store: Store

    def alias(self, name: str) -> Address | None:
        identity = self.store.identities.by_alias(name)
        return None if identity is None else identity.address

    def nickname(self, name: str) -> Address | None:
        return None

    def relay(self, label: str) -> Address | None:
        return None

    def candidates(self) -> Iterable[Address]:
        return ()


def check_request(request: AccountRequest) -> None:
    """Raises NotAllowed for a name or a password that no account can have."""
    check_name(request.name)
    prepared(request.password)


def check_name(name: str) -> None:
    """Raises NotAllowed for what cannot name an account."""
    if is_reserved(folded(name)):
        raise NotAllowed(f"{name!r} is a reserved word that has a meaning of its own in mail addresses; choose another")
    if not is_alias(folded(name)):
        raise NotAllowed(
            f"{name!r} cannot name an account: use up to 30 of a-z, 0-9, '.', '_' and '-', a letter or digit first"
        )


def folded(name: str) -> str:
    """A name as it is kept."""
    return name.strip().lower()


def prepared(password: str) -> str:
    """A chosen password in NFC; raises NotAllowed when it is too short or too long (RFC 8265)."""
    secret = unicodedata.normalize("NFC", password)
    if len(secret) < MIN_CHARACTERS:
        raise NotAllowed(f"the password has {len(secret)} characters; it needs at least {MIN_CHARACTERS}")
    if len(secret.encode(errors="surrogatepass")) > MAX_BYTES:
        raise NotAllowed(f"the password is longer than {MAX_BYTES} bytes")
    return secret


def _check_living(account: Account) -> None:
    if account.state is AccountState.DELETED:
        raise NotAllowed(f"the account {account.name} was deleted; bring it back: bmgate account undelete")
