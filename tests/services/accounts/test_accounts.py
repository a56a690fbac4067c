"""Logging in: every form of the name, a cache that forgets, and a limiter that no secret passes."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

import pytest
from fakes import FakeClock, WatchedThreads
from stations import Station, User
from storage_fixtures import CHEAP, NOW, PASSWORD, make_vault

from bmgate.domain.account import AccountState
from bmgate.domain.policy import Policy
from bmgate.domain.sources import ONION_SOURCE, login_source
from bmgate.errors import Conflict, IdentityDisabled, LimitReached, LoginFailed, Missing, NotAllowed, NotOwner
from bmgate.mail.addresses import Domains
from bmgate.services.accounts.accounts import AccountDefaults, Accounts
from bmgate.services.identities import AddressRequest, Identities
from bmgate.services.limiter import LoginLimiter, LoginLimits
from bmgate.services.policies import Policies
from bmgate.storage.passwords import PasswordSlots

FAR = "192.0.2.7"


class CountingPasswords(PasswordSlots):
    """Counts the Argon2id runs."""

    runs: ClassVar[list[str]] = []

    def open_slot(self, parameters: bytes, wrapped: bytes, password: str) -> bytes | None:
        self.runs.append("open")
        return super().open_slot(parameters, wrapped, password)

    def waste(self, password: str) -> None:
        self.runs.append("waste")
        super().waste(password)


class ClockThatSkips(FakeClock):
    """Whoever sleeps wakes at once, and so much later it is."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)


@pytest.fixture
def clock() -> FakeClock:
    return ClockThatSkips(NOW)


@pytest.fixture
async def station(tmp_path: Path, threads: WatchedThreads) -> AsyncIterator[Station]:
    made = await Station(tmp_path, FakeClock(NOW), threads).start()
    yield made
    await made.close()


@pytest.fixture
async def accounts(station: Station, clock: FakeClock) -> AsyncIterator[Accounts]:
    passwords = CountingPasswords(make_vault(), CHEAP)
    passwords.runs.clear()
    made = Accounts(station.database, passwords, clock, lambda n: b"k" * n, Domains(), AccountDefaults(), LoginLimits())
    yield made
    made.close()


@pytest.fixture
async def alice(station: Station) -> User:
    return await station.add_user("alice")


@pytest.mark.parametrize(
    "form",
    [
        "alice",
        "Alice",
        " alice ",
        "alice@bm.internal",
        "{address}",
        "{address}@bm.internal",
        "{lower}",
        "{lower}@bm.internal",
    ],
)
async def test_an_account_logs_in_under_each_of_its_names(accounts: Accounts, alice: User, form: str) -> None:
    address = str(alice.identity.address)
    assert await accounts.login(form.format(address=address, lower=address.lower()), PASSWORD, FAR) == alice.id


@pytest.mark.parametrize(
    "name", ["bob", "alice@example.com", "", "@", "BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuQ", "\ud800"]
)
async def test_unknown_names_fail_like_wrong_passwords(
    accounts: Accounts, alice: User, clock: FakeClock, name: str
) -> None:
    texts = []
    for who, password in ((name, PASSWORD), ("alice", "wrong password")):
        with pytest.raises(LoginFailed) as failed:
            await accounts.login(who, password, FAR)
        texts.append(str(failed.value))
    assert texts[0] == texts[1]
    assert CountingPasswords.runs == ["waste", "open"], "both cost one Argon2id run"


@pytest.mark.parametrize("password", ["", "x" * 5000, "\ud800surrogate", "correct horse\0", "Correct horse"])
async def test_wrong_passwords_of_every_kind_fail(accounts: Accounts, alice: User, password: str) -> None:
    with pytest.raises(LoginFailed):
        await accounts.login("alice", password, FAR)


async def test_a_disabled_account_does_not_log_in_though_it_just_did(accounts: Accounts, alice: User) -> None:
    await accounts.login("alice", PASSWORD, FAR)
    await accounts.set_state("alice", AccountState.DISABLED)
    with pytest.raises(LoginFailed):
        await accounts.login("alice", PASSWORD, FAR)
    await accounts.set_state("alice", AccountState.ACTIVE)
    assert await accounts.login("alice", PASSWORD, FAR) == alice.id


async def test_a_new_password_ends_the_old_one_at_once(accounts: Accounts, alice: User) -> None:
    await accounts.login("alice", PASSWORD, FAR)
    await accounts.set_password("alice", "another secret")
    with pytest.raises(LoginFailed):
        await accounts.login("alice", PASSWORD, FAR)
    assert await accounts.login("alice", "another secret", FAR) == alice.id


