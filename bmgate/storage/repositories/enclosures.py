"""Enclosures of submissions as bytes: one sealed value beside the text, and gone with it."""

from typing import Any

import msgpack
from sqlalchemy import bindparam, insert, select

from bmgate.bm.encodings import File
from bmgate.domain.enclosures import Enclosures
from bmgate.domain.outbox import SubmissionId
from bmgate.mail.outgoing import Attached
from bmgate.storage.repositories.scope import AccountScope
from bmgate.storage.schema import enclosure
from bmgate.storage.schema import submission as submissions
from bmgate.storage.statements import Prepared

_ADD = Prepared(insert(enclosure))
_ONE = Prepared(
    select(enclosure.c.sealed, submissions.c.queue_id)
    .join(submissions, submissions.c.id == enclosure.c.submission)
    .where(enclosure.c.submission == bindparam("submission"), submissions.c.account == bindparam("account"))
)


def add_enclosures(scope: AccountScope, submission: SubmissionId, queue_id: str, new: Enclosures) -> None:
    """Seal and store what there is."""
    if not new.is_empty:
        sealed = scope.keys.seal(_packed(new), b"enclosures", queue_id.encode())
        _ADD.run(scope.connection, {"submission": submission, "sealed": sealed})


def read_enclosures(scope: AccountScope, submission: SubmissionId) -> Enclosures:
    """Empty when there are none; raises AccountLocked."""
    row = _ONE.first(scope.connection, {"submission": submission, "account": scope.account.id})
    if row is None:
        return Enclosures()
    return _unpacked(scope.keys.open(row.sealed, b"enclosures", row.queue_id.encode()))


def _packed(new: Enclosures) -> bytes:
    files = [
        (each.file.name, each.file.data, each.file.media_type, each.file.disposition, each.is_logo)
        for each in new.files
    ]
    value = (
        files,
        new.left_out,
        new.answered,
        list(new.parents.items()),
        list(new.disclosed.items()),
        list(new.relayed.items()),
    )
    packed: bytes = msgpack.packb(value, unicode_errors="surrogatepass")
    return packed


def _unpacked(packed: bytes) -> Enclosures:
    value: Any = msgpack.unpackb(packed, unicode_errors="surrogatepass")
    files, left_out, answered, parents, disclosed, *later = value
    return Enclosures(
        files=tuple(Attached(File(name, data, media, shown), is_logo) for name, data, media, shown, is_logo in files),
        left_out=tuple(left_out),
        answered=tuple(answered),
        parents={n: tuple(vectors) for n, vectors in parents},
        disclosed={name: tuple(listed) for name, listed in disclosed},
        relayed=dict(later[0]) if later else {},
    )
