"""Chans of an account: joining and leaving (protocol specification v3, "Channels"; mail conversion M4).

Whoever knows the passphrase of a chan makes the same keys and is a member; nothing of that goes on the wire. A chan's
mail has a mailbox of its own, whose name below `Chans/` is the member's label for it.
"""

import asyncio
import re
import unicodedata
from base64 import b32encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from bmgate.bm.addresses import Address
from bmgate.bm.keys import Entropy, deterministic_keys
from bmgate.bm.network import STREAM
from bmgate.domain.account import AccountId
from bmgate.domain.chan import CHANS, Membership, NewChan
from bmgate.domain.mailbox import Flags, Mailbox
from bmgate.domain.policy import Scope
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Clock
from bmgate.errors import Conflict, LimitReached, Missing, NotAllowed
from bmgate.mail.addresses import mail_address
from bmgate.mail.letters import Letter, render_letter
from bmgate.mail.text import clean_line
from bmgate.mail.write import Mailbox as MailAddress
from bmgate.mail.write import usable_label
from bmgate.services.batch import TELL_EVERY, Report, Step, Tell, apply_all, untold
from bmgate.services.chans.naming import meant
from bmgate.services.events import MailboxEvents
from bmgate.services.mailboxes.indexed import indexed, to_minute
from bmgate.services.mailboxes.mailbox_names import below, check_label, label_of, make_shown, relabel

PASSPHRASE_BYTES = 15  # of entropy in one that we make
MAX_PASSPHRASE = 100  # characters
MAX_CHANS = 200  # of one account
GUESSABLE = 12  # characters below which the note warns
CHAN_VERSIONS = (3, 4)
_NOT_BYTES = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # surrogates that no byte is written as


@dataclass(frozen=True, slots=True)
class Chan:
    """A chan as one of its members sees it: `label` is his own word for it."""

    membership: Membership
    label: str


