"""The rules of the mailboxes below `Chans/` and `Subscriptions/`: making one joins, deleting one leaves (M4, M5)."""

import asyncio
import unicodedata
from collections.abc import Collection, Sequence

from bmgate.bm.addresses import Address, looks_like_address, parse_address
from bmgate.domain.account import AccountId
from bmgate.domain.chan import CHANS, NewChan
from bmgate.domain.mailbox import DELIMITER, Mailbox, NewMail
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.subscription import SUBSCRIPTIONS
from bmgate.errors import BadAddress, NotAllowed
from bmgate.mail.headers import raw_field
from bmgate.mail.parse import parse_header
from bmgate.mail.reading import Kind
from bmgate.mail.text import clean_line
from bmgate.services.chans.chans import Chans, derive
from bmgate.services.chans.subscriptions import Subscriptions
from bmgate.services.mailboxes.mailbox_rules import Effects, Made, Permissive

MAX_DERIVED = 100  # chans whose mailbox was asked for and is not made yet


class _Below(Permissive):
    """What both kinds share: a parent that cannot be deleted, one level below it, and no mail but their own."""

    parent: str
    takes: str
    kinds: frozenset[Kind]

    def governs(self, name: str) -> bool:
        return name == self.parent or name.startswith(self.parent + DELIMITER)

    def renaming(self, mine: AccountStore, mailbox: Mailbox, new_name: str) -> Effects:
        """Another label, and nothing else."""
        stays = self.governs(mailbox.name) and self.governs(new_name) and self.parent not in (mailbox.name, new_name)
        if not stays or new_name.count(DELIMITER) != 1:
            raise NotAllowed(f"a mailbox of {self.parent}/ can get another name there, and nothing goes in or out")
        return ()

    def appending(self, mine: AccountStore, mailbox: Mailbox, mails: Sequence[NewMail]) -> Effects:
        raise NotAllowed(f"{mailbox.name} takes {self.takes} from the network alone")

    def arriving(
        self, mine: AccountStore, mailbox: Mailbox, source: Mailbox, uids: Collection[int], moved: bool
    ) -> Effects:
        """What was delivered for it may come back: out of Junk, or where a mail program undoes a step."""
        address = self._address_of(mine, mailbox)
        for head in mine.messages.heads(source.id, uids):
            if address is None or not self._is_for(head.header, address):
                raise NotAllowed(f"{mailbox.name} takes {self.takes} from the network alone")
        return ()

    def _address_of(self, mine: AccountStore, mailbox: Mailbox) -> Address | None:
        """Whose mail is delivered there; None for the parent."""
        raise NotImplementedError

    def _is_for(self, header: bytes, address: Address) -> bool:
        fields = parse_header(header)
        kind, delivered_to = (
            raw_field(fields, name).decode("ascii", "replace").strip() for name in ("X-Bitmessage-Kind", "Delivered-To")
        )
        return kind in self.kinds and delivered_to.partition("@")[0] == str(address)

    def _refuse_parent(self, mailbox: Mailbox) -> None:
        if mailbox.name == self.parent:
            raise NotAllowed(f"{self.parent} holds the mailboxes of your {self.takes}; delete those")


class ChanRules(_Below):
    """`Chans/`: CREATE joins the v4 chan of that passphrase, DELETE leaves, RENAME changes the label (M4)."""

    parent, takes, kinds = CHANS, "posts", frozenset({Kind.CHAN})

    def __init__(self, chans: Chans) -> None:
        self._chans = chans
        self._derived: dict[tuple[AccountId, str], NewChan] = {}  # for CREATEs that are under way

    async def prepare(self, account: AccountId, name: str) -> None:
        """Derive the keys: nobody else's mail waits for that."""
        if passphrase := self._passphrase(name):
            self._derived[account, passphrase] = await asyncio.to_thread(derive, passphrase)
            for oldest in list(self._derived)[:-MAX_DERIVED]:
                self._derived.pop(oldest, None)

    def creating(self, mine: AccountStore, name: str, now: int) -> Made | None:
        passphrase = self._passphrase(name)
        if not passphrase:
            return None  # the parent, which is there for its children
        chan = self._derived.pop((mine.account.id, passphrase), None) or derive(passphrase)
        mailbox = self._chans.take_part(mine, chan, passphrase, CHANS + DELIMITER + passphrase, now)
        return Made(mailbox, (self._chans.changed,))

    def deleting(self, mine: AccountStore, mailbox: Mailbox) -> Effects:
        self._refuse_parent(mailbox)
        membership = mine.chans.by_mailbox(mailbox.id)
        if membership is None:
            return ()
        self._chans.give_up(mine, membership)
        return (self._chans.changed,)

    def _passphrase(self, name: str) -> str:
        """What follows `Chans/`, in normal form C; empty for the parent alone. Raises NotAllowed for more levels."""
        passphrase = unicodedata.normalize("NFC", name.partition(DELIMITER)[2])
        if DELIMITER in passphrase:
            raise NotAllowed(
                f"a passphrase with {DELIMITER!r} cannot be the name of a mailbox; "
                f"mail the command join to bmgate@{self._chans.domain}"
            )
        return passphrase

    def _address_of(self, mine: AccountStore, mailbox: Mailbox) -> Address | None:
        membership = mine.chans.by_mailbox(mailbox.id)
        return None if membership is None else membership.address


class SubscriptionRules(_Below):
    """`Subscriptions/`: CREATE of `BM-...[ label]` subscribes, DELETE ends it, RENAME changes the label (M5)."""

    parent, takes, kinds = SUBSCRIPTIONS, "broadcasts", frozenset({Kind.BROADCAST, Kind.LIST})

    def __init__(self, subscriptions: Subscriptions) -> None:
        self._subscriptions = subscriptions

    def creating(self, mine: AccountStore, name: str, now: int) -> Made | None:
        if name == SUBSCRIPTIONS:
            return None
        address, label = _address_and_label(name.removeprefix(SUBSCRIPTIONS + DELIMITER))
        wanted = SUBSCRIPTIONS + DELIMITER + (label or str(address))
        mailbox = self._subscriptions.add(mine, address, wanted, now)
        return Made(mailbox, (self._subscriptions.changed,))

    def deleting(self, mine: AccountStore, mailbox: Mailbox) -> Effects:
        self._refuse_parent(mailbox)
        stored = mine.subscriptions.by_mailbox(mailbox.id)
        if stored is not None:
            self._subscriptions.end(mine, stored)
        return (self._subscriptions.changed,)

    def _address_of(self, mine: AccountStore, mailbox: Mailbox) -> Address | None:
        stored = mine.subscriptions.by_mailbox(mailbox.id)
        return None if stored is None else stored.address


def _address_and_label(text: str) -> tuple[Address, str]:
    word, _, label = text.partition(" ")
    if DELIMITER in label:
        raise NotAllowed(f"a label has no {DELIMITER!r}")
    try:
        return parse_address(word), clean_line(label)
    except BadAddress as error:
        reason = error if looks_like_address(word) else f"{clean_line(word)[:40]} is no address"
        raise NotAllowed(f"to subscribe, name the mailbox {SUBSCRIPTIONS}/BM-... and a label: {reason}") from error
