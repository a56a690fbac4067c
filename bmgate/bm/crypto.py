"""Encryption to a public key (ECIES) and ECDSA signatures, as Bitmessage peers make and read them.

Leaves what is signed and what is inside to the objects, and trial decryption in bulk to `native`.
Source: protocol specification v3, "Encryption"; how peers differ: rules P20, P21, P22.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from coincurve import PrivateKey, PublicKey
from coincurve._libsecp256k1 import ffi, lib
from coincurve.context import GLOBAL_CONTEXT
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from bmgate.bm.hashes import sha512
from bmgate.bm.keys import KEY_SIZE, Entropy, is_point, public_point, random_scalar
from bmgate.bm.wire import WireReader
from bmgate.errors import BadObject, ProtocolError

CURVE_ID = 714  # OpenSSL's number for secp256k1

_IV_SIZE, _BLOCK_SIZE, _MAC_SIZE, _COORDINATE_SIZE = 16, 16, 32, 32
_CURVE_FIELD = CURVE_ID.to_bytes(2)
_COORDINATE_LENGTH_FIELD = _COORDINATE_SIZE.to_bytes(2)


@dataclass(frozen=True, slots=True)
class Ciphertext:
    """An encrypted blob taken apart: well-formed, its ephemeral key on the curve, and nothing known of its reader."""

    point: bytes  # ephemeral public key, 64 bytes X || Y whatever lengths it was sent with
    authenticated: bytes  # everything before the MAC, as received
    encrypted_at: int  # where the AES blocks begin in `authenticated`
    mac: bytes

    @property
    def iv(self) -> bytes:
        """The 16-byte start of the block chain."""
        return self.authenticated[:_IV_SIZE]

    @property
    def encrypted(self) -> bytes:
        """The AES-256-CBC blocks."""
        return self.authenticated[self.encrypted_at :]

    def decrypt(self, private_key: bytes) -> bytes | None:
        """The plaintext, or None when the MAC (or, behind a true MAC, the padding) says that it is not for this key."""
        return next(self.decrypt_each([private_key]))

    def decrypt_each(self, private_keys: Iterable[bytes]) -> Iterator[bytes | None]:
        """What `decrypt` says to each key, in time that tells nothing of them."""
        for shared in _shared_with(private_keys, self.point):
            yield None if shared is None else self.open(sha512(shared))

    def open(self, secret: bytes) -> bytes | None:
        """The plaintext for who derived `secret`, the SHA-512 of the shared X; None as from `decrypt`."""
        encryption_key, mac_key = secret[:KEY_SIZE], secret[KEY_SIZE:]
        if not hmac.compare_digest(_mac(mac_key, self.authenticated), self.mac):
            return None
        decryptor = Cipher(AES(encryption_key), CBC(self.iv)).decryptor()
        unpadder = PKCS7(8 * _BLOCK_SIZE).unpadder()
        try:
            return unpadder.update(decryptor.update(self.encrypted) + decryptor.finalize()) + unpadder.finalize()
        except ValueError:  # only the sender can have made this
            return None


def read_ciphertext(data: bytes) -> Ciphertext:
    """Take a blob apart without any key; BadObject when it can be for nobody.

    Coordinates may be shorter than 32 bytes, for older peers strip leading zeros, or longer by zeros alone.
    """
    reader = WireReader(data)
    try:
        reader.take(_IV_SIZE)
        curve = reader.uint16()
        point = _read_coordinate(reader) + _read_coordinate(reader)
        size = reader.remaining - _MAC_SIZE
    except ProtocolError as error:
        raise BadObject(f"encrypted data: {error}") from error
    if curve != CURVE_ID:
        raise BadObject(f"encrypted data: curve {curve}")
    if size < _BLOCK_SIZE or size % _BLOCK_SIZE:
        raise BadObject(f"encrypted data: {size} bytes are no whole number of blocks")
    if not is_point(point):
        raise BadObject("encrypted data: the ephemeral key is no point on the curve")
    return Ciphertext(point, data[:-_MAC_SIZE], reader.position, data[-_MAC_SIZE:])


def encrypt(plaintext: bytes, public_key: bytes, entropy: Entropy) -> bytes:
    """`plaintext` for the owner of `public_key` (64 bytes); 118 bytes longer, plus 1 to 16 of padding.

    BadObject when the key is no point on the curve.
    """
    point, shared = _ephemeral(public_key, entropy)
    secret = sha512(shared)
    encryption_key, mac_key = secret[:KEY_SIZE], secret[KEY_SIZE:]
    iv = entropy(_IV_SIZE)
    padder = PKCS7(8 * _BLOCK_SIZE).padder()
    encryptor = Cipher(AES(encryption_key), CBC(iv)).encryptor()
    blocks = encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()
    x, y = point[:_COORDINATE_SIZE], point[_COORDINATE_SIZE:]
    authenticated = iv + _CURVE_FIELD + _COORDINATE_LENGTH_FIELD + x + _COORDINATE_LENGTH_FIELD + y + blocks
    return authenticated + _mac(mac_key, authenticated)


def decrypt(data: bytes, private_key: bytes) -> bytes | None:
    """The plaintext of a blob, or None when it is not for this key or for nobody."""
    try:
        ciphertext = read_ciphertext(data)
    except BadObject:
        return None
    return ciphertext.decrypt(private_key)


def sign(data: bytes, private_key: bytes) -> bytes:
    """A DER signature over SHA-256 of `data`, low S, the same each time (RFC 6979)."""
    signature: bytes = PrivateKey(private_key).sign(data)
    return signature


def verify(data: bytes, signature: bytes, public_key: bytes) -> bool:
    """Whether the owner of `public_key` (64 bytes) signed `data`, over SHA-256 or, as older peers do, SHA-1.

    High S is as true as low S: OpenSSL makes both. The DER must be strict.
    """
    if not is_point(public_key):
        return False
    parsed = ffi.new("secp256k1_ecdsa_signature *")
    if not lib.secp256k1_ecdsa_signature_parse_der(GLOBAL_CONTEXT.ctx, parsed, signature, len(signature)):
        return False
    lib.secp256k1_ecdsa_signature_normalize(GLOBAL_CONTEXT.ctx, parsed, parsed)
    point = PublicKey(b"\x04" + public_key).public_key
    digests = hashlib.sha256(data).digest(), _sha1_as_32_bytes(data)
    return any(lib.secp256k1_ecdsa_verify(GLOBAL_CONTEXT.ctx, parsed, digest, point) for digest in digests)


def _ephemeral(public_key: bytes, entropy: Entropy) -> tuple[bytes, bytes]:
    """A fresh public point and the secret it shares with `public_key`.

    Drawn again while a coordinate or the secret begins with a zero byte: some peers strip such zeros from what they
    hash (Jabit) or from the secret (bmd), and could not read the result.
    """
    if not is_point(public_key):
        raise BadObject("the recipient's key is no point on the curve")
    while True:
        scalar = random_scalar(entropy)
        point, shared = public_point(scalar), _shared_x(scalar, public_key)
        if shared and shared[0] and point[0] and point[_COORDINATE_SIZE]:
            return point, shared


def _read_coordinate(reader: WireReader) -> bytes:
    coordinate = reader.take(reader.uint16())
    if not coordinate:
        raise ProtocolError("a coordinate of no bytes")
    coordinate = coordinate.lstrip(b"\0").rjust(_COORDINATE_SIZE, b"\0")
    if len(coordinate) > _COORDINATE_SIZE:
        raise ProtocolError(f"a coordinate of {len(coordinate)} bytes")
    return coordinate


def _mac(key: bytes, authenticated: bytes) -> bytes:
    return hmac.digest(key, authenticated, hashlib.sha256)


def _sha1_as_32_bytes(data: bytes) -> bytes:
    """ECDSA takes a digest as a number: the zeros belong on the left."""
    return hashlib.sha1(data, usedforsecurity=False).digest().rjust(32, b"\0")


def _copy_x(output: Any, x: Any, _y: Any, _data: Any) -> int:
    ffi.memmove(output, x, _COORDINATE_SIZE)
    return 1


# Without this libsecp256k1 would hash the shared point with SHA-256, which no peer does.
_COPY_X: Final = ffi.callback("int(unsigned char *, unsigned char *, unsigned char *, void *)", _copy_x)


def _shared_x(private_key: bytes, point: bytes) -> bytes | None:
    """The 32-byte X of private key times point, in constant time; None when `private_key` is no scalar."""
    return next(_shared_with([private_key], point))


def _shared_with(private_keys: Iterable[bytes], point: bytes) -> Iterator[bytes | None]:
    """`_shared_x` of each key with one point."""
    output, context = ffi.new("unsigned char[32]"), GLOBAL_CONTEXT.ctx
    public = PublicKey(b"\x04" + point).public_key
    for key in private_keys:  # the library reads 32 bytes whatever it is given
        found = len(key) == KEY_SIZE and lib.secp256k1_ecdh(context, output, public, key, _COPY_X, ffi.NULL)
        yield bytes(ffi.buffer(output, _COORDINATE_SIZE)) if found else None
