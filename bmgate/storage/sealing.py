"""Authenticated encryption of what is stored.

A sealed value begins with the number of its scheme and is bound to the place it belongs to: moved to another row,
another account or another chunk it does not open. Every encryption draws a fresh nonce.
"""

import hashlib
import hmac
import struct
import threading

from nacl import bindings
from nacl._sodium import ffi, lib  # type: ignore[import-not-found]  # a C extension without stubs
from nacl.exceptions import CryptoError

from bmgate.bm.keys import Entropy
from bmgate.errors import GatewayError

UNDER_KEY = b"\x01"  # XChaCha20-Poly1305: scheme, nonce, ciphertext with its tag
UNDER_PUBLIC_KEY = b"\x02"  # X25519 sealed box of (hash of the binding, plaintext), as libsodium's crypto_box_seal

KEY_SIZE = 32
NONCE_SIZE = 24
TAG_SIZE = 16

_FRONT = 1 + NONCE_SIZE
_SMALL = 16_384  # bytes that each thread's own buffer takes


class Damaged(GatewayError):
    """A stored value that does not open with its key in its place: damaged, or moved by somebody."""


def bind(*parts: bytes) -> bytes:
    """Associated data of several parts, each with its length in front, so that no two lists look alike."""
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


class _Buffers(threading.local):
    """Room for the outcome of one call: allocating it anew costs more than sealing or opening a small value."""

    def __init__(self) -> None:
        self.bytes = ffi.new("unsigned char[]", _SMALL)
        self.length = ffi.new("unsigned long long *")


_buffers = _Buffers()
_encrypt = lib.crypto_aead_xchacha20poly1305_ietf_encrypt
_decrypt = lib.crypto_aead_xchacha20poly1305_ietf_decrypt
_view = ffi.buffer
_NULL = ffi.NULL


def seal(key: bytes, plaintext: bytes, bound: bytes, entropy: Entropy) -> bytes:
    """`plaintext` under the 32-byte `key`, to be opened with the same `bound`; calls libsodium like `open_sealed`."""
    nonce, bound = entropy(NONCE_SIZE), UNDER_KEY + bound
    assert len(key) == KEY_SIZE
    assert len(nonce) == NONCE_SIZE
    size = len(plaintext) + TAG_SIZE
    out = _buffers.bytes if size <= _SMALL else ffi.new("unsigned char[]", size)
    failed = _encrypt(out, _buffers.length, plaintext, len(plaintext), bound, len(bound), _NULL, nonce, key)
    assert not failed
    return b"".join((UNDER_KEY, nonce, _view(out, size)))


def open_sealed(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    """What `seal` sealed; raises Damaged. Calls libsodium itself: 1.3 us for a key, 4 us through `nacl.bindings`."""
    size = len(sealed) - _FRONT - TAG_SIZE
    if sealed[:1] != UNDER_KEY or size < 0 or len(key) != KEY_SIZE:
        raise Damaged(f"sealed value of {len(sealed)} bytes with scheme {sealed[:1].hex()}")
    nonce, ciphertext, bound = sealed[1:_FRONT], sealed[_FRONT:], UNDER_KEY + bound
    out = _buffers.bytes if size <= _SMALL else ffi.new("unsigned char[]", size)
    if _decrypt(out, _buffers.length, _NULL, ciphertext, len(ciphertext), bound, len(bound), nonce, key):
        raise Damaged(f"sealed value of {len(sealed)} bytes does not open in its place")
    plaintext: bytes = _view(out, size)[:]
    return plaintext


def seal_to(public_key: bytes, plaintext: bytes, bound: bytes, entropy: Entropy) -> bytes:
    """`plaintext` for the owner of an X25519 `public_key`; who seals it cannot open it again."""
    ephemeral, secret = bindings.crypto_box_seed_keypair(entropy(KEY_SIZE))
    nonce = hashlib.blake2b(ephemeral + public_key, digest_size=NONCE_SIZE).digest()
    boxed = bindings.crypto_box(_binding_hash(bound) + plaintext, nonce, public_key, secret)
    return UNDER_PUBLIC_KEY + ephemeral + boxed


def open_sealed_to(public_key: bytes, private_key: bytes, sealed: bytes, bound: bytes) -> bytes:
    """What `seal_to` sealed; raises Damaged."""
    if sealed[:1] != UNDER_PUBLIC_KEY:
        raise Damaged(f"sealed value of {len(sealed)} bytes with scheme {sealed[:1].hex()}")
    try:
        opened = bindings.crypto_box_seal_open(sealed[1:], public_key, private_key)
    except (CryptoError, TypeError) as error:
        raise Damaged(f"sealed box of {len(sealed)} bytes does not open") from error
    if not hmac.compare_digest(opened[:KEY_SIZE], _binding_hash(bound)):
        raise Damaged(f"sealed box of {len(sealed)} bytes does not belong here")
    return opened[KEY_SIZE:]


def _binding_hash(bound: bytes) -> bytes:
    return hashlib.blake2b(bound, digest_size=KEY_SIZE, person=b"bmgate-binding").digest()
