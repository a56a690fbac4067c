"""Chans of an account: joining and leaving (protocol specification v3, "Channels"; mail conversion M4).

Whoever knows the passphrase of a chan makes the same keys and is a member; nothing of that goes on the wire. A chan's
mail has a mailbox of its own, whose name below `Chans/` is the member's label for it.
"""

import asyncio
import unicodedata
from base64 import b32encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from bmgate.bm.addresses import Address, parse_address
from bmgate.bm.keys import Entropy, deterministic_keys
from bmgate.bm.network import STREAM
from bmgate.domain.account import AccountId
from bmgate.domain.chan import CHANS, Membership, NewChan
from bmgate.domain.mailbox import Flags, Mailbox
from bmgate.domain.policy import Scope
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Clock
from bmgate.errors import BadAddress, Conflict, LimitReached, Missing, NotAllowed
from bmgate.mail.addresses import mail_address
from bmgate.mail.letters import Letter, render_letter
from bmgate.mail.text import clean_line
from bmgate.mail.write import Mailbox as MailAddress
from bmgate.mail.write import usable_label
from bmgate.services.batch import Report, Step, apply_all
from bmgate.services.events import MailboxEvents
from bmgate.services.mailboxes.mailbox_names import below, label_of, make_shown
from bmgate.services.mailboxes.mailboxes import indexed, to_minute

PASSPHRASE_BYTES = 15  # of entropy in one that we make
MAX_PASSPHRASE = 100  # characters
MAX_CHANS = 200  # of one account
GUESSABLE = 12  # characters below which the note warns
CHAN_VERSIONS = (3, 4)


@dataclass(frozen=True, slots=True)
class Chan:
    """A chan as one of its members sees it: `label` is his own word for it."""

    membership: Membership
    label: str


@dataclass(frozen=True, slots=True, repr=False)
class Joining:
    """Who wants to take part in what; without a label the passphrase is one."""

    account: AccountId
    passphrase: str
    address: Address | None = None
    label: str = ""


class Chans:
    """The chans of all accounts, one account at a time. `changed` is called after each commit that made keys come or
    go.
    """

    def __init__(
        self,
        database: Database,
        events: MailboxEvents,
        clock: Clock,
        entropy: Entropy,
        domain: str,
        changed: Callable[[], None],
    ) -> None:
        self._database, self._events, self._clock = database, events, clock
        self._entropy, self._domain = entropy, domain
        self.changed = changed

    async def all(self, account: AccountId) -> list[Chan]:
        """In the order in which the account joined."""

        def look(store: Store) -> list[Chan]:
            mine = store.account(account)
            return [_chan(mine, membership) for membership in mine.chans.all()]

        return await self._database.read(look)

    async def join(
        self,
        account: AccountId,
        passphrase: str,
        address: Address | None = None,
        label: str = "",
        *,
        if_missing: bool = False,
    ) -> Chan:
        """Take part in the chan of a passphrase, which must be that of `address` where one is given.

        With `if_missing` the chan as it is, for who takes part already. Raises NotAllowed for what cannot be a
        passphrase or makes another address, Conflict for a member, LimitReached.
        """
        ready = await asyncio.to_thread(_ready, Joining(account, passphrase, address, label))
        step, now = self._join, self._clock.now()
        chan, _ = await self._database.transact(lambda store: step(store, ready, now, if_missing=if_missing))
        self.changed()
        return chan

    async def join_all(
        self, wanted: Iterable[tuple[int, Joining]], *, if_missing: bool = False
    ) -> list[tuple[Chan, bool]]:
        """All or none, each with the number of its line: the chans, and whether they are new. Raises BatchRefused."""
        report, steps, now = Report(), list[Step[tuple[Chan, bool]]](), self._clock.now()
        for line, joining in wanted:
            with report.line(line):
                ready = await asyncio.to_thread(_ready, joining)
                steps.append((line, partial(self._join, ready=ready, now=now, if_missing=if_missing)))
        report.check()
        chans = await apply_all(self._database, steps)
        self.changed()
        return chans

    def _join(self, store: Store, ready: "_Ready", now: int, *, if_missing: bool) -> tuple[Chan, bool]:
        mine = store.account(ready.wanted.account)
        former = mine.chans.find(ready.chan.address)
        if if_missing and former is not None:
            return _chan(mine, former), False
        name = ready.name if ready.wanted.label else _free_name(mine, ready.name)
        self.take_part(mine, ready.chan, ready.wanted.passphrase, name, now)
        membership = mine.chans.find(ready.chan.address)
        assert membership is not None
        return _chan(mine, membership), True

    async def create(self, account: AccountId, label: str = "") -> tuple[Chan, str]:
        """A chan that nobody can guess, and its passphrase, which is told this once and not kept."""
        text = b32encode(self._entropy(PASSPHRASE_BYTES)).decode("ascii").lower()
        passphrase = "-".join(text[start : start + 4] for start in range(0, len(text), 4))
        return await self.join(account, passphrase, label=label), passphrase

    async def leave(self, account: AccountId, text: str) -> Chan:
        """Give up a chan, named by label or address: its keys go, and its mailbox with all mail; raises Missing."""

        def give_up(store: Store) -> Chan:
            mine = store.account(account)
            chan = find(mine, text)
            self.give_up(mine, chan.membership)
            mine.mailboxes.delete(chan.membership.mailbox)
            return chan

        left = await self._database.transact(give_up)
        self.changed()
        self._events.changed([left.membership.mailbox])
        return left

    # -- for whoever has a transaction already -----------------------------------------------------------------------

    def take_part(self, mine: AccountStore, chan: NewChan, passphrase: str, name: str, now: int) -> Mailbox:
        """Join within a transaction, with a mailbox of that name and a note as its first mail.

        Raises Conflict for a member, LimitReached at 200 chans: every key of a chan is tried on every msg.
        """
        if mine.chans.find(chan.address) is not None:
            raise Conflict(f"you take part in {chan.address} already")
        if len(mine.chans.all()) >= MAX_CHANS:
            raise LimitReached(f"an account takes part in at most {MAX_CHANS} chans")
        mailbox = make_shown(mine.mailboxes, name, now)
        mine.chans.join(chan, mailbox.id, now)
        raw = render_letter(self._note(chan.address, passphrase, mailbox, now))
        mine.messages.append(mailbox.id, mine.messages.add_content(indexed(raw).content()), Flags.NONE, (), now)
        return mailbox

    def give_up(self, mine: AccountStore, membership: Membership) -> None:
        """Leave within a transaction; the mailbox is the caller's to delete."""
        for name in mine.settings.values(Scope.MEMBERSHIP, membership.id):
            mine.settings.put(Scope.MEMBERSHIP, membership.id, name, None)
        mine.chans.leave(membership.id)

    def _note(self, address: Address, passphrase: str, mailbox: Mailbox, now: int) -> Letter:
        label = label_of(mailbox)
        spec = mail_address(address, self._domain)
        text = (
            f'You take part in the chan "{label}".\n\n'
            f"Its address is {spec}: mail to it reaches everybody who takes part.\n"
            "Who that is nobody can know, and nobody can be kept out who knows the passphrase.\n"
            "What you write is signed with the key that all share, so that it does not show who you are."
        )
        if len(passphrase) < GUESSABLE:
            text += f"\n\nAnyone can guess it: the passphrase has fewer than {GUESSABLE} characters."
        return Letter(
            sender=MailAddress(f"chan@{self._domain}", "Bitmessage gateway"),
            to=MailAddress(spec, usable_label(label)),
            subject=f"You joined {label}",
            text=text,
            message_id=f"<{self._entropy(15).hex()}@{self._domain}>",
            date=to_minute(now),
        )


