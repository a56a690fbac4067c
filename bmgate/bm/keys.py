"""Key pairs on secp256k1: how identities are drawn, derived from passphrases, and written in keys.dat.

Private keys are 32 raw bytes, public keys 64 bytes X || Y as on the wire; the 0x04 prefix appears only in hashes.
Source: protocol specification v3, "Addresses"; Bitcoin's Wallet Import Format.
"""

import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Self

import base58
from coincurve import PrivateKey, PublicKey

from bmgate.bm.addresses import Address
from bmgate.bm.hashes import double_sha256, ripemd160, sha512
from bmgate.bm.wire import encode_varint
from bmgate.errors import BadObject, ProtocolError

Entropy = Callable[[int], bytes]

KEY_SIZE = 32
POINT_SIZE = 64
GROUP_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

_WIF_PREFIX = b"\x80"
_WIF_SIZES = (36, 37)  # prefix, key, four bytes of checksum; old programs left out a first byte of 0
_MAX_WIF_TEXT = 60  # characters; a right one has 51


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """What the world knows of an identity: two points of 64 bytes each."""

    signing: bytes
    encryption: bytes

    @property
    def ripe(self) -> bytes:
        """The 20-byte hash of both keys that addresses carry."""
        return ripemd160(sha512(b"\x04" + self.signing + b"\x04" + self.encryption))

    def address(self, version: int = 4, stream: int = 1) -> Address:
        """The address these keys have under `version` and `stream`."""
        return Address(version, stream, self.ripe)

    def validated(self) -> Self:
        """These keys, once both are known to be points on the curve; otherwise BadObject."""
        for name, point in (("signing", self.signing), ("encryption", self.encryption)):
            if not is_point(point):
                raise BadObject(f"the {name} key is no point on the curve")
        return self


@dataclass(frozen=True, slots=True, repr=False)
class PrivateKeys:
    """What only the owner of an identity, or the members of a chan, know: two scalars of 32 bytes each."""

    signing: bytes
    encryption: bytes

    @property
    def public(self) -> PublicKeys:
        """The points that belong to them."""
        return PublicKeys(public_point(self.signing), public_point(self.encryption))


def random_keys(entropy: Entropy, leading_zeros: int = 1) -> PrivateKeys:
    """Fresh keys whose ripe begins with `leading_zeros` zero bytes; each costs 256 times as many draws."""
    signing = random_scalar(entropy)
    point = public_point(signing)
    while True:
        encryption = random_scalar(entropy)
        if _starts_with_zeros(PublicKeys(point, public_point(encryption)), leading_zeros):
            return PrivateKeys(signing, encryption)


def deterministic_keys(passphrase: bytes, leading_zeros: int = 1) -> Iterator[PrivateKeys]:
    """The keys of `passphrase`, one pair after the other without end; a chan is the first.

    Nothing stretches the passphrase: whoever guesses it has the keys.
    """
    for nonce in count(step=2):
        keys = PrivateKeys(_hashed_scalar(passphrase, nonce), _hashed_scalar(passphrase, nonce + 1))
        if _starts_with_zeros(keys.public, leading_zeros):
            yield keys


def random_portion(entropy: Entropy, draws: int, leading_zeros: int) -> list[PrivateKeys]:
    """What so many draws of `random_keys` give, one pair after the other: none, or several."""
    found, signing = list[PrivateKeys](), random_scalar(entropy)
    point = public_point(signing)
    for _ in range(draws):
        encryption = random_scalar(entropy)
        if _starts_with_zeros(PublicKeys(point, public_point(encryption)), leading_zeros):
            found.append(PrivateKeys(signing, encryption))
            signing = random_scalar(entropy)
            point = public_point(signing)
    return found


def deterministic_portion(passphrase: bytes, first: int, draws: int, leading_zeros: int) -> list[PrivateKeys]:
    """What `deterministic_keys` gives among its tries from number `first` on, so many of them."""
    pairs = (
        PrivateKeys(_hashed_scalar(passphrase, nonce), _hashed_scalar(passphrase, nonce + 1))
        for nonce in range(2 * first, 2 * (first + draws), 2)
    )
    return [keys for keys in pairs if _starts_with_zeros(keys.public, leading_zeros)]


def encode_wif(key: bytes) -> str:
    """A 32-byte private key as keys.dat holds it: 51 characters that begin with 5."""
    data = _WIF_PREFIX + key
    text: bytes = base58.b58encode(data + double_sha256(data)[:4])
    return text.decode("ascii")


def decode_wif(text: str) -> bytes:
    """The 32-byte private key in `text`; ProtocolError, which does not repeat the text, when there is none.

    Old programs wrote keys that begin with a zero byte as 31 bytes: the byte is put back (E8).
    """
    if len(text) > _MAX_WIF_TEXT:
        raise ProtocolError("too long for a private key")
    try:
        number: int = base58.b58decode_int(text.strip())
    except ValueError as error:
        raise ProtocolError("a character that no private key contains") from error
    data = number.to_bytes((number.bit_length() + 7) // 8)
    if len(data) not in _WIF_SIZES or data[:1] != _WIF_PREFIX:
        raise ProtocolError("not an uncompressed private key in Wallet Import Format")
    if not hmac.compare_digest(double_sha256(data[:-4])[:4], data[-4:]):
        raise ProtocolError("the checksum of the private key does not fit")
    key = data[1:-4].rjust(KEY_SIZE, b"\0")
    if not is_scalar(key):
        raise ProtocolError("no private key has this value")
    return key


def public_point(private_key: bytes) -> bytes:
    """The 64-byte X || Y of a private key; ValueError where it is no scalar."""
    return PrivateKey(private_key).public_key.format(compressed=False)[1:]


def random_scalar(entropy: Entropy) -> bytes:
    """A private key: 32 bytes of `entropy`, drawn again in the one case of 2^128 that is out of range."""
    while True:
        key = entropy(KEY_SIZE)
        if is_scalar(key):
            return key


def is_scalar(key: bytes) -> bool:
    """Whether `key` is a private key: 32 bytes between 1 and the order of the group."""
    return len(key) == KEY_SIZE and 0 < int.from_bytes(key) < GROUP_ORDER


def is_point(point: bytes) -> bool:
    """Whether 64 bytes X || Y lie on the curve; the prefix added here keeps compressed and hybrid forms out (P20)."""
    if len(point) != POINT_SIZE:
        return False
    try:
        PublicKey(b"\x04" + point)
    except ValueError:
        return False
    return True


def _hashed_scalar(passphrase: bytes, nonce: int) -> bytes:
    return sha512(passphrase + encode_varint(nonce))[:KEY_SIZE]


def _starts_with_zeros(keys: PublicKeys, leading_zeros: int) -> bool:
    return keys.ripe.startswith(b"\0" * leading_zeros)
