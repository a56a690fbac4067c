"""Trial decryption: which of many keys opens a msg, found as fast as the processor can.

A `KeySet` hands its keys to the native kernel, which finds the few that padding and first block do not rule out; the
MAC alone decides. Keys that the kernel cannot serve, and sets too small for it, are tried one by one. The result is the
same either way, and no key is spared after a match. Which objects are tried is for receiving to say.

Memory for each key: 32 to 52 bytes of digits, locked and wiped by the kernel, and about 230 bytes here that say whose
it is. Private keys themselves stay in Python only while they are tried one by one.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from itertools import chain
from threading import Lock
from typing import Generic, TypeVar

from bmgate.bm.addresses import MAX_VERSION
from bmgate.bm.crypto import Ciphertext
from bmgate.bm.hashes import sha512
from bmgate.bm.keys import GROUP_ORDER, KEY_SIZE
from bmgate.errors import ShuttingDown

T = TypeVar("T", bound=Hashable)

ONE_BY_ONE = "coincurve"  # in place of a kernel's name
FEWEST = 16  # keys for which the kernel is worth its table
BATCH = 2048  # keys that the kernel takes at once

_SPECIAL = 1 << 13  # keys this close to 0 or to the group's order are special cases in one width or another
_FINGERPRINT_SIZE = 16
_BLOCK_SIZE = 16
_PIECES = 4  # of the work for each thread, so that none waits long for another


class Lookups(StrEnum):
    """How the kernel reads its tables: all of them each time, or where a key's digit says.

    The latter is faster; programs that share our caches may learn digits from it.
    """

    CONSTANT_TIME = "constant_time"
    FAST = "fast"


# From so many keys on, digits of so many bits: wide ones need fewer additions, but larger tables.
_WIDTHS = {
    Lookups.CONSTANT_TIME: ((768, 7), (0, 6)),
    Lookups.FAST: ((65_536, 11), (8_192, 10), (384, 8), (0, 6)),
}
_PORTABLE, _WIDEST_PORTABLE = "portable", 6  # without vectors, reading all of a larger table costs more than it saves


class KeySet(Generic[T]):
    """Keys and their owners. An owner has one key; several may have the same. Safe to use from several threads.

    `trial` is the kernel's name; so many `threads` share the work on one msg when there are keys enough.
    """

    def __init__(self, trial: str, lookups: Lookups, threads: int) -> None:
        self._trial, self._lookups, self._threads = trial, lookups, threads
        self._fingerprints: dict[T, bytes] = {}
        self._single: _SingleKeys[T] = _SingleKeys()
        self._batch: _BatchKeys[T] | None = None
        self._lock = Lock()  # nothing comes or goes while a search runs
        self._stop = bytearray(1)

    def __len__(self) -> int:
        """The number of owners."""
        return len(self._fingerprints)

    @property
    def owners(self) -> Collection[T]:
        """All of them; not to be kept while others add and remove."""
        return self._fingerprints.keys()

    def add(self, private_key: bytes, owner: T) -> None:
        """Hold one more key; raises ValueError for an owner that has one."""
        self.add_all([(private_key, owner)])

    def add_all(self, keys: Iterable[tuple[bytes, T]]) -> None:
        """As `add`, for thousands; raises ShuttingDown after `close`."""
        with self._lock:
            self._require_open()
            try:
                for key, owner in keys:
                    self._take(key, owner)
            finally:  # those before one that was refused are here to stay
                if self._batch is None:
                    self._begin_batch()
                if self._batch is not None:
                    self._batch.settle()

    def remove(self, owner: T) -> None:
        """Let go of an owner's key; raises KeyError."""
        with self._lock:
            if self._batch is not None:
                self._batch.settle()  # nothing waits, unless there was no memory for it
            fingerprint = self._fingerprints.pop(owner)
            part = self._part_of(fingerprint)
            assert part is not None
            place = part.places.remove(fingerprint, owner)
            if place is not None:
                part.drop(place)

    def open(self, ciphertext: Ciphertext) -> list[tuple[T, bytes]]:
        """Everybody who can read `ciphertext`, with the plaintext of a msg; raises ShuttingDown after `close`.

        What does not begin like a sender's record is for nobody: of most of that the kernel does not even tell.
        """
        with self._lock:
            found = [
                (owner, plaintext)
                for part in self._parts()
                for place, plaintext in part.open(ciphertext, self._stop)
                if _begins_with_a_record(plaintext)
                for owner in part.places.owners(place)
            ]
            self._require_open()
        return found

    def close(self) -> None:
        """End a search that is under way within milliseconds, and forget all keys."""
        self._stop[0] = 1
        with self._lock:
            if self._batch is not None:
                self._batch.close()
            self._fingerprints, self._single, self._batch = {}, _SingleKeys(), None

    def _take(self, key: bytes, owner: T) -> None:
        if owner in self._fingerprints:
            raise ValueError(f"{owner!r} has a key already")
        self._fingerprints[owner] = fingerprint = _fingerprint(key)
        part = self._part_of(fingerprint) or self._part_for(key)
        if part.places.add(fingerprint, owner):
            part.hold(key)

    def _require_open(self) -> None:
        if self._stop[0]:
            raise ShuttingDown("trial decryption has ended")

    def _parts(self) -> "list[_SingleKeys[T] | _BatchKeys[T]]":
        return [self._single] if self._batch is None else [self._single, self._batch]

    def _part_of(self, fingerprint: bytes) -> "_SingleKeys[T] | _BatchKeys[T] | None":
        return next((part for part in self._parts() if fingerprint in part.places), None)

    def _part_for(self, key: bytes) -> "_SingleKeys[T] | _BatchKeys[T]":
        return self._single if self._batch is None or _is_special(key) else self._batch

    def _begin_batch(self) -> None:
        """Give the kernel what it can serve, once that is enough."""
        plain = [key for key in self._single.keys if not _is_special(key)]
        if self._trial == ONE_BY_ONE or len(plain) < FEWEST:
            return
        self._batch = _BatchKeys(self._trial, self._lookups, self._threads)
        for key in plain:
            fingerprint = _fingerprint(key)
            place, owners = self._single.places.take(fingerprint)
            self._single.drop(place)
            for owner in owners:
                self._batch.places.add(fingerprint, owner)
            self._batch.hold(key)


