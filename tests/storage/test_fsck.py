"""A sound database has no problems, and each broken promise is found."""

from functools import partial

import pytest
from sqlalchemy import text
from storage_pictures import fill

from bmgate.domain.account import Account
from bmgate.domain.ports.database import Store
from bmgate.storage.database import SealedDatabase
from bmgate.storage.fsck import check
from bmgate.storage.store import SealedStore

BREACHES = [
    ("O1", "UPDATE outbox SET state = 'NOWHERE'"),
    ("O1", "UPDATE outbox SET n = 2"),
    ("O1", "UPDATE submission SET queue_id = 'OTHER1'"),
    ("O2", "UPDATE outbox SET state = 'BUILT', expires_time = 1"),
    ("O2", "UPDATE outbox SET state = 'PUBLISHED'"),
    ("O4", "UPDATE outbox SET state = 'FAILED'"),
    ("O9", "UPDATE submission SET sealed_text = NULL"),
    ("U1", "UPDATE mailbox SET uidnext = 1"),
    ("U1", "INSERT INTO expunged (mailbox, uid, modseq) SELECT mailbox, uid, modseq FROM message"),
    ("U1", "UPDATE message SET uid = 0"),
    ("U1", "INSERT INTO expunged (mailbox, uid, modseq) SELECT mailbox, uid + 100, modseq FROM message"),
    ("U2", "UPDATE mailbox SET recent_uid = uidnext + 1"),
    ("U3", "UPDATE account SET last_uidvalidity = 0"),
    ("U3", "UPDATE mailbox SET uidvalidity = 0"),
    ("U4", "UPDATE content SET size_class = size_class + 1"),
    ("U3", "UPDATE mailbox SET uidvalidity = 1"),
    ("U4", "DELETE FROM message"),
    ("U4", "DELETE FROM content_blob WHERE kind = 1"),
    ("U4", "DELETE FROM content_blob"),
    ("U4", "UPDATE content SET uuid = (SELECT uuid FROM account)"),
    ("U5", "UPDATE mailbox SET modseq = 0"),
    ("U5", "UPDATE mailbox SET purged_modseq = modseq + 1"),
    ("U5", "INSERT INTO expunged SELECT mailbox, 0, modseq FROM message; UPDATE mailbox SET purged_modseq = modseq"),
    ("U5", "INSERT INTO expunged (mailbox, uid, modseq) SELECT mailbox, 0, modseq + 100 FROM message"),
    ("U5", "UPDATE message SET modseq = 0"),
    ("U5", "UPDATE message SET modseq = modseq + 100"),
    ("U7", "UPDATE message SET flags = 32"),
    ("quota", "UPDATE account SET used_bytes = used_bytes + 1"),
    ("keys", "UPDATE identity SET signing_key = encryption_key"),
    ("keys", "UPDATE identity SET sealed_encryption_key = sealed_signing_key"),
    ("keys", "UPDATE mailbox SET sealed_name = (SELECT sealed_label FROM identity) WHERE kind = 'user'"),
]


class Undone(Exception):
    """Ends a unit of work that has broken something."""


async def test_a_sound_database_has_no_problems_and_each_broken_promise_is_found(
    database: SealedDatabase, alice: Account
) -> None:
    await database.transact(lambda store: fill(store, alice))
    assert await database.read(check) == []
    for rule, statement in BREACHES:
        with pytest.raises(Undone) as undone:
            await database.transact(partial(break_and_check, statement=statement))
        assert rule in undone.value.args, statement


def break_and_check(store: Store, statement: str) -> None:
    """Raises what was found, so that the next statement finds a sound database."""
    assert isinstance(store, SealedStore)
    for step in statement.split("; "):
        assert store.scope.connection.execute(text(step)).rowcount > 0
    raise Undone(*(problem.rule for problem in check(store)))


REMARKS = [
    "DELETE FROM message",
    "DELETE FROM message; DELETE FROM content_blob",
    "DELETE FROM message; DELETE FROM content_blob WHERE kind = 0",
]


async def test_what_goes_at_the_next_start_is_remarked_upon_and_is_no_damage(
    database: SealedDatabase, alice: Account
) -> None:
    await database.transact(lambda store: fill(store, alice))
    for statement in REMARKS:
        with pytest.raises(Undone) as undone:
            await database.transact(partial(break_and_look, statement=statement))
        assert set(undone.value.args) == {True}, statement


def break_and_look(store: Store, statement: str) -> None:
    """Raises whether what was found are remarks."""
    assert isinstance(store, SealedStore)
    for step in statement.split("; "):
        assert store.scope.connection.execute(text(step)).rowcount > 0
    raise Undone(*(problem.is_remark for problem in check(store)))
