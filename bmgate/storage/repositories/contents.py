"""Contents: mail as it is stored, once, however many mailboxes show it.

Each content has its own random key, sealed for its account, and two blobs under it in chunks: the header with its
index, and the body. A chunk is bound to account, content, kind, scheme, number and whether it is the last, so that none
can be moved, reordered or cut off unnoticed.

What goes is deleted in the transaction that promises it as far as that is little. Of the rest only the keys go there,
and what it counts against the quota; its chunks follow in portions, each a short transaction of the writer's.
"""

import struct
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, or_, select, update

from bmgate.domain.mailbox import ContentId, NewContent
from bmgate.errors import MessageMissing, OverQuota
from bmgate.storage.repositories.scope import AccountScope, portions
from bmgate.storage.schema import account as accounts
from bmgate.storage.schema import content as contents
from bmgate.storage.schema import content_blob as blobs
from bmgate.storage.schema import message as messages
from bmgate.storage.schema import submission as submissions
from bmgate.storage.sealing import KEY_SIZE, seal
from bmgate.storage.sqlite import large_blobs
from bmgate.storage.statements import Prepared

SCHEME = 1
HEADER, BODY = 0, 1
CHUNK_SIZE = 262_144  # bytes of plaintext
UUID_SIZE = 16
AT_ONCE = 1024 * 1024  # octets that are deleted in one transaction: some 10 ms of the writer
_MOST_CHUNKS = 500  # that are looked at for that
_NO_KEY = b""

CONTENT_KEY = b"content key"
PLACE = struct.Struct(">BBIB")  # kind, scheme, number, last
_HEADER_SIZE = struct.Struct(">I")

_TAG = contents.c.message_id_tag
_DROPPED_TAG = b""  # in place of a Message-ID's: that index finds what was dropped
IS_KEPT = or_(_TAG.is_(None), _TAG != _DROPPED_TAG)
_OWES = "dropped contents"  # in the `info` of a connection

_ADD = Prepared(insert(contents).returning(contents.c.id))
_ADD_CHUNK = Prepared(insert(blobs))
_GROWN = accounts.c.used_bytes + bindparam("size")
_CHARGE = Prepared(
    update(accounts)
    .where(accounts.c.id == bindparam("row"), or_(accounts.c.quota_bytes.is_(None), accounts.c.quota_bytes >= _GROWN))
    .values(used_bytes=_GROWN)
)
_KEY = Prepared(
    select(contents.c.uuid, contents.c.sealed_key).where(
        contents.c.id == bindparam("row"), contents.c.account == bindparam("owner"), IS_KEPT
    )
)
_FIND_BY = Prepared(
    update(contents)
    .where(contents.c.id == bindparam("row"))
    .values(message_id_tag=bindparam("message_id"), vector_tag=bindparam("vector"))
)
_CHARGE_ANYWAY = Prepared(update(accounts).where(accounts.c.id == bindparam("row")).values(used_bytes=_GROWN))
_DROPPED = (
    select(contents.c.id)
    .select_from(accounts.join(contents, contents.c.account == accounts.c.id))
    .where(_TAG == _DROPPED_TAG)
)
_DROPPED_FEW = Prepared(_DROPPED.limit(_MOST_CHUNKS))
_CHUNKS = Prepared(
    select(blobs.c.content, blobs.c.kind, blobs.c.n, func.length(blobs.c.data).label("size"))
    .where(blobs.c.content == bindparam("row"))
    .order_by(blobs.c.kind, blobs.c.n)
    .limit(_MOST_CHUNKS)
)
_DELETE_CHUNK = Prepared(
    delete(blobs).where(
        blobs.c.content == bindparam("row"), blobs.c.kind == bindparam("of_kind"), blobs.c.n == bindparam("number")
    )
)
_DELETE = Prepared(delete(contents).where(contents.c.id == bindparam("row")))


def size_class(size: int) -> int:
    """`size` rounded up so that few bits of it remain (PADME): at most 12 % more, and little told."""
    if size < 2:
        return size
    exponent = size.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (size + mask) & ~mask


class _Key(NamedTuple):
    """What the chunks of one content are sealed with, and bound to."""

    content: ContentId
    uuid: bytes
    key: bytes


def add_content(scope: AccountScope, new: NewContent) -> ContentId:
    """Seal and store; raises OverQuota."""
    _charge(scope, size_class(new.size), beyond_quota=new.beyond_quota)
    key = _begin(scope, size_class(new.size), new.message_id_tag, new.vector_tag)
    chunks = [*_header_chunks(new.header, new.index), *((BODY, *chunk) for chunk in _split(new.body))]
    _add_chunks(scope, key, chunks)
    return key.content


def begin_content(scope: AccountScope, size: int) -> ContentId:
    """A content without its bytes, which come in later transactions; raises OverQuota."""
    _charge(scope, size_class(size), beyond_quota=False)
    return _begin(scope, size_class(size)).content


def add_body(scope: AccountScope, content: ContentId, start: int, data: bytes, *, last: bool) -> None:
    """Whole chunks of the body from the offset `start` on, and perhaps its last octets; raises MessageMissing."""
    first, cut = divmod(start, CHUNK_SIZE)
    assert not cut
    assert last or len(data) % CHUNK_SIZE == 0
    key = _begun(scope, content)
    with large_blobs(scope.connection):
        _add_chunks(scope, key, ((BODY, first + n, last and is_end, piece) for n, is_end, piece in _split(data)))


def finish_content(
    scope: AccountScope, content: ContentId, header: bytes, index: bytes, message_id_tag: bytes, vector_tag: bytes
) -> None:
    """What makes a content of a body: its header, and the tags it is found by; raises MessageMissing."""
    key = _begun(scope, content)
    _add_chunks(scope, key, [*_header_chunks(header, index)])
    _FIND_BY.run(scope.connection, {"row": content, "message_id": message_id_tag or None, "vector": vector_tag or None})


