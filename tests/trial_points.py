"""Kernels, keys, points and messages for the tests of batch trial decryption.

What the kernels have to find is worked out by coincurve and cryptography alone.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random

from coincurve import PrivateKey, PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from bmgate.bm.trial import ONE_BY_ONE

P = 2**256 - 2**32 - 977  # the field of secp256k1
N = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141  # the order of its group
GENERATOR = PrivateKey((1).to_bytes(32)).public_key.format(compressed=False)[1:]


def kernels() -> tuple[str, ...]:
    """All that this processor can run, and what stands in for them."""
    try:
        from bmgate.native._native import trial_kernels
    except ImportError:
        return (ONE_BY_ONE,)
    return (*trial_kernels(), ONE_BY_ONE)


def point_of(key: int) -> bytes:
    """X || Y of `key` times the generator."""
    return PrivateKey(key.to_bytes(32)).public_key.format(compressed=False)[1:]


def shared_x(key: int, point: bytes) -> bytes:
    """What the batch has to find for this key."""
    return PublicKey(b"\x04" + point).multiply(key.to_bytes(32)).format(compressed=False)[1:33]


def encoded(keys: Iterable[int]) -> bytes:
    return b"".join(key.to_bytes(32) for key in keys)


def split(shared: bytes) -> list[bytes]:
    return [shared[i : i + 32] for i in range(0, len(shared), 32)]


def random_keys(count: int, seed: int = 0) -> list[int]:
    random = Random(seed)
    return [random.randrange(1, N) for _ in range(count)]


def keys_of_one_digit(width: int) -> Iterator[int]:
    """Keys whose digits are all extreme: the least and the greatest of either sign below a top digit of 1."""
    places = [1 << width * i for i in range((256 + width - 1) // width)]
    for digit in (1, -1, (1 << width) - 1, 1 - (1 << width)):
        yield sum(digit * place for place in places[:-1]) + places[-1]


def adversarial_keys(width: int) -> list[int]:
    """All where an addition or a recoding could go wrong."""
    low = [1, 2, 3, 129, 130, 131, 641, 642, 643, *range(8190, 8200)]
    powers = [(1 << i) + near for i in range(1, 256) for near in (-1, 0, 1)]
    near_width = [(1 << width * i) + near for i in range(1, 256 // width) for near in (-2, 2)]
    keys = [*low, *powers, *near_width, *keys_of_one_digit(width)]
    return [key for key in [*keys, *(N - key for key in keys)] if 0 < key < N]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A message as candidates() sees it, and its MAC."""

    iv: bytes
    blocks: bytes
    mac: bytes

    @property
    def first(self) -> bytes:
        return self.blocks[:16]

    @property
    def last_two(self) -> bytes:
        return (self.iv + self.blocks)[-32:]

    def opens(self, digest: bytes) -> bool:
        """Whether SHA-512 of the shared X is this message's."""
        return hmac.compare_digest(hmac.digest(digest[32:], self.iv + self.blocks, hashlib.sha256), self.mac)


def seal(shared: bytes, plaintext: bytes = b"\x04\x01" + bytes(100), iv: bytes = bytes(range(16))) -> Sealed:
    digest = hashlib.sha512(shared).digest()
    padder, encryptor = PKCS7(128).padder(), Cipher(AES(digest[:32]), CBC(iv)).encryptor()
    blocks = encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()
    return Sealed(iv, blocks, hmac.digest(digest[32:], iv + blocks, hashlib.sha256))
