"""What lies inside pubkeys, msgs and broadcasts once they are opened, and how such objects are built.

Encryption is in `crypto`, what the message bytes say in `encodings`.
"""

from bmgate.bm.plaintext.broadcasts import Broadcast, build_broadcast, open_broadcast, read_broadcast
from bmgate.bm.plaintext.msgs import Msg, build_msg, read_msg
from bmgate.bm.plaintext.pubkeys import (
    Behavior,
    Pubkey,
    build_pubkey,
    encode_pubkey_record,
    open_pubkey,
    read_pubkey_record,
)

__all__ = [
    "Behavior",
    "Broadcast",
    "Msg",
    "Pubkey",
    "build_broadcast",
    "build_msg",
    "build_pubkey",
    "encode_pubkey_record",
    "open_broadcast",
    "open_pubkey",
    "read_broadcast",
    "read_msg",
    "read_pubkey_record",
]
