"""The tables. Portable types only; times are Unix seconds; states stand as their names.

Columns called `sealed_...` are opened with a key of the vault, those called `..._tag` find a value without telling it.
Ids come from sequences that never give one out twice (F4). A change here needs a migration: a test compares both.
"""

from bmgate.storage.schema.accounts import account, setting, slot
from bmgate.storage.schema.addresses import alias, chan, former_alias, identity, membership, publication, subscription
from bmgate.storage.schema.columns import metadata
from bmgate.storage.schema.mail import content, content_blob, expunged, former_mailbox, mailbox, message, thread
from bmgate.storage.schema.network import ack, gateway, object_, peer, peer_standing, pubkey
from bmgate.storage.schema.outgoing import enclosure, outbox, outbox_event, submission
from bmgate.storage.schema.people import answer, contact, dedupe, held_ack, sender_rate

__all__ = [
    "account",
    "ack",
    "alias",
    "answer",
    "chan",
    "contact",
    "content",
    "content_blob",
    "dedupe",
    "enclosure",
    "expunged",
    "former_alias",
    "former_mailbox",
    "gateway",
    "held_ack",
    "identity",
    "mailbox",
    "membership",
    "message",
    "metadata",
    "object_",
    "outbox",
    "outbox_event",
    "peer",
    "peer_standing",
    "pubkey",
    "publication",
    "sender_rate",
    "setting",
    "slot",
    "submission",
    "subscription",
    "thread",
]
