"""Opening contents: sealed chunks into headers, indexes and bodies, many at a time.

Headers with their indexes stay open for a while (`storage.opened`), so that listing or searching a mailbox again reads
and opens none; bodies are opened each time.
"""

import struct
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, islice
from typing import Any

from sqlalchemy import Integer, Select, and_, bindparam, func, select, type_coerce

from bmgate.errors import AccountLocked
from bmgate.storage.opened import OpenedHead
from bmgate.storage.repositories.contents import BODY, CONTENT_KEY, HEADER, PLACE, SCHEME, UUID_SIZE
from bmgate.storage.repositories.scope import AccountScope, portions
from bmgate.storage.schema import content as contents
from bmgate.storage.schema import content_blob as blobs
from bmgate.storage.sealing import UNDER_KEY, Damaged, bind, open_sealed
from bmgate.storage.statements import Prepared

Uuids = Mapping[int, bytes]
"""Contents by id, each with its uuid."""


class Among:
    """A query for the rows of many numbers; a range of them costs SQLite half of what a list does."""

    def __init__(self, query: Select[*tuple[Any, ...]], column: Any, others: int = 0) -> None:
        """`others` is how many rows nobody asked for may be read to make a range."""
        self._others = others
        self._by_range = Prepared(query.where(column.between(bindparam("first"), bindparam("last"))))
        self._by_list = query.where(column.in_(bindparam("numbers", expanding=True)))

    def rows(
        self, scope: AccountScope, numbers: Collection[int], where: Mapping[str, object]
    ) -> Iterable[Sequence[Any]]:
        """Rows whose first column is one of `numbers`, in portions, ascending."""
        for portion in portions(numbers):
            first, last = portion[0], portion[-1]
            others = last - first + 1 - len(portion)
            if others > self._others:
                yield scope.connection.execute(self._by_list, {**where, "numbers": portion}).all()
                continue
            rows = self._by_range.all(scope.connection, {**where, "first": first, "last": last})
            wanted = set(portion)
            yield [row for row in rows if row[0] in wanted] if others else rows


_CHUNK = (blobs.c.content, blobs.c.n, type_coerce(blobs.c.last, Integer), blobs.c.data)
_ORDER = (blobs.c.content, blobs.c.kind, blobs.c.n)
_HEADERS = Among(
    select(*_CHUNK, contents.c.scheme, contents.c.sealed_key)
    .select_from(blobs.join(contents, contents.c.id == blobs.c.content))
    .where(blobs.c.kind <= HEADER)  # with `==` SQLite sorts what it has in order
    .order_by(*_ORDER),
    blobs.c.content,
)
_HEADER_SIZES = Among(  # SQLite tells the length of what it does not read
    select(blobs.c.content, func.length(blobs.c.data).label("octets")).where(blobs.c.kind <= HEADER).order_by(*_ORDER),
    blobs.c.content,
)
_BODIES = Among(select(*_CHUNK).where(blobs.c.kind >= BODY).order_by(*_ORDER), blobs.c.content)
_IS_WANTED = and_(blobs.c.content == contents.c.id, blobs.c.kind == BODY, blobs.c.n == bindparam("n"))
_BODY_CHUNK = Prepared(
    select(contents.c.scheme, contents.c.sealed_key, type_coerce(blobs.c.last, Integer).label("last"), blobs.c.data)
    .select_from(contents.outerjoin(blobs, _IS_WANTED))
    .where(contents.c.uuid == bindparam("uuid"), contents.c.account == bindparam("account"))
)


