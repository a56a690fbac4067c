"""Contents: mail as it is stored, once, however many mailboxes show it.

Each content has its own random key, sealed for its account, and two blobs under it in chunks: the header with its
index, and the body. A chunk is bound to account, content, kind, scheme, number and whether it is the last, so that none
can be moved, reordered or cut off unnoticed.
"""

import struct
from collections.abc import Collection, Iterator

from sqlalchemy import bindparam, delete, exists, insert, or_, select, update

from bmgate.domain.mailbox import ContentId, NewContent
from bmgate.errors import OverQuota
from bmgate.storage.repositories.scope import AccountScope, portions
from bmgate.storage.schema import account as accounts
from bmgate.storage.schema import content as contents
from bmgate.storage.schema import content_blob as blobs
from bmgate.storage.schema import message as messages
from bmgate.storage.sealing import KEY_SIZE, seal
from bmgate.storage.statements import Prepared

SCHEME = 1
HEADER, BODY = 0, 1
CHUNK_SIZE = 262_144  # bytes of plaintext
UUID_SIZE = 16

CONTENT_KEY = b"content key"
PLACE = struct.Struct(">BBIB")  # kind, scheme, number, last
_HEADER_SIZE = struct.Struct(">I")

_ADD = Prepared(insert(contents).returning(contents.c.id))
_ADD_CHUNK = Prepared(insert(blobs))
_GROWN = accounts.c.used_bytes + bindparam("size")
_CHARGE = Prepared(
    update(accounts)
    .where(accounts.c.id == bindparam("row"), or_(accounts.c.quota_bytes.is_(None), accounts.c.quota_bytes >= _GROWN))
    .values(used_bytes=_GROWN)
)
_CHARGE_ANYWAY = Prepared(update(accounts).where(accounts.c.id == bindparam("row")).values(used_bytes=_GROWN))


def size_class(size: int) -> int:
    """`size` rounded up so that few bits of it remain (PADME): at most 12 % more, and little told."""
    if size < 2:
        return size
    exponent = size.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (size + mask) & ~mask


def add_content(scope: AccountScope, new: NewContent) -> ContentId:
    """Seal and store; raises OverQuota."""
    _charge(scope, size_class(new.size), beyond_quota=new.beyond_quota)
    entropy = scope.vault.entropy
    uuid, key = entropy(UUID_SIZE), entropy(KEY_SIZE)
    values = {
        "account": scope.account.id,
        "uuid": uuid,
        "scheme": SCHEME,
        "sealed_key": scope.keys.seal(key, CONTENT_KEY, uuid),
        "size_class": size_class(new.size),
        "message_id_tag": new.message_id_tag or None,
        "vector_tag": new.vector_tag or None,
    }
    content = ContentId(_ADD.new_id(scope.connection, values))
    front = scope.account.uuid + uuid
    header = _HEADER_SIZE.pack(len(new.header)) + new.header + new.index
    rows = [
        {
            "content": content,
            "kind": kind,
            "n": n,
            "last": last,
            "data": seal(key, data, front + PLACE.pack(kind, SCHEME, n, last), entropy),
        }
        for kind, blob in ((HEADER, header), (BODY, new.body))
        for n, last, data in _split(blob)
    ]
    _ADD_CHUNK.run_all(scope.connection, rows)
    return content


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


def _charge(scope: AccountScope, size: int, *, beyond_quota: bool) -> None:
    charge = _CHARGE_ANYWAY if beyond_quota else _CHARGE
    if charge.run(scope.connection, {"row": scope.account.id, "size": size}) != 1:
        raise OverQuota(f"no room for another {size} bytes: the quota is {scope.account.quota_bytes}")


def _split(blob: bytes) -> Iterator[tuple[int, bool, bytes]]:
    starts = range(0, max(len(blob), 1), CHUNK_SIZE)
    for n, start in enumerate(starts):
        yield n, n == len(starts) - 1, blob[start : start + CHUNK_SIZE]


def split_header(blob: bytes) -> tuple[bytes, bytes]:
    """A blob of kind HEADER: the header and its index."""
    end = _HEADER_SIZE.size + int.from_bytes(blob[: _HEADER_SIZE.size])
    return blob[_HEADER_SIZE.size : end], blob[end:]
