"""Failed logins are counted over all doors together (I9), and tell nothing by their time or text (I10)."""

import asyncio
import base64
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any, ClassVar, cast

import pytest
from fakes import FakeClock
from storage_fixtures import CHEAP, NOW, PASSWORD, make_database, make_vault

from bmgate.domain.account import AccountState
from bmgate.errors import LoginFailed
from bmgate.imap.limits import ImapLimits
from bmgate.imap.ports import ImapServices
from bmgate.imap.server import ImapFactory
from bmgate.mail.addresses import Domains
from bmgate.pop3.limits import Pop3Limits
from bmgate.pop3.ports import Pop3Services
from bmgate.pop3.server import Pop3Factory
from bmgate.reactor import guest_reactor
from bmgate.services.accounts.accounts import AccountDefaults, Accounts
from bmgate.services.limiter import LoginLimits
from bmgate.services.mailboxes.maildrops import Maildrops
from bmgate.smtp.limits import SmtpLimits
from bmgate.smtp.ports import SmtpServices
from bmgate.smtp.server import SmtpServer
from bmgate.smtp.settings import Plaintext
from bmgate.storage.database import SealedDatabase
from bmgate.storage.passwords import Argon2Cost, PasswordSlots
from bmgate.tcp.listening import close, listen

LOW_MEMORY = Argon2Cost(operations=2, memory_bytes=19 * 1024 * 1024)
GUESSER, OWNER = "203.0.113.7", "198.51.100.20"
UNUSED = cast(Any, None)
Login = Callable[[str], Awaitable[bytes]]


class ClockWithoutSleep(FakeClock):
    """Notes how long somebody would have waited."""

    def __init__(self) -> None:
        super().__init__(NOW)
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


class CountedPasswords(PasswordSlots):
    """Counts the Argon2id runs."""

    runs: ClassVar[Counter[str]] = Counter()

    def open_slot(self, parameters: bytes, wrapped: bytes, password: str) -> bytes | None:
        self.runs["open"] += 1
        return super().open_slot(parameters, wrapped, password)

    def waste(self, password: str) -> None:
        self.runs["waste"] += 1
        super().waste(password)


@pytest.fixture
def clock() -> ClockWithoutSleep:
    return ClockWithoutSleep()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SealedDatabase]:
    made = make_database(tmp_path, make_vault())
    yield made
    assert await made.close()


@asynccontextmanager
async def accounts_of(database: SealedDatabase, clock: FakeClock, cost: Argon2Cost = CHEAP) -> AsyncIterator[Accounts]:
    """Alice and, disabled, Carol."""
    passwords = CountedPasswords(make_vault(), cost)
    made = Accounts(database, passwords, clock, lambda n: b"k" * n, Domains(), AccountDefaults(), LoginLimits())
    try:
        for name in ("alice", "carol"):
            await made.add(name, PASSWORD)
        await made.set_state("carol", AccountState.DISABLED)
        CountedPasswords.runs.clear()
        yield made
    finally:
        made.close()


@asynccontextmanager
async def doors(database: SealedDatabase, accounts: Accounts, source: str) -> AsyncIterator[list[Login]]:
    """IMAP, POP3 and SMTP, whose clients all come from `source`: a login at each, which returns the answer."""
    reactor, maildrops = guest_reactor(), Maildrops(database, UNUSED, UNUSED)
    imap = ImapFactory(ImapServices(accounts, UNUSED, UNUSED), ImapLimits(source=source), allow_plaintext=True)
    pop3 = Pop3Factory(Pop3Services(accounts, maildrops), Pop3Limits(source=source), allow_plaintext=True)
    smtp = SmtpServer(SmtpServices(accounts, UNUSED, UNUSED), SmtpLimits(source=source), "bm.internal", "host", None)
    ports = [listen(reactor, "test", "127.0.0.1", 0, factory, None) for factory in (imap, pop3)]
    submission = await smtp.start("127.0.0.1", 0, implicit_tls=False, plaintext=Plaintext.ANYBODY)
    numbers = [int(getattr(port.getHost(), "port", 0)) for port in ports]

    async def at_imap(password: str) -> bytes:
        return (await talk(numbers[0], [], f'a LOGIN alice "{password}"'))[0]

    async def at_pop3(password: str) -> bytes:
        return (await talk(numbers[1], ["USER alice"], f"PASS {password}"))[0]

    async def at_smtp(password: str) -> bytes:
        word = base64.b64encode(f"\0alice\0{password}".encode()).decode()
        return (await talk(submission, ["HELO x"], f"AUTH PLAIN {word}"))[0]

    try:
        yield [at_imap, at_pop3, at_smtp]
    finally:
        for port in ports:
            await close(port)
        await imap.stop()
        await pop3.stop()
        await smtp.close()