@dataclass(frozen=True, slots=True, repr=False)
class Joining:
    """Who wants to take part in what; without a label the passphrase is one, or the address if that `is_secret`."""

    account: AccountId
    passphrase: str
    address: Address | None = None
    label: str = ""
    is_secret: bool = False


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
        self._entropy, self.domain = entropy, domain
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
        is_secret: bool = False,
    ) -> Chan:
        """Take part in the chan of a passphrase, which must be that of `address` where one is given.

        With `if_missing` the chan as it is, for who takes part already; `is_secret` as in `Joining`. Raises NotAllowed
        for what cannot be a passphrase or makes another address, Conflict for a member, LimitReached.
        """
        wanted = Joining(account, passphrase, address, label, is_secret)
        return (await self.put(wanted, if_missing=if_missing))[0]

    async def put(self, wanted: Joining, *, if_missing: bool = False) -> tuple[Chan, bool]:
        """The same, and whether the account is new in it."""
        ready = await asyncio.to_thread(_ready, wanted)
        step, now = self._join, self._clock.now()
        joined = await self._database.transact(lambda store: step(store, ready, now, if_missing=if_missing))
        self.changed()
        return joined

    async def join_all(
        self,
        wanted: Sequence[tuple[int, Joining]],
        prepared: Tell = untold,
        applied: Tell = untold,
        *,
        if_missing: bool = False,
    ) -> list[tuple[Chan, bool]]:
        """All or none, each with the number of its line: the chans, and whether they are new. Raises BatchRefused."""
        report, steps, now = Report(), list[Step[tuple[Chan, bool]]](), self._clock.now()
        for done, (line, joining) in enumerate(wanted, 1):
            with report.line(line):
                ready = await asyncio.to_thread(_ready, joining)
                steps.append((line, partial(self._join, ready=ready, now=now, if_missing=if_missing)))
            if done % TELL_EVERY == 0:
                await prepared(done, len(wanted))
        report.check()
        return await apply_all(self._database, steps, applied, self.changed)

    def _join(self, store: Store, ready: "_Ready", now: int, *, if_missing: bool) -> tuple[Chan, bool]:
        mine = store.account(ready.wanted.account)
        former = mine.chans.of_ripe(ready.chan.address.ripe)
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

    async def label(self, account: AccountId, text: str, label: str) -> Chan:
        """Call a chan something else, and its mailbox; raises Missing, MailboxExists, NotAllowed."""

        def change(store: Store) -> Chan:
            mine = store.account(account)
            chan = find(mine, text)
            relabel(mine.mailboxes, chan.membership.mailbox, clean_line(label))
            return _chan(mine, chan.membership)

        return await self._database.transact(change)

    # -- for whoever has a transaction already -----------------------------------------------------------------------

    def take_part(self, mine: AccountStore, chan: NewChan, passphrase: str, name: str, now: int) -> Mailbox:
        """Join within a transaction, with a mailbox of that name and a note as its first mail.

        Raises Conflict for a member, under whatever version of the address: what is encrypted to the keys would come
        twice. LimitReached at 200 chans: every key of a chan is tried on every msg.
        """
        there = mine.chans.of_ripe(chan.address.ripe)
        if there is not None:
            raise Conflict(
                f"you are in it already, as {there.address} (mailbox {mine.mailboxes.get(there.mailbox).name})"
            )
        if mine.chans.count() >= MAX_CHANS:
            raise LimitReached(f"an account takes part in at most {MAX_CHANS} chans")
        mailbox = make_shown(mine.mailboxes, name, now)
        mine.chans.join(chan, mailbox.id, now)
        raw = render_letter(self._note(chan.address, passphrase, mailbox, now))
        mine.messages.append(mailbox.id, mine.messages.add_content(indexed(raw).content()), Flags.NONE, (), now)
        return mailbox

    def give_up(self, mine: AccountStore, membership: Membership) -> None:
        """Leave within a transaction; the mailbox is the caller's to delete.

        Nobody stays subscribed to it: its name may be the passphrase, which is then kept nowhere.
        """
        mine.mailboxes.set_subscribed(membership.mailbox, False)
        for name in mine.settings.values(Scope.MEMBERSHIP, membership.id):
            mine.settings.put(Scope.MEMBERSHIP, membership.id, name, None)
        mine.chans.leave(membership.id)

    def _note(self, address: Address, passphrase: str, mailbox: Mailbox, now: int) -> Letter:
        label = label_of(mailbox)
        spec = mail_address(address, self.domain)
        text = (
            f'You take part in the chan "{label}".\n\n'
            f"Its address is {spec}: mail to it reaches everybody who takes part.\n"
            "Who that is nobody can know, and nobody can be kept out who knows the passphrase.\n"
            "What you write is signed with the key that all share, so that it does not show who you are."
        )
        if len(passphrase) < GUESSABLE:
            text += f"\n\nAnyone can guess it: the passphrase has fewer than {GUESSABLE} characters."
        return Letter(
            sender=MailAddress(f"chan@{self.domain}", "Bitmessage gateway"),
            to=MailAddress(spec, usable_label(label)),
            subject=f"You joined {address}",
            text=text,
            message_id=f"<{self._entropy(15).hex()}@{self.domain}>",
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
    label, unlabelled = clean_line(wanted.label), str(chan.address) if wanted.is_secret else wanted.passphrase
    check_label(label)
    return _Ready(wanted, chan, below(CHANS, label or unlabelled))


def _free_name(mine: AccountStore, name: str) -> str:
    """Passphrases that differ may give the same name; then later ones are numbered."""
    number, free = 1, name
    while mine.mailboxes.find(free) is not None:
        number += 1
        free = f"{name} {number}"
    return free


def derive(passphrase: str, address: Address | None = None) -> NewChan:
    """The keys of a chan, some ten milliseconds of work; raises NotAllowed when they do not make `address`.

    Bytes that are no UTF-8 stand in the passphrase as surrogates (`surrogateescape`): other programs take any.
    """
    check_passphrase(passphrase)
    version = 4 if address is None else address.version
    if version not in CHAN_VERSIONS:
        raise NotAllowed(f"{address} cannot be a chan: its address has version {version}, chans have 3 or 4")
    keys = next(deterministic_keys(passphrase.encode(errors="surrogateescape")))
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
    if _NOT_BYTES.search(passphrase):
        raise NotAllowed("the passphrase of a chan is UTF-8")


def find(mine: AccountStore, text: str) -> Chan:
    """A chan by its address (of whichever version) or its label, as `meant` says; raises Missing, BadAddress."""
    found = meant(mine, CHANS, text, lambda address: mine.chans.of_ripe(address.ripe), mine.chans.by_mailbox)
    if found is not None:
        return _chan(mine, found)
    known = ", ".join(_chan(mine, membership).label for membership in mine.chans.all()) or "none"
    raise Missing(f"you take part in no chan {text!r}; your chans: {known}")


def _chan(mine: AccountStore, membership: Membership) -> Chan:
    return Chan(membership, label_of(mine.mailboxes.get(membership.mailbox)))
