"""What one account's repositories reach, and what a thief of the files reads."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from storage_fixtures import (
    MASTER_KEY,
    NOW,
    Units,
    add_account,
    make_database,
    make_passwords,
    make_vault,
    new_content,
    new_identity,
)
from storage_pictures import fill, picture

from bmgate.bm.plaintext import Pubkey
from bmgate.domain.account import Account, Level
from bmgate.domain.contact import Contact
from bmgate.domain.mailbox import FlagChange, Flags, MailboxId, MailboxKind, NewContent
from bmgate.domain.outbox import NewOutgoing, NewSubmission, OutboxId, Priority, ReturnContent, State, SubmissionId
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Store
from bmgate.errors import GatewayError, Missing
from bmgate.storage.database import SealedDatabase
from bmgate.storage.fsck import check
from bmgate.storage.passwords import PasswordSlots
from bmgate.storage.store import SealedStore

Attempt = Callable[[AccountStore, MailboxId, int], object]

ATTEMPTS: dict[str, Attempt] = {
    "mailbox get": lambda mine, mailbox, uid: mine.mailboxes.get(mailbox),
    "mailbox delete": lambda mine, mailbox, uid: mine.mailboxes.delete(mailbox),
    "mailbox rename": lambda mine, mailbox, uid: mine.mailboxes.rename(mailbox, "Stolen"),
    "mailbox subscribe": lambda mine, mailbox, uid: mine.mailboxes.set_subscribed(mailbox, False),
    "mailbox status": lambda mine, mailbox, uid: mine.mailboxes.status(mailbox),
    "rows": lambda mine, mailbox, uid: mine.messages.rows(mailbox),
    "changes": lambda mine, mailbox, uid: mine.messages.changes(mailbox, 0),
    "heads": lambda mine, mailbox, uid: mine.messages.heads(mailbox, [uid]),
    "messages": lambda mine, mailbox, uid: mine.messages.messages(mailbox, [uid]),
    "flags": lambda mine, mailbox, uid: mine.messages.set_flags(mailbox, [uid], FlagChange.ADD, Flags.SEEN, []),
    "expunge": lambda mine, mailbox, uid: mine.messages.expunge(mailbox, [uid]),
    "copy from": lambda mine, mailbox, uid: mine.messages.copy(
        mailbox, [uid], mine.mailboxes.by_kind(MailboxKind.INBOX).id
    ),
    "copy to": lambda mine, mailbox, uid: mine.messages.copy(
        mine.mailboxes.by_kind(MailboxKind.INBOX).id, [uid], mailbox
    ),
    "append": lambda mine, mailbox, uid: mine.messages.append(
        mailbox, mine.messages.add_content(new_content()), Flags.NONE, (), NOW
    ),
}


async def test_no_method_reaches_another_account_s_mailbox(
    database: SealedDatabase, alice: Account, bob: Account
) -> None:
    def prepare(store: Store) -> tuple[MailboxId, list[object]]:
        fill(store, alice)
        mailbox = store.account(alice.id).mailboxes.by_kind(MailboxKind.INBOX).id
        return mailbox, picture(store, alice)

    mailbox, before = await database.transact(prepare)

    def attempt(store: Store) -> None:
        for deed in ATTEMPTS.values():
            with pytest.raises(Missing):
                deed(store.account(bob.id), mailbox, 1)

    await database.transact(attempt)
    assert await database.read(lambda store: picture(store, alice)) == before


async def test_nothing_of_another_account_is_found_by_its_id_or_name(
    database: SealedDatabase, alice: Account, bob: Account
) -> None:
    def look(store: Store) -> None:
        fill(store, alice)
        hers, his = store.account(alice.id), store.account(bob.id)
        (row,) = hers.outbox.rows()
        assert his.outbox.rows() == his.outbox.rows_of(row.submission) == his.outbox.find("ALICE") == []
        assert his.outbox.find_repeat(b"repeat", 0) is None
        assert his.outbox.unfinished() == []
        assert his.outbox.unfinished_count() == 0
        (identity,) = hers.identities.all()
        content = store.outbox.submission(SubmissionId(row.submission)).sent_content
        assert content is not None
        assert his.messages.by_content(content) is None
        assert his.messages.status_keywords(content, [], ["bm-sent"]) == []
        his.outbox.replace_sent_content("<id@x>", content)
        inbox = his.mailboxes.by_kind(MailboxKind.INBOX).id
        for attempt in (
            lambda: his.outbox.history(OutboxId(row.id)),
            lambda: his.identities.get(identity.id),
            lambda: his.identities.private_keys(identity.id),
            lambda: his.messages.append(inbox, content, Flags.NONE, (), NOW),
        ):
            with pytest.raises(Missing):
                attempt()
        assert his.identities.aliases() == {}
        assert his.contacts.all() == []
        assert his.contacts.correspondents() == []

    await database.transact(look)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(sorted(ATTEMPTS)), st.integers(1, 20), st.integers(1, 4)), max_size=12))
def test_whatever_bob_does_alice_s_picture_stays(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[tuple[str, int, int]]
) -> None:
    vault = make_vault()
    units = Units(tmp_path_factory.mktemp("isolation") / "bmgate.db", vault)

    def begin(store: Store) -> tuple[Account, Account]:
        accounts = [add_account(store, make_passwords(vault), name) for name in ("alice", "bob")]
        for account in accounts:
            fill(store, account)
        return accounts[0], accounts[1]

    alice, bob = units.run(begin)
    before = units.run(lambda store: picture(store, alice))
    for name, mailbox, uid in deeds:
        with suppress(GatewayError):
            units.run(partial(do_it, who=bob, name=name, mailbox=mailbox, uid=uid))
    assert units.run(lambda store: picture(store, alice)) == before
    assert units.run(check) == []
    units.close()


def do_it(store: Store, who: Account, name: str, mailbox: int, uid: int) -> None:
    ATTEMPTS[name](store.account(who.id), MailboxId(mailbox), uid)


CANARIES = {
    "mail": "canary-of-the-body",
    "subject": "canary-of-the-subject",
    "mailbox": "canary-of-a-mailbox",
    "label": "canary-of-a-label",
    "password": "canary-of-the-password",
    "message id": "<canary-of-an-id@x>",
    "detail": "canary-of-a-detail",
    "envelope id": "canary-of-an-envid",
}


def leave_canaries(store: Store, passwords: PasswordSlots) -> list[bytes]:
    """Use everything there is, and tell what must not be found in any file."""
    keys = passwords.new_account(CANARIES["password"], Level.L0)
    account = store.accounts.add("alice", keys, Level.L0, None, NOW)
    mine = store.account(account.id)
    new, correspondent = new_identity(CANARIES["label"]), new_identity()
    identity = mine.identities.add(new)
    mine.mailboxes.create(CANARIES["mailbox"], MailboxKind.USER, NOW)
    made = mine.mailboxes.create("to be renamed", MailboxKind.USER, NOW)
    mine.mailboxes.rename(made.id, CANARIES["mailbox"] + "/renamed")
    mine.contacts.save(Contact(correspondent.address, CANARIES["label"]))
    mine.contacts.note_correspondent(correspondent.address)
    store.pubkeys.save(Pubkey(4, 1, 1, correspondent.keys.public, 1, 1000), NOW)
    mine.duplicates.remember(b"canary-of-a-content-id", NOW)
    tag = mine.messages.message_id_tag(CANARIES["message id"])
    header = f"Subject: {CANARIES['subject']}\r\n\r\n".encode()
    content = mine.messages.add_content(NewContent(header, header, CANARIES["mail"].encode() * 1000, tag))
    mine.messages.append(mine.mailboxes.by_kind(MailboxKind.SENT).id, content, Flags.SEEN, (), NOW)
    submission = NewSubmission(
        identity.id,
        "7KQ2AB",
        CANARIES["subject"],
        CANARIES["mail"],
        CANARIES["message id"],
        ReturnContent.FULL,
        CANARIES["envelope id"],
        content,
        b"repeat",
        NOW,
    )
    to = NewOutgoing(1, correspondent.address, b"", 1, Priority.NORMAL, (), f"rfc822;{correspondent.address}")
    (row,) = mine.outbox.add(submission, [to])
    store.outbox.save(replace(row, state=State.READY), NOW, CANARIES["detail"])
    address = str(correspondent.address)
    secrets = [mine.secrets.id_key, mine.secrets.dedupe_key, store.accounts.user_key(account.id), MASTER_KEY]
    public = correspondent.keys.public
    return [
        *(canary.encode() for canary in CANARIES.values()),
        *(new.keys.signing, new.keys.encryption, *secrets),
        *(address.encode(), address[3:].encode(), correspondent.address.ripe, public.signing, public.encryption),
        b"canary-of-a-content-id",
    ]


def all_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_no_file_tells_mail_keys_names_or_correspondents(tmp_path: Path) -> None:
    vault = make_vault()
    database = make_database(tmp_path, vault)
    canaries = await database.transact(lambda store: leave_canaries(store, make_passwords(vault)))
    files = all_files(tmp_path)
    assert "bmgate.db-wal" in files
    await database.close()
    files["after close"] = all_files(tmp_path)["bmgate.db"]
    found = [(name, canary) for name, data in files.items() for canary in canaries if canary in data]
    assert found == []


async def test_no_representation_tells_keys(database: SealedDatabase, alice: Account) -> None:
    def look(store: Store) -> str:
        mine = store.account(alice.id)
        assert isinstance(store, SealedStore)
        mine.identities.add(new_identity())
        return repr(
            [mine, store, mine.secrets, store.identities.receiving_keys(), store.accounts.password_slots(alice.id)]
        )

    shown = await database.transact(look)
    secrets = await database.read(lambda store: store.account(alice.id).secrets)
    for secret in (secrets.id_key, secrets.dedupe_key):
        assert repr(secret) not in shown