async def test_a_verified_session_costs_no_second_run_for_ten_minutes(
    accounts: Accounts, alice: User, clock: FakeClock
) -> None:
    for _ in range(5):
        await accounts.login("alice", PASSWORD, FAR)
    assert CountingPasswords.runs == ["open"]
    clock.advance(601)
    await accounts.login("alice", PASSWORD, FAR)
    assert CountingPasswords.runs == ["open"] * 2


async def test_a_source_that_fails_too_often_waits_though_it_knows_the_password(
    accounts: Accounts, alice: User, clock: FakeClock
) -> None:
    for number in range(50):
        with pytest.raises((LoginFailed, LimitReached)):
            await accounts.login("alice", f"guess {number}", FAR)
        clock.advance(20)
    with pytest.raises(LimitReached):
        await accounts.login("alice", PASSWORD, FAR)
    assert await accounts.login("alice", PASSWORD, "198.51.100.9") == alice.id, "the owner elsewhere does not wait"


@pytest.mark.parametrize("name", ["", "x" * 31, "a b", "BM-abc", "postmaster", "ü", "-a", "a/b", "a@b"])
async def test_names_that_cannot_be_are_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(NotAllowed):
        await accounts.add(name, "long enough")


@pytest.mark.parametrize("password", ["short", "x" * 1025, "é" * 600])
async def test_passwords_too_short_or_too_long_are_refused(accounts: Accounts, password: str) -> None:
    with pytest.raises(NotAllowed):
        await accounts.add("bob", password)


async def test_a_name_is_given_once(accounts: Accounts, alice: User) -> None:
    with pytest.raises(Conflict):
        await accounts.add("ALICE", "long enough")
    with pytest.raises(Missing):
        await accounts.named("bob")


async def test_a_password_is_the_same_in_both_forms_of_unicode(accounts: Accounts) -> None:
    account = await accounts.add("bob", "cafe\u0301 au lait")
    assert await accounts.login("bob", "caf\u00e9 au lait", FAR) == account.id


async def test_the_first_address_is_the_default_and_answers_to_the_name(station: Station, accounts: Accounts) -> None:
    changes: list[int] = []
    identities = Identities(
        station.database,
        station.clock,
        lambda n: bytes(range(n)),
        station.settings.network,
        lambda: changes.append(1),
        Policies(Policy()),
    )
    account = await accounts.add("bob", "long enough")
    first = await identities.new(account.id, AddressRequest(label="Bob\r\nX: y", passphrase="one"))
    second = await identities.new(account.id, AddressRequest(alias="work", passphrase="two", version=3))
    assert (first.is_default, second.is_default, len(changes)) == (True, False, 2)
    assert "\n" not in first.label
    assert await identities.show(account.id, "bob") == (first, ["bob"])
    assert (await identities.show(account.id, "work"))[0] == second
    with pytest.raises(Conflict):
        await identities.new(account.id, AddressRequest(passphrase="one"))
    with pytest.raises(Conflict):
        await identities.new(account.id, AddressRequest(passphrase="three", alias="BOB".lower()))
    with pytest.raises(Missing):
        await identities.show(account.id, "BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuQ")


# -- another name --------------------------------------------------------------------------------------------------


async def test_a_renamed_account_logs_in_as_it_is_called_now_and_its_former_name_is_nobody_elses(
    accounts: Accounts, alice: User
) -> None:
    await accounts.login("alice", PASSWORD, FAR)
    assert (await accounts.rename("Alice@bm.internal", " Alicia ")).name == "alicia"
    assert await accounts.login("alicia", PASSWORD, FAR) == alice.id
    assert await accounts.of_sender("alicia@bm.internal") == alice.id
    with pytest.raises(LoginFailed):
        await accounts.login("alice", PASSWORD, FAR)
    with pytest.raises(NotOwner):
        await accounts.of_sender("alice@bm.internal")
    with pytest.raises(Conflict, match="free a year after"):
        await accounts.add("alice", PASSWORD)
    assert (await accounts.rename("alicia", "alice")).name == "alice", "its owner may take it back"


