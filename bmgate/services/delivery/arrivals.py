"""Arrivals: what our keys opened becomes messages to be delivered, read the way each reader wants them.

All that takes time (signatures, MIME, markup) happens here, on threads and between transactions.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

from bmgate.bm.addresses import Address
from bmgate.bm.objects import BitmessageObject
from bmgate.bm.plaintext import Broadcast, Msg, Pubkey, read_broadcast, read_msg
from bmgate.domain.chan import ChanOwner, Membership
from bmgate.domain.identity import IdentityId, ReceivingKey
from bmgate.domain.policy import Policy
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.subscription import Subscription
from bmgate.errors import BadObject, Missing
from bmgate.mail.incoming_body import Parts, parts_of
from bmgate.mail.read import read_message, unreadable
from bmgate.mail.reading import Kind, Manner, Reading
from bmgate.services.faults import place_of
from bmgate.services.objects.keyring import KeyOwner
from bmgate.services.policies import Policies

log = logging.getLogger(__name__)

MAX_SIZE = 16_000_000  # bytes of messages that are read at once, and one more
MAX_ARRIVALS = 1_000  # of them, and those of one more object

Found = tuple[BitmessageObject, KeyOwner | Address, bytes]
"""A msg or broadcast with whose key opened it, a subscribed address with a broadcast, and the plaintext."""


@dataclass(frozen=True, slots=True, repr=False)
class Arrival:
    """A msg that one of our keys opened, as it will be shown, with the options between reader and sender."""

    key: ReceivingKey
    object: BitmessageObject
    msg: Msg
    policy: Policy
    reading: Reading
    parts: Parts


@dataclass(frozen=True, slots=True, repr=False)
class Publication:
    """A post to a chan or a broadcast, as one of those who read it will be shown it."""

    reader: Membership | Subscription
    object: BitmessageObject
    content: Msg | Broadcast
    policy: Policy
    reading: Reading
    parts: Parts

    @property
    def sender(self) -> Pubkey:
        """Who signed it; the chan's own key has the address under which the reader takes part."""
        return _sender(self.reader, self.content)

    @property
    def is_anonymous(self) -> bool:
        """Whether the chan's own key signed it: any member may have written it."""
        return isinstance(self.reader, Membership) and self.sender.address == self.reader.address


@dataclass(frozen=True, slots=True, repr=False)
class Portion:
    """Some arrivals; `rest` is the first object whose turn has not come yet."""

    arrivals: list[Arrival | Publication]
    rest: BitmessageObject | None


@dataclass(frozen=True, slots=True, repr=False)
class _Signed:
    """A message whose signature is good, and one of those who read it."""

    reader: ReceivingKey | Membership | Subscription
    object: BitmessageObject
    content: Msg | Broadcast


_Readers = dict[KeyOwner | Address, list[ReceivingKey | Membership | Subscription]]


@dataclass(frozen=True, slots=True)
class ArrivalReader:
    """Reads what was opened."""

    database: Database
    policies: Policies

    async def read(self, found: Iterable[Found]) -> Portion:
        """The messages among it, in order, until they are large together: a little data inflates to a lot (P30).

        Nothing for who went meanwhile, or for what was not meant for us (P23).
        """
        found = list(found)
        if not found:
            return Portion([], None)
        owners = {owner for _, owner, _ in found}
        readers = await self.database.read(lambda store: _readers(store, owners))
        return await self._read(found, readers)

    async def read_for(self, reader: Membership | Subscription, found: Iterable[Found]) -> Portion:
        """The same, for one reader of all that is found."""
        found = list(found)
        return await self._read(found, {owner: [reader] for _, owner, _ in found}) if found else Portion([], None)

    async def _read(self, found: list[Found], readers: _Readers) -> Portion:
        signed = await asyncio.to_thread(_signed, found, readers)
        policies = await self.database.read(lambda store: [self._policy(store, each) for each in signed])
        return await asyncio.to_thread(_portion, signed, policies)

    def _policy(self, store: Store, signed: _Signed) -> Policy | None:
        reader, contact = signed.reader, _sender(signed.reader, signed.content).address
        try:
            mine = store.account(reader.account)
        except Missing:
            return None
        match reader:
            case ReceivingKey():
                return self.policies.of(mine, identity=reader.identity, contact=contact)
            case Membership():
                return self.policies.of(mine, membership=reader.id, contact=contact)
            case _:
                return self.policies.of(mine, contact=contact)