class _Places(Generic[T]):
    """Whose key lies where in a list. A gap is filled with what lies last."""

    def __init__(self) -> None:
        self._place: dict[bytes, int] = {}
        self._fingerprints: list[bytes] = []
        self._owners: list[T] = []
        self._others: dict[bytes, list[T]] = {}  # further owners of a key

    def __len__(self) -> int:
        return len(self._fingerprints)

    def __contains__(self, fingerprint: bytes) -> bool:
        return fingerprint in self._place

    def owners(self, place: int) -> list[T]:
        return [self._owners[place], *self._others.get(self._fingerprints[place], ())]

    def add(self, fingerprint: bytes, owner: T) -> bool:
        """Whether the key is new, and lies last."""
        if fingerprint in self._place:
            self._others.setdefault(fingerprint, []).append(owner)
            return False
        self._place[fingerprint] = len(self._fingerprints)
        self._fingerprints.append(fingerprint)
        self._owners.append(owner)
        return True

    def remove(self, fingerprint: bytes, owner: T) -> int | None:
        """The place of a key that nobody owns any more."""
        place = self._place[fingerprint]
        left = [each for each in self.owners(place) if each != owner]
        if not left:
            return self.take(fingerprint)[0]
        self._owners[place] = left[0]
        self._others[fingerprint] = left[1:]
        return None

    def take(self, fingerprint: bytes) -> tuple[int, list[T]]:
        """The place that a key leaves, and all its owners."""
        place = self._place[fingerprint]
        owners = self.owners(place)
        last, last_owner = self._fingerprints.pop(), self._owners.pop()
        if place < len(self._fingerprints):
            self._fingerprints[place], self._owners[place], self._place[last] = last, last_owner, place
        del self._place[fingerprint]
        self._others.pop(fingerprint, None)
        return place, owners