def _begin(scope: AccountScope, size: int, message_id_tag: bytes = b"", vector_tag: bytes = b"") -> _Key:
    entropy = scope.vault.entropy
    uuid, key = entropy(UUID_SIZE), entropy(KEY_SIZE)
    values = {
        "account": scope.account.id,
        "uuid": uuid,
        "scheme": SCHEME,
        "sealed_key": scope.keys.seal(key, CONTENT_KEY, uuid),
        "size_class": size,
        "message_id_tag": message_id_tag or None,
        "vector_tag": vector_tag or None,
    }
    return _Key(ContentId(_ADD.new_id(scope.connection, values)), uuid, key)


def _begun(scope: AccountScope, content: ContentId) -> _Key:
    row = _KEY.first(scope.connection, {"row": content, "owner": scope.account.id})
    if row is None:
        raise MessageMissing("this mail is not there any more")
    return _Key(content, row.uuid, scope.keys.open(row.sealed_key, CONTENT_KEY, row.uuid))


def _add_chunks(scope: AccountScope, key: _Key, chunks: Iterable[tuple[int, int, bool, bytes]]) -> None:
    """`chunks` are kind, number, whether it is the last, and bytes."""
    entropy, front = scope.vault.entropy, scope.account.uuid + key.uuid
    rows = [
        {
            "content": key.content,
            "kind": kind,
            "n": n,
            "last": last,
            "data": seal(key.key, data, front + PLACE.pack(kind, SCHEME, n, last), entropy),
        }
        for kind, n, last, data in chunks
    ]
    _ADD_CHUNK.run_all(scope.connection, rows)


def delete_unshown(scope: AccountScope, candidates: Collection[int]) -> None:
    """Those of the account's contents that no message shows any more go, with their keys."""
    mine, connection = scope.account.id, scope.connection
    shown = exists().where(messages.c.content == contents.c.id)
    left = AT_ONCE
    for portion in portions(candidates):
        query = select(contents.c.id, contents.c.size_class)
        where = (contents.c.account == mine, contents.c.id.in_(portion), ~shown, IS_KEPT)
        rows = connection.execute(query.where(*where)).all()
        left -= drop(connection, mine, [(row.id, row.size_class) for row in rows], left)


def drop(connection: Connection, account: int, doomed: Collection[tuple[int, int]], at_once: int = AT_ONCE) -> int:
    """Contents go, given with their size classes, `at_once` octets of them now; how many octets these were.

    What they count against the quota is given back now. At most some hundreds of them, shown by no message.
    """
    if not doomed:
        return 0
    now, later, octets = list[int](), list[int](), 0
    for content, size in doomed:
        if octets + size > at_once:
            later.append(content)
        else:
            now.append(content)
            octets += size
    if now:
        connection.execute(delete(contents).where(contents.c.id.in_(now)))
    if later:
        unkept = {"sealed_key": _NO_KEY, "size_class": 0, "message_id_tag": _DROPPED_TAG, "vector_tag": None}
        connection.execute(update(contents).where(contents.c.id.in_(later)).values(unkept))
        copied = submissions.c.sent_content.in_(later)
        connection.execute(update(submissions).where(copied).values(sent_content=None))
        owe_dropped(connection)
    freed = sum(size for _, size in doomed)
    used = accounts.c.used_bytes
    connection.execute(update(accounts).where(accounts.c.id == account).values(used_bytes=used - freed))
    return octets


def owe_dropped(connection: Connection) -> None:
    """There may be chunks of dropped contents."""
    connection.info[_OWES] = True


def owes_dropped(connection: Connection) -> bool:
    """Whether there may be some; asked once."""
    return bool(connection.info.pop(_OWES, False))


def remove_dropped(connection: Connection) -> bool:
    """A portion of the chunks of dropped contents goes; whether that was all there is."""
    dropped = [row.id for row in _DROPPED_FEW.all(connection)]
    left = AT_ONCE
    for content in dropped:
        chunks = _CHUNKS.all(connection, {"row": content})
        fit = list[dict[str, int]]()
        for chunk in chunks:
            if left <= 0:
                break
            left -= chunk.size
            fit.append({"row": content, "of_kind": chunk.kind, "number": chunk.n})
        if fit:
            _DELETE_CHUNK.run_all(connection, fit)
        if len(fit) < len(chunks) or len(chunks) == _MOST_CHUNKS:
            return False
        _DELETE.run(connection, {"row": content})
    return len(dropped) < _MOST_CHUNKS


def _charge(scope: AccountScope, size: int, *, beyond_quota: bool) -> None:
    charge = _CHARGE_ANYWAY if beyond_quota else _CHARGE
    if charge.run(scope.connection, {"row": scope.account.id, "size": size}) != 1:
        raise OverQuota(f"no room for another {size} bytes: the quota is {scope.account.quota_bytes}")


def _header_chunks(header: bytes, index: bytes) -> Iterator[tuple[int, int, bool, bytes]]:
    return ((HEADER, *chunk) for chunk in _split(_HEADER_SIZE.pack(len(header)) + header + index))


def _split(blob: bytes) -> Iterator[tuple[int, bool, bytes]]:
    starts = range(0, max(len(blob), 1), CHUNK_SIZE)
    for n, start in enumerate(starts):
        yield n, n == len(starts) - 1, blob[start : start + CHUNK_SIZE]


def split_header(blob: bytes) -> tuple[bytes, bytes]:
    """A blob of kind HEADER: the header and its index."""
    end = _HEADER_SIZE.size + int.from_bytes(blob[: _HEADER_SIZE.size])
    return blob[_HEADER_SIZE.size : end], blob[end:]
