"""Contents: mail as it is stored, once, however many mailboxes show it.

Each content has its own random key, sealed for its account, and two blobs under it in chunks: the header with its
index, and the body. A chunk is bound to account, content, kind, scheme, number and whether it is the last, so that none
can be moved, reordered or cut off unnoticed.
"""

import struct
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, exists, insert, or_, select, update

from bmgate.domain.mailbox import ContentId, MessageHead, NewContent, StoredMessage
from bmgate.errors import AccountLocked, OverQuota
from bmgate.storage.repositories.scope import AccountScope, portions
from bmgate.storage.schema import account as accounts
from bmgate.storage.schema import content as contents
from bmgate.storage.schema import content_blob as blobs
from bmgate.storage.schema import message as messages
from bmgate.storage.sealing import KEY_SIZE, UNDER_KEY, Damaged, bind, open_sealed, seal

SCHEME = 1
HEADER, BODY = 0, 1
CHUNK_SIZE = 262_144  # bytes of plaintext
UUID_SIZE = 16

_KEY = b"content key"
_PLACE = struct.Struct(">BBIB")  # kind, scheme, number, last
_HEADER_SIZE = struct.Struct(">I")

_ADD = insert(contents).returning(contents.c.id)
_ADD_CHUNK = insert(blobs)
_GROWN = accounts.c.used_bytes + bindparam("size")
_CHARGE = (
    update(accounts)
    .where(accounts.c.id == bindparam("row"), or_(accounts.c.quota_bytes.is_(None), accounts.c.quota_bytes >= _GROWN))
    .values(used_bytes=_GROWN)
)


class Chunk(NamedTuple):
    """A stored chunk with what opens it, in the order the queries select."""

    uid: int
    internaldate: int
    uuid: bytes
    scheme: int
    sealed_key: bytes
    kind: int
    n: int
    last: bool
    data: bytes


def size_class(size: int) -> int:
    """`size` rounded up so that few bits of it remain (PADME): at most 12 % more, and little told."""
    if size < 2:
        return size
    exponent = size.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (size + mask) & ~mask


def add_content(scope: AccountScope, new: NewContent) -> ContentId:
    """Seal and store; raises OverQuota."""
    _charge(scope, size_class(new.size))
    entropy = scope.vault.entropy
    uuid, key = entropy(UUID_SIZE), entropy(KEY_SIZE)
    values = {
        "account": scope.account.id,
        "uuid": uuid,
        "scheme": SCHEME,
        "sealed_key": scope.keys.seal(key, _KEY, uuid),
        "size_class": size_class(new.size),
        "message_id_tag": new.message_id_tag or None,
        "vector_tag": new.vector_tag or None,
    }
    content: int = scope.connection.execute(_ADD, values).scalar_one()
    front = scope.account.uuid + uuid
    header = _HEADER_SIZE.pack(len(new.header)) + new.header + new.index
    rows = [
        {
            "content": content,
            "kind": kind,
            "n": n,
            "last": last,
            "data": seal(key, data, front + _PLACE.pack(kind, SCHEME, n, last), entropy),
        }
        for kind, blob in ((HEADER, header), (BODY, new.body))
        for n, last, data in _split(blob)
    ]
    scope.connection.execute(_ADD_CHUNK, rows)
    return ContentId(content)


def delete_unshown(scope: AccountScope, candidates: Collection[int]) -> None:
    """Those of the account's contents that no message shows any more go, with their keys."""
    mine, connection = scope.account.id, scope.connection
    shown = exists().where(messages.c.content == contents.c.id)
    for portion in portions(candidates):
        query = select(contents.c.id, contents.c.size_class)
        rows = connection.execute(query.where(contents.c.account == mine, contents.c.id.in_(portion), ~shown)).all()
        if not rows:
            continue
        connection.execute(delete(contents).where(contents.c.id.in_([row.id for row in rows])))
        freed = sum(row.size_class for row in rows)
        used = accounts.c.used_bytes
        connection.execute(update(accounts).where(accounts.c.id == mine).values(used_bytes=used - freed))


@dataclass(frozen=True, slots=True)
class ContentReader:
    """Opens an account's contents; made once for many of them."""

    scope: AccountScope
    _data_key: bytes
    _key_place: bytes

    def heads(self, chunks: Iterable[Any]) -> Iterator[MessageHead]:
        """From chunks of kind HEADER, ordered by UID and number."""
        for uid, group in groupby(chunks, key=itemgetter(0)):
            own = list(group)
            header, index = _split_header(self._blob(self._key(own[0]), own))
            yield MessageHead(uid, own[0][1], header, index, own[0][2])

    def messages(self, chunks: Iterable[Any]) -> Iterator[StoredMessage]:
        """From chunks of both kinds, ordered by UID, kind and number."""
        for uid, group in groupby(chunks, key=itemgetter(0)):
            own = list(group)
            key = self._key(own[0])
            header, index = _split_header(self._blob(key, [chunk for chunk in own if chunk[5] == HEADER]))
            body = self._blob(key, [chunk for chunk in own if chunk[5] == BODY])
            yield StoredMessage(uid, own[0][1], header, index, body, own[0][2])

    def _key(self, chunk: Chunk) -> bytes:
        sealed = chunk[4]
        if sealed[:1] == UNDER_KEY:
            return open_sealed(self._data_key, sealed, self._key_place + chunk[2])
        return self.scope.keys.open(sealed, _KEY, chunk[2])  # it came while the account was locked

    def _blob(self, key: bytes, chunks: list[Chunk]) -> bytes:
        if not chunks or [chunk[6] for chunk in chunks] != list(range(len(chunks))) or not chunks[-1][7]:
            raise Damaged("a stored mail is not complete")
        account = self.scope.account.uuid
        if len(chunks) == 1:
            _, _, uuid, scheme, _, kind, n, last, data = chunks[0]
            return open_sealed(key, data, account + uuid + _PLACE.pack(kind, _known(scheme), n, last))
        return b"".join(
            open_sealed(key, data, account + uuid + _PLACE.pack(kind, _known(scheme), n, last))
            for _, _, uuid, scheme, _, kind, n, last, data in chunks
        )


def content_reader(scope: AccountScope) -> ContentReader:
    """Raises AccountLocked."""
    if scope.keys.data_key is None:
        raise AccountLocked("this account opens when its owner logs in")
    place = bind(scope.account.uuid, _KEY) + struct.pack(">I", UUID_SIZE)
    return ContentReader(scope, scope.keys.data_key, place)


def _charge(scope: AccountScope, size: int) -> None:
    if scope.connection.execute(_CHARGE, {"row": scope.account.id, "size": size}).rowcount != 1:
        raise OverQuota(f"no room for another {size} bytes: the quota is {scope.account.quota_bytes}")


def _split(blob: bytes) -> Iterator[tuple[int, bool, bytes]]:
    starts = range(0, max(len(blob), 1), CHUNK_SIZE)
    for n, start in enumerate(starts):
        yield n, n == len(starts) - 1, blob[start : start + CHUNK_SIZE]


def _split_header(blob: bytes) -> tuple[bytes, bytes]:
    end = _HEADER_SIZE.size + int.from_bytes(blob[: _HEADER_SIZE.size])
    return blob[_HEADER_SIZE.size : end], blob[end:]


def _known(scheme: int) -> int:
    if scheme != SCHEME:
        raise Damaged(f"a stored mail follows scheme {scheme}, which this version does not know")
    return scheme