@dataclass(frozen=True, slots=True, repr=False)
class _Ready:
    """The same with its keys, and the name of its mailbox."""

    wanted: Joining
    chan: NewChan
    name: str


def _ready(wanted: Joining) -> _Ready:
    chan = derive(wanted.passphrase, wanted.address)
    return _Ready(wanted, chan, below(CHANS, clean_line(wanted.label) or wanted.passphrase))


def _free_name(mine: AccountStore, name: str) -> str:
    """Passphrases that differ may give the same name; then later ones are numbered."""
    number, free = 1, name
    while mine.mailboxes.find(free) is not None:
        number += 1
        free = f"{name} {number}"
    return free


def derive(passphrase: str, address: Address | None = None) -> NewChan:
    """The keys of a chan, some ten milliseconds of work; raises NotAllowed when they do not make `address`."""
    check_passphrase(passphrase)
    version = 4 if address is None else address.version
    if version not in CHAN_VERSIONS:
        raise NotAllowed(f"{address} cannot be a chan: its address has version {version}, chans have 3 or 4")
    keys = next(deterministic_keys(passphrase.encode()))
    made = keys.public.address(version, STREAM)
    if address is not None and made != address:
        raise NotAllowed(f"this passphrase is not that of {address}; case and spaces must be exact")
    return NewChan(made, keys)


def check_passphrase(passphrase: str) -> None:
    """Raises NotAllowed for what no chan can be called; case and spaces count (M4)."""
    if not 1 <= len(passphrase) <= MAX_PASSPHRASE:
        raise NotAllowed(f"the passphrase of a chan has 1 to {MAX_PASSPHRASE} characters")
    if any(unicodedata.category(character) == "Cc" for character in passphrase):
        raise NotAllowed("the passphrase of a chan has no control characters")


def find(mine: AccountStore, text: str) -> Chan:
    """A chan by its address, with or without `BM-`, or by its label; raises Missing."""
    chans, address = [_chan(mine, membership) for membership in mine.chans.all()], address_in(text)
    for chan in chans:
        if chan.membership.address == address or (address is None and chan.label == text):
            return chan
    known = ", ".join(chan.label for chan in chans) or "none"
    raise Missing(f"you take part in no chan {text!r}; your chans: {known}")


def address_in(text: str) -> Address | None:
    """The address that `text` is, with or without `BM-`. Then it means that one, whatever others are called."""
    try:
        return parse_address(text)
    except BadAddress:
        return None


def _chan(mine: AccountStore, membership: Membership) -> Chan:
    return Chan(membership, label_of(mine.mailboxes.get(membership.mailbox)))
