"""Records of an archive one by one, and values in them: what cannot stand there is BadImport, whoever wrote it.

Whoever knows the passphrase can write any archive. So every number has its bound: bytes of a record, values in it,
bytes of a text.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgpack

from bmgate.bm.addresses import Address, parse_address
from bmgate.bm.keys import PrivateKeys, is_scalar
from bmgate.errors import BadAddress, BadImport, LimitReached
from bmgate.mail.dates import MAX_TIME
from bmgate.services.moving.archive_records import SIZE

T = TypeVar("T")

MAX_MAIL = 256 * 1024 * 1024  # bytes; twice what is taken elsewhere, as line ends may have grown
MAX_RECORD = MAX_MAIL + 1024 * 1024
MAX_SMALL_RECORD = 8 * 1024 * 1024  # bytes of one that holds no mail
MAX_ITEMS = 400_000  # values in one record: 20,000 contacts are 320,000
MAX_LISTED = 20_000  # things in a list
MAX_TEXT = 64 * 1024
_TAG_SIZE = 32
_MAIL = b"\x92\xa4mail"  # how the record of a mail begins: a list of two, the first of them this word
_BEGUN = SIZE.size + len(_MAIL)
_COUNTED = {
    0xC4: (1, 0),
    0xC5: (2, 0),
    0xC6: (4, 0),
    0xD9: (1, 0),
    0xDA: (2, 0),
    0xDB: (4, 0),  # bytes and texts
    0xDC: (2, 1),
    0xDD: (4, 1),
    0xDE: (2, 2),
    0xDF: (4, 2),  # lists and maps
    0xC7: (1, 0),
    0xC8: (2, 0),
    0xC9: (4, 0),  # extensions, which are refused
}
"""How many bytes tell the number of things, and how many values each of them has; 0 for octets."""
_FIXED = {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
"""Numbers, and the bytes that follow."""


@dataclass(frozen=True, slots=True, repr=False)
class Record:
    """A map of an archive; every method takes a key, and raises BadImport for what cannot stand there."""

    kind: str
    values: Mapping[str, Any]

    def text(self, key: str, limit: int = MAX_TEXT, default: str | None = None) -> str:
        """The default stands for one that an earlier version did not write."""
        if default is not None and key not in self.values:
            return default
        value = self._of(key, str)
        if len(value) > limit:
            raise BadImport(f"the archive is damaged: {key} of {len(value)} characters")
        return value

    def data(self, key: str, limit: int = MAX_TEXT) -> bytes:
        value = self._of(key, bytes)
        if len(value) > limit:
            raise BadImport(f"the archive is damaged: {key} of {len(value)} bytes")
        return value

    def flag(self, key: str, default: bool | None = None) -> bool:
        """The default stands for one that an earlier version did not write."""
        return default if default is not None and key not in self.values else self._of(key, bool)

    def number(self, key: str, most: int = MAX_TIME) -> int:
        value = self._of(key, int)
        if isinstance(value, bool) or not 0 <= value <= most:
            raise BadImport(f"the archive is damaged: {key}")
        return value

    def number_or_none(self, key: str) -> int | None:
        return None if self.values.get(key) is None else self.number(key)

    def address_or_none(self, key: str) -> Address | None:
        return self.address(key) if self.text(key) else None

    def address(self, key: str) -> Address:
        try:
            return parse_address(self.text(key))
        except BadAddress as error:
            raise BadImport(f"the archive is damaged: {key}: {error}") from error

    def keys_of(self, address: Address) -> PrivateKeys:
        keys = PrivateKeys(self.data("signing"), self.data("encryption"))
        if not is_scalar(keys.signing) or not is_scalar(keys.encryption) or keys.public.ripe != address.ripe:
            raise BadImport(f"the archive is damaged: the keys of {address} make another address")
        return keys

    def choice(self, key: str, kind: Callable[[str], T]) -> T:
        try:
            return kind(self.text(key))
        except ValueError as error:
            raise BadImport(f"the archive is damaged: {key}") from error

    def words(self, key: str) -> dict[str, str]:
        value = self._of(key, dict)
        if not all(isinstance(each, str) and len(each) < MAX_TEXT for pair in value.items() for each in pair):
            raise BadImport(f"the archive is damaged: {key}")
        return value

    def texts(self, key: str, limit: int = MAX_ITEMS, *, optional: bool = False) -> tuple[str, ...]:
        value = self._list(key, optional)
        if len(value) > limit or not all(isinstance(each, str) and len(each) < MAX_TEXT for each in value):
            raise BadImport(f"the archive is damaged: {key}")
        return tuple(value)

    def records(self, key: str, *, optional: bool = False) -> tuple["Record", ...]:
        """Optional are those that an earlier version did not write."""
        value = self._list(key, optional)
        if len(value) > MAX_LISTED:
            raise LimitReached(f"{len(value)} {key} in one import; at most {MAX_LISTED}")
        if not all(isinstance(each, dict) for each in value):
            raise BadImport(f"the archive is damaged: {key}")
        return tuple(Record(key, each) for each in value)

    def pairs(self, key: str) -> tuple[tuple[bytes, int], ...]:
        """Tags with their ends of time; none where there is no such key."""
        value = self._list(key, optional=True)
        for each in value:
            is_pair = isinstance(each, list) and len(each) == 2 and isinstance(each[0], bytes)
            if not is_pair or len(each[0]) != _TAG_SIZE or type(each[1]) is not int or not 0 <= each[1] <= MAX_TIME:
                raise BadImport(f"the archive is damaged: {key}")
        return tuple((tag, until) for tag, until in value)

    def _list(self, key: str, optional: bool) -> list[Any]:
        return [] if optional and key not in self.values else self._of(key, list)

    def _of(self, key: str, kind: type[T]) -> T:
        value = self.values.get(key)
        if not isinstance(value, kind):
            raise BadImport(f"the archive is damaged: {self.kind} has no {key}")
        return value


def records_of(plain: Iterable[bytes]) -> Iterator[Record]:
    """Each record of the plain text, which comes in pieces of any size."""
    waiting, size = bytearray(), None
    for piece in plain:
        waiting += piece
        while len(waiting) >= (_BEGUN if size is None else SIZE.size + size):
            if size is None:
                (size,) = SIZE.unpack_from(waiting)
                most = MAX_RECORD if waiting[SIZE.size : _BEGUN] == _MAIL else MAX_SMALL_RECORD
                if size > most:
                    raise BadImport(f"the archive is damaged: a record of {size} bytes")
            else:
                with memoryview(waiting) as view, view[SIZE.size : SIZE.size + size] as packed:
                    record = _record(packed)
                yield record
                del record
                del waiting[: SIZE.size + size]
                size = None
    if waiting:
        raise BadImport("the archive is damaged: half a record at its end")


def _check_number(packed: memoryview) -> None:
    """Counts the values of a record without making them: some take a byte in it, and a hundred in memory.

    Raises BadImport beyond `MAX_ITEMS`; what is no MessagePack at all is left to who makes the values.
    """
    at, left, seen = 0, 1, 0
    while left and at < len(packed):
        first = packed[at]
        at, left, seen = at + 1, left - 1, seen + 1
        if first < 0x80 or first >= 0xE0:  # a small number
            continue
        if first < 0x90:
            left += 2 * (first & 15)
        elif first < 0xA0:
            left += first & 15
        elif first < 0xC0:
            at += first & 31
        elif first in _COUNTED:
            width, each = _COUNTED[first]
            count = int.from_bytes(packed[at : at + width])
            at += width
            at, left = (at + count, left) if each == 0 else (at, left + each * count)
        else:
            at += _FIXED.get(first, 0)
        if seen + left > MAX_ITEMS:
            raise BadImport(f"the archive is damaged: a record of more than {MAX_ITEMS} values")


def _record(packed: memoryview) -> Record:
    _check_number(packed)
    try:
        value = msgpack.unpackb(
            packed,
            raw=False,
            strict_map_key=True,
            max_ext_len=0,
            max_array_len=MAX_ITEMS,
            max_map_len=MAX_ITEMS // 2,
        )
    except (ValueError, msgpack.exceptions.UnpackException, RecursionError) as error:
        raise BadImport(f"the archive is damaged: {type(error).__name__}") from error
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not isinstance(value[0], str)
        or not isinstance(value[1], dict)
    ):
        raise BadImport("the archive is damaged: what it holds are no records")
    return Record(value[0], value[1])