@dataclass(frozen=True, slots=True)
class ContentOpener:
    """Opens contents of one account; who asks has made sure that they are its own."""

    scope: AccountScope
    _data_key: bytes = field(repr=False)
    _key_place: bytes = field(repr=False)

    def heads(self, uuids: Uuids, budget_octets: int | None = None) -> dict[bytes, OpenedHead]:
        """By uuid; with a budget those that were open, and the first of the others that fit. Raises Damaged."""
        opened = self.scope.vault.opened.find(uuids.values())
        closed = {content: uuid for content, uuid in uuids.items() if uuid not in opened}
        if not closed:
            return opened
        if budget_octets is not None:
            closed = self._fitting(closed, budget_octets)
        fresh = dict[bytes, OpenedHead]()
        for rows in _HEADERS.rows(self.scope, closed, {}):
            keys = {row[0]: (self._key(row[4], row[5], closed[row[0]]), closed[row[0]]) for row in rows if row[1] == 0}
            for content, blob in self._blobs(HEADER, keys, [row[:4] for row in rows]).items():
                key, uuid = keys[content]
                fresh[uuid] = OpenedHead(key, blob)
        _require_all(fresh, closed)
        self.scope.vault.opened.keep(fresh)
        return opened | fresh

    def _fitting(self, uuids: Uuids, budget_octets: int) -> dict[int, bytes]:
        """The first whose headers with their indexes fit together, but at least one."""
        sizes = dict.fromkeys(uuids, 0)
        for rows in _HEADER_SIZES.rows(self.scope, uuids, {}):
            for content, octets in rows:
                sizes[content] += octets
        count = bisect_right(list(accumulate(sizes.values())), budget_octets)
        return dict(islice(uuids.items(), max(count, 1)))

    def bodies(self, uuids: Uuids, opened: Mapping[bytes, OpenedHead]) -> dict[int, bytes]:
        """By content, of those whose heads were `opened`. Raises Damaged."""
        keys = {content: (opened[uuid].key, uuid) for content, uuid in uuids.items()}
        found = dict[int, bytes]()
        for rows in _BODIES.rows(self.scope, keys, {}):
            found |= self._blobs(BODY, keys, rows)
        _require_all(found, keys)
        return found

    def body_chunk(self, uuid: bytes, n: int) -> bytes | None:
        """One chunk of a body, opened alone; None when the content is gone. Raises Damaged."""
        account = self.scope.account
        row = _BODY_CHUNK.first(self.scope.connection, {"uuid": uuid, "account": account.id, "n": n})
        if row is None:
            return None
        if row.data is None:
            raise Damaged("a stored mail is not complete")
        key = self._key(row.scheme, row.sealed_key, uuid)
        return open_sealed(key, row.data, account.uuid + uuid + PLACE.pack(BODY, SCHEME, n, row.last))

    def _key(self, scheme: int, sealed: bytes, uuid: bytes) -> bytes:
        if scheme != SCHEME:
            raise Damaged(f"a stored mail follows scheme {scheme}, which this version does not know")
        if sealed[:1] == UNDER_KEY:
            return open_sealed(self._data_key, sealed, self._key_place + uuid)
        return self.scope.keys.open(sealed, CONTENT_KEY, uuid)  # it came while the account was locked

    def _blobs(
        self, kind: int, keys: Mapping[int, tuple[bytes, bytes]], chunks: Iterable[Sequence[Any]]
    ) -> dict[int, bytes]:
        """The blobs of contents from their chunks, in order; `keys` are key and uuid of each."""
        account, found = self.scope.account.uuid, dict[int, bytes]()
        begun: list[bytes] = []
        for content, n, last, data in chunks:
            if n != len(begun) or content not in keys:
                raise Damaged("a stored mail is not complete")
            key, uuid = keys[content]
            piece = open_sealed(key, data, account + uuid + PLACE.pack(kind, SCHEME, n, last))
            if not last:
                begun.append(piece)
            else:
                found[content] = b"".join([*begun, piece]) if begun else piece
                begun.clear()
        return found


def content_opener(scope: AccountScope) -> ContentOpener:
    """Raises AccountLocked."""
    if scope.keys.data_key is None:
        raise AccountLocked("this account opens when its owner logs in")
    place = bind(scope.account.uuid, CONTENT_KEY) + struct.pack(">I", UUID_SIZE)
    return ContentOpener(scope, scope.keys.data_key, place)


def _require_all(found: Collection[object], wanted: Collection[object]) -> None:
    if len(found) != len(wanted):
        raise Damaged("a stored mail is not complete")
