"""The services behind the SMTP door, in memory and as strict as the real ones about addresses."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

from bmgate.bm.addresses import Address, parse_address
from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import Flags
from bmgate.errors import BadMail, LoginFailed, NotOwner, RecipientMissing
from bmgate.mail.addresses import Domains, RecipientKind, Resolved, resolve_recipient
from bmgate.services.outbound.submission import Envelope, Receipt
from bmgate.smtp.ports import SmtpServices

ALICE = "BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z"
BOB = "BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuQ"
CHAN = "BM-2cW67GEKkHGonXKZLCzouLLxnLym3azS8r"
DOMAIN = "bm.internal"
PASSWORD = "correct horse"


@dataclass
class FakeDirectory:
    """What alice's account knows."""

    def alias(self, name: str) -> Address | None:
        text = {"bob": BOB, "alice": ALICE}.get(name)
        return None if text is None else parse_address(text)

    def nickname(self, name: str) -> Address | None:
        return None

    def relay(self, label: str) -> Address | None:
        return None

    def candidates(self) -> list[Address]:
        return [parse_address(ALICE), parse_address(BOB)]


@dataclass
class FakeAccounts:
    """One account that logs in, alice, her address does too; `others` send by their addresses."""

    failure: Exception | None = None
    others: dict[str, AccountId] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)

    async def login(self, name: str, password: str, source: str) -> AccountId:
        self.sources.append(source)
        if self.failure is not None:
            raise self.failure
        if name.lower().removesuffix(f"@{DOMAIN}") not in ("alice", ALICE.lower()) or password != PASSWORD:
            raise LoginFailed("wrong user name or password")
        return AccountId(1)

    async def of_sender(self, addr_spec: str) -> AccountId:
        accounts = {ALICE: AccountId(1), **self.others}
        if addr_spec.partition("@")[0] not in accounts:
            raise NotOwner(f"<{addr_spec}> is no address of this gateway")
        return accounts[addr_spec.partition("@")[0]]


@dataclass
class FakeSubmissions:
    """Keeps what was submitted. `gate` holds submissions up while it is not set; `failure` ends them."""

    domains: Domains = field(default_factory=Domains)
    mails: list[tuple[Envelope, bytes]] = field(default_factory=list)
    failure: Exception | None = None
    receipt: Receipt = field(default_factory=lambda: Receipt("7KQ2AB", 20.2, (), repeated=False))
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    stored: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def check_sender(self, account: AccountId, addr_spec: str) -> None:
        try:
            resolved = resolve_recipient(addr_spec, self.domains, FakeDirectory())
        except RecipientMissing:
            resolved = Resolved(RecipientKind.RANDOM)
        if str(resolved.address) != ALICE:
            raise NotOwner(f"you cannot send as <{addr_spec}>; your addresses: <{ALICE}@{DOMAIN}>")

    async def resolve(self, account: AccountId, addr_spec: str) -> Resolved:
        return resolve_recipient(addr_spec, self.domains, FakeDirectory())

    async def submit(self, envelope: Envelope, raw: bytes) -> Receipt:
        self.begun.set()
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        if b"\0" in raw:
            raise BadMail("the mail contains NUL")
        self.mails.append((envelope, raw))
        self.stored.set()
        return self.receipt


@dataclass
class FakeMailboxes:
    """Keeps what was appended: account, mailbox, mail; `failures` are of accounts."""

    mails: list[tuple[AccountId, str, bytes]] = field(default_factory=list)
    failures: dict[AccountId, Exception] = field(default_factory=dict)

    async def append(
        self,
        account: AccountId,
        name: str,
        raw: bytes,
        flags: Flags,
        keywords: Collection[str],
        internaldate: int | None,
    ) -> None:
        if account in self.failures:
            raise self.failures[account]
        self.mails.append((account, name, raw))


@dataclass
class House:
    """The services, and what a server is made with."""

    accounts: FakeAccounts = field(default_factory=FakeAccounts)
    submissions: FakeSubmissions = field(default_factory=FakeSubmissions)
    mailboxes: FakeMailboxes = field(default_factory=FakeMailboxes)

    @property
    def services(self) -> SmtpServices:
        return SmtpServices(self.accounts, self.submissions, self.mailboxes)

    @property
    def raw(self) -> list[bytes]:
        """The mails as they were handed over."""
        return [raw for _, raw in self.submissions.mails]