async def talk(port: int, before: list[str], command: str) -> list[bytes]:
    """One connection: commands with one line of answer each; the answer to the last."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(10):
        await reader.readline()
        for line in before:
            writer.write(line.encode() + b"\r\n")
            await reader.readline()
        writer.write(command.encode() + b"\r\n")
        answer = [await reader.readline()]
        writer.close()
        await writer.wait_closed()
    return answer


def is_in(answer: bytes) -> bool:
    return answer.startswith((b"a OK", b"* CAPABILITY", b"+OK", b"235"))


async def test_i9_failures_are_counted_over_all_doors_and_hold_up_their_source_alone(
    database: SealedDatabase, clock: ClockWithoutSleep
) -> None:
    async with accounts_of(database, clock) as accounts, doors(database, accounts, GUESSER) as guessing:
        guesses = [await guessing[number % 3](f"wrong guess {number}") for number in range(12)]
        assert not any(map(is_in, guesses))
        assert CountedPasswords.runs.total() == LoginLimits().per_minute
        assert clock.waits == [0, 0, 1, 2, 4, 8, 15, 15, 15, 15]
        for login in guessing:
            assert not is_in(await login(PASSWORD))
        async with doors(database, accounts, OWNER) as own:
            assert [is_in(await login(PASSWORD)) for login in own] == [True, True, True]
        assert max(clock.waits) <= 15


async def test_i9_a_thousand_guesses_at_once_cost_no_more_than_the_limit(
    database: SealedDatabase, clock: ClockWithoutSleep
) -> None:
    async with accounts_of(database, clock) as accounts:
        guesses = [accounts.login("alice", f"wrong guess {number}", GUESSER) for number in range(1_000)]
        done = await asyncio.gather(*guesses, return_exceptions=True)
        assert all(isinstance(outcome, Exception) for outcome in done)
        assert CountedPasswords.runs.total() == LoginLimits().per_minute
        assert await accounts.login("alice", PASSWORD, OWNER)


@pytest.mark.parametrize("source", [OWNER, "127.0.0.1"])
async def test_f12_many_connections_of_a_program_at_once_cost_one_verification(
    database: SealedDatabase, clock: ClockWithoutSleep, source: str
) -> None:
    async with accounts_of(database, clock) as accounts:
        assert len(set(await asyncio.gather(*(accounts.login("alice", PASSWORD, source) for _ in range(50))))) == 1
        assert CountedPasswords.runs.total() == 1


@pytest.mark.parametrize("name", ["alice", "nobody", "carol"])
async def test_i10_known_unknown_and_disabled_names_cost_the_same_and_fail_with_the_same_words(
    database: SealedDatabase, clock: ClockWithoutSleep, name: str
) -> None:
    async with accounts_of(database, clock) as accounts:
        with pytest.raises(LoginFailed) as failed:
            await accounts.login(name, "a wrong password", GUESSER)
        assert CountedPasswords.runs.total() == 1
        assert str(failed.value) == "wrong user name or password"


@pytest.mark.nightly
async def test_i10_the_time_of_a_failed_login_does_not_tell_whether_the_name_is_known(
    database: SealedDatabase, clock: ClockWithoutSleep
) -> None:
    seconds: dict[str, list[float]] = {"alice": [], "nobody": [], "carol": []}
    async with accounts_of(database, clock, LOW_MEMORY) as accounts:
        for number in range(1_000):
            for name, taken in seconds.items():
                began = time.perf_counter()
                with pytest.raises(LoginFailed):
                    await accounts.login(name, f"wrong {number}", f"2001:db8:{number:x}:{len(name)}::1")
                taken.append(time.perf_counter() - began)
    medians = [median(taken) for taken in seconds.values()]
    assert max(medians) < 1.05 * min(medians)