async def test_a_kept_name_is_an_alias_of_the_default_address(
    station: Station, accounts: Accounts, alice: User
) -> None:
    identities = station.services.identities
    await accounts.rename("alice", "alicia", keep_alias=True)
    for name in ("alice", "alicia"):
        assert await accounts.login(name, PASSWORD, FAR) == alice.id
        assert await accounts.of_sender(f"{name}@bm.internal") == alice.id
    other = await identities.new(alice.id, AddressRequest())
    await identities.make_default(alice.id, str(other.address))
    assert await identities.aliases(alice.id) == {"alice": alice.identity.address, "alicia": other.address}
    await identities.remove_alias(alice.id, "alice")
    assert list(await identities.aliases(alice.id)) == ["alicia"]


async def test_the_name_an_account_has_already_changes_nothing(accounts: Accounts, alice: User) -> None:
    for name in ("alice", "ALICE"):
        assert await accounts.rename("alice", name, keep_alias=True) == alice.account
    assert await accounts.login("alice", PASSWORD, FAR) == alice.id


async def test_an_own_alias_becomes_the_name_where_it_means_the_same(
    station: Station, accounts: Accounts, alice: User
) -> None:
    identities = station.services.identities
    await identities.add_alias(alice.id, "office", str(alice.identity.address))
    other = await identities.new(alice.id, AddressRequest(alias="sales"))
    with pytest.raises(Conflict, match="remove it first"):
        await accounts.rename("alice", "sales")
    await accounts.rename("alice", "office")
    assert await identities.aliases(alice.id) == {"office": alice.identity.address, "sales": other.address}


@pytest.mark.parametrize("name", ["", "postmaster", "a b", "bm-x", "\ud800", "x" * 31])
async def test_no_account_gets_a_name_that_cannot_be(accounts: Accounts, alice: User, name: str) -> None:
    with pytest.raises(NotAllowed, match=r"cannot name an account|a reserved word"):
        await accounts.rename("alice", name)


async def test_what_cannot_be_renamed_stays_as_it_was(station: Station, accounts: Accounts, alice: User) -> None:
    await accounts.add("bob", PASSWORD)
    for former, new, error in (("alice", "bob", Conflict), ("carol", "dora", Missing)):
        with pytest.raises(error):
            await accounts.rename(former, new)
    with pytest.raises(Missing, match="no address that could keep"):
        await accounts.rename("bob", "bert", keep_alias=True)
    assert (await accounts.named("bob")).name == "bob"
    await accounts.delete("bob")
    with pytest.raises(NotAllowed, match="was deleted"):
        await accounts.rename("bob", "bert")
    assert await station.services.identities.aliases(alice.id) == {"alice": alice.identity.address}


@pytest.mark.parametrize("wishes", [(("alice", "carol"), ("bob", "carol")), (("alice", "dora"), ("alice", "emil"))])
async def test_of_two_renamings_that_exclude_each_other_one_is_refused(
    accounts: Accounts, alice: User, wishes: tuple[tuple[str, str], ...]
) -> None:
    await accounts.add("bob", PASSWORD)
    outcomes = await asyncio.gather(*(accounts.rename(*wish) for wish in wishes), return_exceptions=True)
    assert [isinstance(each, (Conflict, Missing)) for each in outcomes].count(True) == 1