class _SingleKeys(Generic[T]):
    """Keys tried one by one, in constant time."""

    def __init__(self) -> None:
        self.places = _Places[T]()
        self.keys: list[bytes] = []

    def hold(self, key: bytes) -> None:
        self.keys.append(key)

    def drop(self, place: int) -> None:
        last = self.keys.pop()
        if place < len(self.keys):
            self.keys[place] = last

    def open(self, ciphertext: Ciphertext, stop: bytearray) -> Iterator[tuple[int, bytes]]:
        """Place and plaintext of each key that opens it."""
        for place, plaintext in enumerate(ciphertext.decrypt_each(self.keys)):
            if stop[0]:
                return
            if plaintext is not None:
                yield place, plaintext


class _BatchKeys(Generic[T]):
    """Keys in the native kernel."""

    def __init__(self, kernel: str, lookups: Lookups, threads: int) -> None:
        from bmgate.native._native import KeySet as NativeKeys  # not built everywhere

        self.places = _Places[T]()
        self._kernel, self._lookups, self._threads = kernel, lookups, threads
        is_constant_time = lookups is Lookups.CONSTANT_TIME
        self._keys: NativeKeys = NativeKeys(kernel, self._width(0), constant_time=is_constant_time)
        self._waiting: list[bytes] = []
        self._pool = ThreadPoolExecutor(threads, "trial")

    def hold(self, key: bytes) -> None:
        """Take the key at the next `settle`."""
        self._waiting.append(key)

    def settle(self) -> None:
        """Take the keys that wait, in digits of the right width for so many."""
        width = self._width(len(self.places))
        if width > self._keys.width:
            self._keys = self._keys.recoded(width)
        if self._waiting:
            self._keys.add(b"".join(self._waiting))
            self._waiting.clear()

    def drop(self, place: int) -> None:
        """Lose a key; digits become narrower only when half of the keys are gone that made them wide."""
        self._keys.remove(place)
        width = self._width(2 * len(self.places))
        if width < self._keys.width:
            self._keys = self._keys.recoded(width)

    def open(self, ciphertext: Ciphertext, stop: bytearray) -> Iterator[tuple[int, bytes]]:
        """Place and plaintext of each key that opens it."""
        for place, secret in self._candidates(ciphertext, stop):
            plaintext = ciphertext.open(secret)
            if plaintext is not None:
                yield place, plaintext

    def close(self) -> None:
        self._pool.shutdown()

    def _width(self, count: int) -> int:
        width = next(width for least, width in _WIDTHS[self._lookups] if count >= least)
        is_read_whole = self._lookups is Lookups.CONSTANT_TIME and self._kernel == _PORTABLE
        return min(width, _WIDEST_PORTABLE) if is_read_whole else width

    def _candidates(self, ciphertext: Ciphertext, stop: bytearray) -> Iterable[tuple[int, bytes]]:
        blocks = ciphertext.encrypted
        first, last_two = blocks[:_BLOCK_SIZE], (ciphertext.iv + blocks)[-2 * _BLOCK_SIZE :]
        keys, table, count = self._keys, self._keys.table(ciphertext.point), len(self._keys)

        def search(begin: int, end: int) -> list[tuple[int, bytes]]:
            return keys.candidates(table, ciphertext.iv, first, last_two, MAX_VERSION, begin, end, stop)

        if self._threads == 1 or count < 2 * BATCH:
            return search(0, count)
        size = BATCH * -(-count // (BATCH * self._threads * _PIECES))
        begins = range(0, count, size)
        return chain.from_iterable(self._pool.map(search, begins, (min(begin + size, count) for begin in begins)))


def _fingerprint(private_key: bytes) -> bytes:
    """What tells a key from others without being it."""
    return sha512(private_key)[:_FINGERPRINT_SIZE]


def _is_special(private_key: bytes) -> bool:
    """Whether additions may meet equal points, or the key is no scalar at all."""
    scalar = int.from_bytes(private_key)
    return len(private_key) != KEY_SIZE or min(scalar, GROUP_ORDER - scalar) <= _SPECIAL


def _begins_with_a_record(plaintext: bytes) -> bool:
    """Whether this may be a sender's version and stream: both in one byte each, as far as a first look goes."""
    return len(plaintext) > 1 and 1 <= plaintext[0] <= MAX_VERSION and plaintext[1] != 0
