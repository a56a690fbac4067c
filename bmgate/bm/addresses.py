"""Bitmessage addresses: their text, and what anyone can compute from one.

An address is (version, stream, ripe); its text is canonical, so that the malleable forms which peers accept
(leading `1`, unstripped ripe) do not make a second address. Which streams one may write to is decided elsewhere.
Source: protocol specification v3, "Addresses"; the words for what is wrong are PyBitmessage's.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

import base58

from bmgate.bm.hashes import double_sha512, sha512
from bmgate.bm.wire import WireReader, encode_varint
from bmgate.errors import BadAddress, ProtocolError

PREFIX = "BM-"
RIPE_SIZE = 20
MAX_STREAM = 2**63 - 1
MAX_VERSION = 4  # of an address, and so of who signs a msg or a broadcast

_CHECKSUM_SIZE = 4
_MEANT = re.compile(r"[1-9A-HJ-NP-Za-km-z]{30,}")
_MAX_TEXT = 100  # characters; the longest canonical address has 50
_REMEMBERED_TEXTS = 4096  # a mail asks for the same few again and again, at 15 us each
_SHORTEST_RIPE = {2: 18, 3: 18, 4: 4}  # address version -> bytes that must be left after stripping


@dataclass(frozen=True, slots=True)
class Address:
    """Whom to write to. `ripe` is always the full 20 bytes, leading zeros included."""

    version: int
    stream: int
    ripe: bytes

    def __str__(self) -> str:
        """The one canonical text, `BM-...`."""
        return _text(self)

    @property
    def tag(self) -> bytes:
        """32 bytes that name the address without giving it away; the network uses them from version 4 on."""
        return double_sha512(self._seed())[32:]

    @property
    def lookup(self) -> bytes:
        """What a getpubkey asks by: the 20-byte ripe up to version 3, the 32-byte tag from version 4 on."""
        return self.tag if self.version >= 4 else self.ripe

    @property
    def derived_key(self) -> bytes:
        """The 32-byte private key of everyone who knows the address: it opens v4 pubkeys and all broadcasts."""
        digest = double_sha512(self._seed()) if self.version >= 4 else sha512(self._seed())
        return digest[:32]

    def _seed(self) -> bytes:
        return encode_varint(self.version) + encode_varint(self.stream) + self.ripe


@lru_cache(_REMEMBERED_TEXTS)
def _text(address: Address) -> str:
    data = encode_varint(address.version) + encode_varint(address.stream) + _stripped_ripe(address)
    number = int.from_bytes(data + double_sha512(data)[:_CHECKSUM_SIZE])
    text: bytes = base58.b58encode_int(number)
    return PREFIX + text.decode("ascii")


def _stripped_ripe(address: Address) -> bytes:
    if address.version >= 4:
        return address.ripe.lstrip(b"\0")
    zeros = len(address.ripe) - len(address.ripe.lstrip(b"\0"))
    return address.ripe[min(zeros, 2) :]


def looks_like_address(text: str) -> bool:
    """Whether a text is meant as one, well written or not: rather than a name."""
    return text[: len(PREFIX)].upper() == PREFIX or _MEANT.fullmatch(text) is not None


def parse_address(text: str) -> Address:
    """The address that `text` spells, with or without `BM-`; BadAddress says why not.

    Version 1 (RSA) and streams outside 1 .. 2^63-1 are refused although PyBitmessage decodes them.
    """
    data = _decode_base58(text.strip().removeprefix(PREFIX))
    payload, checksum = data[:-_CHECKSUM_SIZE], data[-_CHECKSUM_SIZE:]
    if double_sha512(payload)[:_CHECKSUM_SIZE] != checksum:
        raise BadAddress("checksumfailed", "the checksum does not fit: a letter is wrong or missing")
    reader = WireReader(data)  # with the checksum, which a truncated varint runs into as PyBitmessage's does
    version = _read_number(reader, "version")
    if version == 0 or version > MAX_VERSION:
        raise BadAddress("versiontoohigh", f"address version {version} is not known")
    if version == 1:
        raise BadAddress("versiontoolow", "address version 1 is out of use")
    stream = _read_number(reader, "stream")
    if not 1 <= stream <= MAX_STREAM:
        raise BadAddress("streamoutofrange", f"there is no stream {stream}")
    ripe = _check_ripe(version, data[reader.position : -_CHECKSUM_SIZE])
    return Address(version, stream, ripe.rjust(RIPE_SIZE, b"\0"))


def _decode_base58(text: str) -> bytes:
    if len(text) > _MAX_TEXT:
        raise BadAddress("ripetoolong", f"{len(text)} characters are too many for an address")
    try:
        number: int = base58.b58decode_int(text)
    except ValueError as error:
        raise BadAddress("invalidcharacters", "a character that no address contains") from error
    if number == 0:
        raise BadAddress("invalidcharacters", "no address at all")
    return number.to_bytes((number.bit_length() + 7) // 8)


def _read_number(reader: WireReader, name: str) -> int:
    try:
        return reader.varint()
    except ProtocolError as error:
        raise BadAddress("varintmalformed", f"the {name} cannot be read: {error}") from error


def _check_ripe(version: int, ripe: bytes) -> bytes:
    if len(ripe) < _SHORTEST_RIPE[version]:
        raise BadAddress("ripetooshort", f"{len(ripe)} bytes of hash are too few")
    if len(ripe) > RIPE_SIZE:
        raise BadAddress("ripetoolong", f"{len(ripe)} bytes of hash are too many")
    if version >= 4 and ripe[0] == 0:
        raise BadAddress("encodingproblem", "a zero byte that should have been left out")
    return ripe
