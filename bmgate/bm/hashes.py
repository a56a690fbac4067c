"""The hashes of the protocol, and the name they give to an object.

Source: protocol specification v3, "Hashes".
"""

import hashlib
from collections.abc import Callable
from functools import cache
from typing import NewType

from bmgate.bm.ripemd160 import ripemd160_in_python

InventoryVector = NewType("InventoryVector", bytes)
VECTOR_SIZE = 32


def sha512(data: bytes) -> bytes:
    """64 bytes: packet checksums, initial hashes, the ECIES key derivation."""
    return hashlib.sha512(data).digest()


def double_sha512(data: bytes) -> bytes:
    """SHA-512 applied twice, 64 bytes: trial values, address checksums, inventory vectors, tags."""
    return sha512(sha512(data))


def double_sha256(data: bytes) -> bytes:
    """SHA-256 applied twice, 32 bytes: the checksum of a private key in WIF."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def ripemd160(data: bytes) -> bytes:
    """20 bytes; by OpenSSL where it offers the algorithm, otherwise in Python."""
    return _ripemd160_function()(data)


def inventory_vector(encoded: bytes) -> InventoryVector:
    """The 32-byte name of an object: the first half of SHA-512 applied twice.

    `encoded` is the whole object including its 8-byte nonce, without the packet header.
    """
    return InventoryVector(double_sha512(encoded)[:VECTOR_SIZE])


@cache
def _ripemd160_function() -> Callable[[bytes], bytes]:
    try:
        hashlib.new("ripemd160", usedforsecurity=False)
    except ValueError:  # OpenSSL was built or configured without it
        return ripemd160_in_python
    return _ripemd160_of_openssl


def _ripemd160_of_openssl(data: bytes) -> bytes:
    return hashlib.new("ripemd160", data, usedforsecurity=False).digest()