@pytest.mark.parametrize("change", ["name", "password"])
async def test_a_login_that_was_under_way_is_not_remembered(
    accounts: Accounts, alice: User, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    began, go_on = threading.Event(), threading.Event()
    open_slot = CountingPasswords.open_slot

    def late(self: CountingPasswords, parameters: bytes, wrapped: bytes, password: str) -> bytes | None:
        began.set()
        assert go_on.wait(5)
        return open_slot(self, parameters, wrapped, password)

    monkeypatch.setattr(CountingPasswords, "open_slot", late)
    login = asyncio.create_task(accounts.login("alice", PASSWORD, FAR))
    assert await asyncio.to_thread(began.wait, 5)
    await (accounts.rename("alice", "alicia") if change == "name" else accounts.set_password("alice", "another secret"))
    go_on.set()
    assert await login == alice.id
    with pytest.raises(LoginFailed):
        await accounts.login("alice", PASSWORD, FAR)


# -- the limiter ---------------------------------------------------------------------------------------------------


def fail(limiter: LoginLimiter, source: str, times: int, start: int = 0) -> list[float]:
    return [limiter.failed(source, f"{source}{number}".encode()) for number in range(start, start + times)]


def test_replies_to_failures_come_later_each_time(clock: FakeClock) -> None:
    assert fail(LoginLimiter(clock, LoginLimits()), FAR, 8) == [0, 0, 1, 2, 4, 8, 15, 15]
    assert max(fail(LoginLimiter(clock, LoginLimits()), "127.0.0.1", 20)) == 2


def test_ten_failures_a_minute_and_fifty_a_day(clock: FakeClock) -> None:
    limiter = LoginLimiter(clock, LoginLimits())
    for round_ in range(5):
        fail(limiter, FAR, 10, round_ * 10)
        with pytest.raises(LimitReached):
            limiter.check(FAR)
        clock.advance(61)
        if round_ < 4:
            limiter.check(FAR)
    with pytest.raises(LimitReached):
        limiter.check(FAR)
    clock.advance(86_400)
    limiter.check(FAR)
    assert limiter.failed(FAR, f"{FAR}0".encode()) == 0, "a day later all is forgotten"


def test_the_same_wrong_password_counts_once(clock: FakeClock) -> None:
    limiter = LoginLimiter(clock, LoginLimits())
    for _ in range(30):
        limiter.failed(FAR, b"typo")
    limiter.check(FAR)


def test_neighbours_share_a_limit_three_times_as_high(clock: FakeClock) -> None:
    limiter = LoginLimiter(clock, LoginLimits())
    for number in range(1, 31):
        fail(limiter, f"192.0.2.{number}", 1)
    with pytest.raises(LimitReached):
        limiter.check("192.0.2.200")
    limiter.check("198.51.100.1")


def test_an_ipv6_source_is_a_64(clock: FakeClock) -> None:
    limiter = LoginLimiter(clock, LoginLimits())
    for number in range(10):
        fail(limiter, f"2001:db8::{number + 1}", 1)
    with pytest.raises(LimitReached):
        limiter.check("2001:db8::ffff")
    limiter.check("2001:db8:0:1::1")


def test_loopback_is_never_banned(clock: FakeClock) -> None:
    limiter = LoginLimiter(clock, LoginLimits())
    fail(limiter, "127.0.0.1", 100)
    limiter.check("127.0.0.1")


def test_e10_over_onion_a_name_is_slowed_down_alone_and_never_locked(clock: FakeClock) -> None:
    limiter = LoginLimiter(clock, LoginLimits())
    alice, bob = (login_source(ONION_SOURCE, name) for name in (" Alice", "bob"))
    assert fail(limiter, alice, 100)[-1] == 15
    limiter.check(alice)
    assert fail(limiter, bob, 1) == [0]
    assert login_source(FAR, "alice") == FAR


async def test_e10_logins_over_onion_are_counted_by_name(accounts: Accounts, clock: FakeClock) -> None:
    await accounts.add("alice", PASSWORD)
    for number in range(15):
        with pytest.raises(LoginFailed):
            await accounts.login("alice", f"wrong {number}", ONION_SOURCE)
    then = clock.monotonic()
    with pytest.raises(LoginFailed):
        await accounts.login("carol", "wrong", ONION_SOURCE)
    assert clock.monotonic() == then, "another name waits for nothing"
    await accounts.login("alice", PASSWORD, ONION_SOURCE)


def test_success_forgives(clock: FakeClock) -> None:
    limiter = LoginLimiter(clock, LoginLimits())
    fail(limiter, FAR, 10)
    limiter.succeeded(FAR)
    limiter.check(FAR)


@pytest.mark.parametrize(
    "form",
    [
        "alice@bm.internal",
        "ALICE+tag@BM.internal",
        "alice",
        "{address}@bm.internal",
        "{address}@example.org",
        "{bare}@bm.internal",
        "{lower}@bm.internal",
        "{lower}@bm.addr",
        "{address}+ttl=2d@bm.internal",
    ],
)
async def test_an_identity_names_its_account_to_a_program_that_has_authenticated_its_owner(
    accounts: Accounts, alice: User, form: str
) -> None:
    address = str(alice.identity.address)
    sender = form.format(address=address, bare=address.removeprefix("BM-"), lower=address.lower())
    assert await accounts.of_sender(sender) == alice.id


@pytest.mark.parametrize(
    "sender",
    ["", "@", "bob", "alice@example.org", "random@bm.internal", "broadcast@bm.internal", "k\u00f6ln@bm.internal"],
)
async def test_what_names_no_identity_names_no_account(accounts: Accounts, alice: User, sender: str) -> None:
    with pytest.raises(NotOwner):
        await accounts.of_sender(sender)


async def test_a_disabled_account_is_named_to_nobody(accounts: Accounts, alice: User) -> None:
    await accounts.set_state("alice", AccountState.DISABLED)
    with pytest.raises(IdentityDisabled):
        await accounts.of_sender(alice.mail_address)