def _sender(reader: ReceivingKey | Membership | Subscription, content: Msg | Broadcast) -> Pubkey:
    """Who signed it. Every member has a chan's keys, and may sign under any version of the address they make."""
    sender = content.sender
    if isinstance(reader, Membership) and sender.address.ripe == reader.address.ripe:
        return replace(sender, version=reader.address.version, stream=reader.address.stream)
    return sender


def manner_of(policy: Policy, kind: Kind = Kind.MSG) -> Manner:
    """How a message is read under these options."""
    return Manner(
        kind=kind,
        recognise=policy.recognise,
        marks_quotes=policy.quotes_in == "gt",
        shows_html=policy.incoming_html == "sanitised",
        is_by_relay=kind is Kind.MSG and policy.relay,
    )


def _readers(store: Store, owners: Iterable[KeyOwner | Address]) -> _Readers:
    """Who reads what these keys open: an identity's account, the members of a chan, the subscribers to an address."""
    readers: _Readers = {}
    identities = list[IdentityId]()
    for owner in owners:
        match owner:
            case ChanOwner(chan):
                readers[owner] = [*store.chans.members(chan)]
            case Address():
                readers[owner] = [*store.subscriptions.to(owner)]
            case _:
                identities.append(owner)
    if identities:
        readers |= {key.identity: [key] for key in store.identities.receiving_keys(identities)}
    return readers


def _signed(found: Iterable[Found], readers: _Readers) -> list[_Signed]:
    signed: list[_Signed] = []
    for obj, owner, plaintext in found:
        those = readers.get(owner)
        if not those:
            continue
        try:
            content = _content(obj, plaintext, owner, those[0])
        except BadObject:
            continue
        signed += [_Signed(reader, obj, content) for reader in those]
    return signed


def _content(
    obj: BitmessageObject,
    plaintext: bytes,
    owner: KeyOwner | Address,
    reader: ReceivingKey | Membership | Subscription,
) -> Msg | Broadcast:
    """What is in it, checked; raises BadObject."""
    if not isinstance(owner, Address):
        return read_msg(obj, plaintext, reader.address.ripe)
    broadcast = read_broadcast(obj, plaintext)
    if broadcast.sender.address != owner:
        raise BadObject(f"broadcast by {broadcast.sender.address} under the key of {owner}")
    return broadcast


def _portion(signed: Iterable[_Signed], policies: Iterable[Policy | None]) -> Portion:
    arrivals: list[Arrival | Publication] = []
    size = 0
    known: dict[Manner, tuple[Reading, Parts]] = {}  # what many read in the same way is read once
    last: BitmessageObject | None = None
    for each, policy in zip(signed, policies, strict=True):
        if each.object is not last:
            if size > MAX_SIZE or len(arrivals) > MAX_ARRIVALS:
                return Portion(arrivals, each.object)
            last, known = each.object, {}
        if policy is None:
            continue
        manner = manner_of(policy, _kind(each.reader))
        if manner not in known:
            reading, parts = known[manner] = _shown(each.content, manner)
            size += 4 * len(reading.body) + parts.size
        arrivals.append(_arrival(each, policy, *known[manner]))
    return Portion(arrivals, None)


def _shown(content: Msg | Broadcast, manner: Manner) -> tuple[Reading, Parts]:
    """A message as it will be shown.

    A fault of ours that one of them meets must not keep all the others from their readers, nor come back with each
    start: such a message is shown as the text it is, and if even that fails as a file.
    """
    plain = replace(manner, recognise=False, shows_html=False)
    for how in (manner, plain):
        try:
            reading = read_message(content.encoding, content.message, how)
            return reading, parts_of(reading)
        except Exception as error:  # noqa: BLE001 - whatever it is: it came from outside
            log.error("a message of encoding %d cannot be read: %s", content.encoding, place_of(error))
    reading = unreadable(content.encoding, content.message, plain)
    return reading, parts_of(reading)


def _kind(reader: ReceivingKey | Membership | Subscription) -> Kind:
    match reader:
        case ReceivingKey():
            return Kind.MSG
        case Membership():
            return Kind.CHAN
        case _:
            return Kind.BROADCAST


def _arrival(signed: _Signed, policy: Policy, reading: Reading, parts: Parts) -> Arrival | Publication:
    reader, content = signed.reader, signed.content
    if isinstance(reader, ReceivingKey):
        assert isinstance(content, Msg), "identities get no broadcasts"
        return Arrival(reader, signed.object, content, policy, reading, parts)
    return Publication(reader, signed.object, content, policy, reading, parts)
