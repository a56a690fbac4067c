"""Recipients' pubkeys: where one is found, and whether it may be worked for.

A chan's key is known to those who take part and is never asked for; a broadcast needs none but its sender's own.
"""

from dataclasses import dataclass

from bmgate.bm.addresses import Address
from bmgate.bm.network import NetworkParameters
from bmgate.bm.plaintext import Behavior, Pubkey, open_pubkey
from bmgate.domain.outbox import Kind, OutgoingMessage
from bmgate.domain.ports.database import Store
from bmgate.errors import BadObject


def find_pubkey(store: Store, address: Address) -> Pubkey | None:
    """The pubkey of `address`: an own identity's, a cached one, or one among the stored objects.

    Looking through the inventory first is what keeps us from asking for a key we hold (P25; observed of real peers).
    """
    own = store.identities.by_address(address)
    if own is not None:
        return store.identities.public_record(own.id)
    return store.pubkeys.find(address) or _from_inventory(store, address)


def key_for(store: Store, row: OutgoingMessage, network: NetworkParameters) -> Pubkey | None:
    """What a row is encrypted to; None while nobody has the key, and for a chan that the account has left.

    A chan's key is told to its members alone: nobody else may learn from us that somebody here takes part.
    """
    if row.kind is Kind.BROADCAST:
        return store.identities.public_record(row.identity)
    if not row.kind.is_post:
        return find_pubkey(store, row.recipient)
    keys = store.chans.public_keys(row.recipient)
    if keys is None or store.account(row.account).chans.find(row.recipient) is None:
        return None
    return Pubkey(
        version=row.recipient.version,
        stream=row.recipient.stream,
        behavior=Behavior.DOES_ACK,  # what PyBitmessage's posts show: nobody shall see whose program it was
        keys=keys,
        nonce_trials_per_byte=network.nonce_trials_per_byte,
        payload_length_extra_bytes=network.payload_length_extra_bytes,
    )


def _from_inventory(store: Store, address: Address) -> Pubkey | None:
    for stored in store.inventory.pubkeys_by_lookup(address.version, address.lookup):
        try:
            pubkey = open_pubkey(stored, address)
        except BadObject:
            continue
        if pubkey.address == address:
            return pubkey
    return None


UNTOLD_DEMAND = 2  # times the minimum


@dataclass(frozen=True, slots=True)
class Demand:
    """The work an address asks for, never below the network's minimum."""

    nonce_trials_per_byte: int
    payload_length_extra_bytes: int

    def times_minimum(self, network: NetworkParameters) -> float:
        """How many times the usual work this is, the larger of the two measures."""
        return max(
            self.nonce_trials_per_byte / network.nonce_trials_per_byte,
            self.payload_length_extra_bytes / network.payload_length_extra_bytes,
        )


def demand_of(pubkey: Pubkey, network: NetworkParameters) -> Demand:
    """What a msg for this recipient must carry; a v2 pubkey cannot say it, and notbit wants twice the minimum."""
    least = network.nonce_trials_per_byte * (1 if pubkey.version >= 3 else UNTOLD_DEMAND)
    return Demand(
        max(pubkey.nonce_trials_per_byte, least),
        max(pubkey.payload_length_extra_bytes, network.payload_length_extra_bytes),
    )


def find_demand(store: Store, address: Address, network: NetworkParameters) -> Demand:
    """What a msg for `address` must carry, the network's minimum where nobody has its key."""
    pubkey = find_pubkey(store, address)
    return minimum(network) if pubkey is None else demand_of(pubkey, network)


def demand_for(store: Store, kind: Kind, recipient: Address, network: NetworkParameters) -> Demand:
    """The same by what carries it: what goes to many needs no more than the network's minimum."""
    return minimum(network) if kind.is_public else find_demand(store, recipient, network)


def minimum(network: NetworkParameters) -> Demand:
    """What every object must carry."""
    return Demand(network.nonce_trials_per_byte, network.payload_length_extra_bytes)
