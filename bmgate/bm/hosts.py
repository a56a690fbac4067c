"""What a peer's host is: an address or name of the Internet, an onion service of Tor, a destination of I2P.

Names of the last two are keys: they need no look-up, and none is ever made, as it would tell whom one calls.
Source: Tor's rend-spec-v3 6 ("Encoding onion addresses"); I2P's "Naming" (base32 names).
"""

import base64
import binascii
import ipaddress
import re
from enum import StrEnum
from hashlib import sha3_256, sha256

ONION_SUFFIX, I2P_SUFFIX, B32_SUFFIX = ".onion", ".i2p", ".b32.i2p"
ONION_KEY_SIZE = 32
_ONION_LETTERS = 56
_ONION_VERSION = b"\x03"
_B32_NAME = re.compile(r"[a-z2-7]{52}")
_I2P_NAME = re.compile(r"(?!.{68})(?:(?!-)[a-z0-9-]{1,63}(?<!-)\.)+i2p")


class Reach(StrEnum):
    """A network in which peers are."""

    CLEARNET = "clearnet"
    ONION = "onion"
    I2P = "i2p"


def reach_of(host: str) -> Reach:
    """By the ending alone, so that a misspelt onion name is never asked of DNS."""
    name = host.lower().rstrip(".")
    if name.endswith(ONION_SUFFIX):
        return Reach.ONION
    return Reach.I2P if name.endswith(I2P_SUFFIX) else Reach.CLEARNET


def is_address(host: str) -> bool:
    """Whether this is an IP address, and so needs no look-up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_onion(host: str) -> bool:
    """Whether this names an onion service, version 3, in lower case: 56 letters, checksum and version right."""
    label = host.removesuffix(ONION_SUFFIX)
    if not host.endswith(ONION_SUFFIX) or len(label) != _ONION_LETTERS or label != label.lower():
        return False
    try:
        decoded = base64.b32decode(label.upper())
    except binascii.Error:
        return False
    return onion_name(decoded[:ONION_KEY_SIZE]) == host


def onion_name(public_key: bytes) -> str:
    """The name of the onion service with this 32-byte Ed25519 key."""
    checksum = sha3_256(b".onion checksum" + public_key + _ONION_VERSION).digest()[:2]
    return base64.b32encode(public_key + checksum + _ONION_VERSION).decode().lower() + ONION_SUFFIX


def is_i2p(host: str) -> bool:
    """Whether this is a name of I2P in lower case: 52 letters before .b32.i2p, or one from an address book."""
    if host.endswith(B32_SUFFIX):
        return _B32_NAME.fullmatch(host.removesuffix(B32_SUFFIX)) is not None
    return _I2P_NAME.fullmatch(host) is not None


def i2p_name(destination: bytes) -> str:
    """The base32 name of a destination (its bytes, as the I2P network and Bitmessage objects carry it)."""
    return base64.b32encode(sha256(destination).digest()).decode().rstrip("=").lower() + B32_SUFFIX
