"""Archives: one account in one encrypted file, which another gateway takes in.

The file: 16 bytes of magic, the version, what Argon2id costs (operations, KiB), a salt of 16 bytes, the header of a
secretstream (XChaCha20-Poly1305, libsodium) of 24. Then pieces of 64 KiB and 17 bytes each, the last one shorter or
equal and marked as final: what was cut off, exchanged or added is noticed. The plain text is a stream of MessagePack
values; `archive_records` says what they mean. Nothing here waits, reads or writes files.
"""

import struct
from collections.abc import Iterable, Iterator

from nacl import bindings
from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id

from bmgate.bm.keys import Entropy
from bmgate.errors import BadImport

MAGIC = b"bmgate archive\r\n"
VERSION = 1
SALT_SIZE = argon2id.SALTBYTES
OPERATIONS, MEMORY_KIB = 3, 128 * 1024
MAX_OPERATIONS, MAX_MEMORY_KIB = 16, 1024 * 1024
PIECE_SIZE = 64 * 1024
SEALED_SIZE = PIECE_SIZE + bindings.crypto_secretstream_xchacha20poly1305_ABYTES
STREAM_HEADER_SIZE = bindings.crypto_secretstream_xchacha20poly1305_HEADERBYTES

_HEAD = struct.Struct(f">16sBBI{SALT_SIZE}s")
HEADER_SIZE = _HEAD.size + STREAM_HEADER_SIZE
_FINAL = bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL
_MESSAGE = bindings.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE


def seal_archive(
    plain: Iterable[bytes],
    passphrase: str,
    entropy: Entropy,
    operations: int = OPERATIONS,
    memory_kib: int = MEMORY_KIB,
) -> Iterator[bytes]:
    """The bytes of the file, in portions as they become ready."""
    sealer = Sealer(passphrase, entropy, operations, memory_kib)
    yield sealer.header
    for portion in plain:
        yield sealer.feed(portion)
    yield sealer.finish()


class Sealer:
    """The same for who has the plain text bit by bit: the header, what `feed` gives, what `finish` gives."""

    def __init__(
        self, passphrase: str, entropy: Entropy, operations: int = OPERATIONS, memory_kib: int = MEMORY_KIB
    ) -> None:
        """Takes as long as Argon2id does."""
        head = _HEAD.pack(MAGIC, VERSION, operations, memory_kib, entropy(SALT_SIZE))
        self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
        self.header = head + bindings.crypto_secretstream_xchacha20poly1305_init_push(
            self._state, _key(passphrase, head)
        )
        self._bound: bytes | None = self.header
        self._waiting = bytearray()

    def feed(self, plain: bytes) -> bytes:
        """What is ready; the last piece waits, for it may be the final one."""
        self._waiting += plain
        ready = []
        while len(self._waiting) > PIECE_SIZE:
            ready.append(self._push(bytes(self._waiting[:PIECE_SIZE]), _MESSAGE))
            del self._waiting[:PIECE_SIZE]
        return b"".join(ready)

    def finish(self) -> bytes:
        """The final piece."""
        return self._push(bytes(self._waiting), _FINAL)

    def _push(self, piece: bytes, tag: int) -> bytes:
        bound, self._bound = self._bound, None  # the first piece vouches for the header
        sealed: bytes = bindings.crypto_secretstream_xchacha20poly1305_push(self._state, piece, bound, tag)
        return sealed


class ArchiveKey:
    """The key of an archive, made once from its passphrase: opening it a second time costs nothing."""

    def __init__(self, passphrase: str) -> None:
        self._passphrase, self._header, self._key = passphrase, b"", b""

    def of(self, header: bytes) -> bytes:
        """Raises BadImport for a header that is none, BadImport too when the archive was exchanged meanwhile."""
        if self._header not in (b"", header):
            raise BadImport("the archive changed while it was read")
        if not self._key:
            self._key, self._header = _key(self._passphrase, header[: _HEAD.size]), header
        return self._key


def open_archive(pieces: Iterable[bytes], key: ArchiveKey) -> Iterator[bytes]:
    """The plain text in pieces; raises BadImport, at the end too when the final piece is missing.

    `pieces` of the file may have any size.
    """
    source = _cut(pieces)
    header = next(source, b"")
    if len(header) < HEADER_SIZE or not header.startswith(MAGIC):
        raise BadImport("this is no archive of bmgate")
    state = bindings.crypto_secretstream_xchacha20poly1305_state()
    stream_key = key.of(header)
    bindings.crypto_secretstream_xchacha20poly1305_init_pull(state, header[_HEAD.size :], stream_key)
    bound: bytes | None = header
    is_final = False
    for number, sealed in enumerate(source):
        if is_final:
            raise BadImport("the archive is damaged: something follows its end")
        try:
            plain, tag = bindings.crypto_secretstream_xchacha20poly1305_pull(state, sealed, bound)
        except (CryptoError, ValueError) as error:
            what = (
                "wrong passphrase, or the archive is damaged" if number == 0 else f"the archive is damaged at {number}"
            )
            raise BadImport(what) from error
        bound, is_final = None, tag == _FINAL
        yield plain
    if not is_final:
        raise BadImport("the archive is cut off: its end is missing")


def _cut(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The header, then sealed pieces."""
    waiting, size = bytearray(), HEADER_SIZE
    for piece in pieces:
        waiting += piece
        while len(waiting) >= size:
            yield bytes(waiting[:size])
            del waiting[:size]
            size = SEALED_SIZE
    if waiting:
        yield bytes(waiting)


def _key(passphrase: str, head: bytes) -> bytes:
    """Raises BadImport for a version or a cost that cannot be."""
    magic, version, operations, memory_kib, salt = _HEAD.unpack(head)
    if magic != MAGIC:
        raise BadImport("this is no archive of bmgate")
    if version != VERSION:
        raise BadImport(f"the archive has version {version}; this gateway knows version {VERSION}")
    if not 1 <= operations <= MAX_OPERATIONS or not 8 <= memory_kib <= MAX_MEMORY_KIB:
        raise BadImport("the archive asks for more work than a passphrase should cost")
    key: bytes = argon2id.kdf(
        bindings.crypto_secretstream_xchacha20poly1305_KEYBYTES,
        passphrase.encode(errors="replace"),
        salt,
        opslimit=operations,
        memlimit=memory_kib * 1024,
    )
    return key
