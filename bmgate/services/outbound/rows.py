"""The rows of a mail: one for each recipient, with what carries it and what holds towards him.

A chan the account takes part in gets a post, `broadcast@` is the subscribers of who sends, anybody else gets a msg. All
within the caller's unit of work.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bmgate.bm.acks import build_ack_data
from bmgate.bm.addresses import Address
from bmgate.bm.keys import Entropy
from bmgate.bm.network import NetworkParameters
from bmgate.domain.chan import Membership
from bmgate.domain.identity import Identity
from bmgate.domain.outbox import Kind, NewOutgoing
from bmgate.domain.policy import Policy
from bmgate.domain.ports.account_store import AccountStore
from bmgate.errors import NotAllowed, RecipientMissing
from bmgate.mail.addresses import RecipientKind, Resolved
from bmgate.mail.outgoing import OutgoingMail
from bmgate.mail.wishes import chosen_ttl
from bmgate.services.policies import Policies

MEAN_GAP = 5.0  # seconds between the beginnings of two rows of one mail (V7)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Recipient:
    """One accepted RCPT. `notify` and `original_recipient` are NOTIFY and ORCPT of RFC 3461, empty when not given."""

    resolved: Resolved
    notify: tuple[str, ...] = ()
    original_recipient: str = ""

    @property
    def name(self) -> str:
        """The one name of whom it means; behind one relay there are many."""
        return self.resolved.internet or self._name

    @property
    def _name(self) -> str:
        return self.resolved.word if self.resolved.address is None else str(self.resolved.address)


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs a mail: an identity, which is also told what becomes of it, or `chan` where that is its From."""

    identity: Identity
    chan: Membership | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """Makes them. `ack_stealth` is the level of the acks asked for."""

    policies: Policies
    entropy: Entropy
    network: NetworkParameters
    ack_stealth: int

    def wanted(
        self, mine: AccountStore, signer: Signer, recipients: Sequence[Recipient], mail: OutgoingMail, now: int
    ) -> list[tuple[NewOutgoing, Policy]]:
        """A row for each recipient, with the options towards him; raises NotAllowed.

        Several begin at random times, so that they do not look like one mail (V7).
        """
        gaps = self._gaps(len(recipients))
        return [
            self._row(mine, signer, n, each, mail, now, gap)
            for n, (each, gap) in enumerate(zip(recipients, gaps, strict=True), 1)
        ]

    def shuffled(self, items: Iterable[T]) -> list[T]:
        """In random order."""
        return sorted(items, key=lambda _: self.entropy(8))

    def _row(
        self,
        mine: AccountStore,
        signer: Signer,
        n: int,
        recipient: Recipient,
        mail: OutgoingMail,
        now: int,
        gap: int,
    ) -> tuple[NewOutgoing, Policy]:
        address = _address(signer, recipient)
        chan = mine.chans.of_ripe(address.ripe) if recipient.resolved.kind is RecipientKind.ADDRESS else None
        if chan is None and recipient.resolved.is_chan:
            raise RecipientMissing(f"<{address}>: you have just left this chan")
        address = address if chan is None else chan.address  # both versions have the same keys
        policy = self.policies.of(mine, signer.identity.id, address, None if chan is None else chan.id)
        kind = _kind(signer, recipient, chan, mail, policy)
        if kind.is_public and mail.is_automatic:
            raise NotAllowed("mail that a program sent by itself is not carried to chans and subscribers")
        delay, wish = policy.send_delay + gap, recipient.resolved.ttl_seconds
        row = NewOutgoing(
            n=n,
            recipient=address,
            ack_data=b"" if kind.is_public else build_ack_data(self.ack_stealth, address.stream, self.entropy),
            ttl_seconds=chosen_ttl(mail.ttl_seconds, wish, mail.expires_at, now, policy.ttl),
            priority=mail.priority,
            notify=recipient.notify or policy.notify,
            original_recipient=recipient.original_recipient,
            held_until=now + delay if delay else 0,
            kind=kind,
        )
        return row, policy

    def _gaps(self, count: int) -> list[int]:
        """Seconds until each row begins: none for the only one, else growing in random order."""
        gaps, passed = [], 0.0
        for _ in range(count):
            gaps.append(int(self.network.delay(passed)))
            passed += 2 * MEAN_GAP * int.from_bytes(self.entropy(2), "big") / 65_535
        return self.shuffled(gaps)


def distinct(recipients: Iterable[Recipient]) -> list[Recipient]:
    """Each address once; the first RCPT's parameters win (O1)."""
    known: dict[str, Recipient] = {}
    for each in recipients:
        known.setdefault(each.name, each)
    return list(known.values())


def relayed(recipients: Iterable[Recipient]) -> dict[int, str]:
    """The Internet addresses among them, by the number of their row."""
    return {n: each.resolved.internet for n, each in enumerate(recipients, 1) if each.resolved.internet}


def are_posts(rows: Collection[tuple[NewOutgoing, Policy]]) -> bool:
    """Whether all of them go to chans."""
    return all(row.kind.is_post for row, _ in rows)


def _address(signer: Signer, recipient: Recipient) -> Address:
    if recipient.resolved.kind is RecipientKind.BROADCAST:
        return signer.identity.address
    address = recipient.resolved.address
    assert address is not None, "`Submissions.resolve` lets only addresses pass"
    return address


def _kind(signer: Signer, recipient: Recipient, chan: Membership | None, mail: OutgoingMail, policy: Policy) -> Kind:
    """What carries it (M11): what a chan writes goes to that very chan and nowhere else."""
    if signer.chan is not None and (chan is None or chan.id != signer.chan.id):
        raise NotAllowed(f"{recipient.name} cannot be written to as the chan {signer.chan.address}; choose a sender")
    if recipient.resolved.kind is RecipientKind.BROADCAST:
        return Kind.BROADCAST
    if chan is None:
        return Kind.MSG
    post_as = mail.post_as or ("chan" if signer.chan is not None else policy.post_as)
    if signer.chan is not None and post_as == "identity":
        raise NotAllowed("the mail is from the chan and asks for an identity to sign it; choose that one as sender")
    return Kind.CHAN if post_as == "chan" else Kind.CHAN_AS_IDENTITY
