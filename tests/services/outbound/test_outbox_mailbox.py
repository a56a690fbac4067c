"""The Outbox: the live queue as a mailbox, and what its owner does there (M6)."""

import pytest
from fakes import FakeClock
from stations import Station, User
from strangers import DAY, Stranger, send

from bmgate.domain.mailbox import FlagChange, Flags, MailboxKind, MailboxSnapshot, MessageRow
from bmgate.domain.outbox import OutgoingMessage, Priority, State
from bmgate.errors import MailboxExists, NotAllowed
from bmgate.mail.headers import decode_header
from bmgate.mail.structure import index_message

RAW = b"From: <%b>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <m1@here>\r\nX-Mine: 1\r\n\r\na text\r\n"


async def opened(user: User) -> MailboxSnapshot:
    return await user.station.services.mailboxes.open(user.id, "Outbox")


async def shown(user: User) -> list[MessageRow]:
    return (await opened(user)).rows


async def read(user: User, uid: int, name: str = "Outbox") -> bytes:
    mailboxes = user.station.services.mailboxes
    box = (await mailboxes.open(user.id, name)).mailbox
    (found,) = await mailboxes.messages(user.id, box.id, [uid])
    return found.header + found.body


def value(raw: bytes, name: str) -> str:
    found = index_message(raw).value(raw, name)
    return "" if found is None else decode_header(found)


async def the_row(user: User) -> OutgoingMessage:
    (row,) = await user.rows()
    return row


async def delete(user: User, uids: list[int]) -> list[int]:
    mailboxes, box = user.station.services.mailboxes, (await opened(user)).mailbox
    await mailboxes.set_flags(user.id, box.id, uids, FlagChange.ADD, Flags.DELETED, ())
    gone = await mailboxes.expunge(user.id, box.id, None)
    await user.station.settle()
    return gone


async def waiting_mail(station: Station) -> tuple[User, Stranger]:
    """A mail that is worked for."""
    alice, stranger = await station.add_user("alice"), await Stranger(station).known()
    station.solver.held = True
    await send(alice, stranger, raw=RAW % alice.mail_address.encode())
    return alice, stranger


async def test_a_mail_that_waits_is_shown_as_it_will_travel(station: Station) -> None:
    alice, stranger = await waiting_mail(station)
    (message,) = await shown(alice)
    assert message.keywords == ("bm-pow",)
    raw = await read(alice, message.uid)
    row = await the_row(alice)
    assert value(raw, "subject") == "Grüße"
    assert value(raw, "from") == alice.mail_address
    assert value(raw, "to") == f"{stranger.pubkey.address}@bm.internal"
    assert value(raw, "message-id") == f"<{row.name}.1@bm.internal>"
    assert value(raw, "in-reply-to") == "<m1@here>"
    assert value(raw, "x-bitmessage-queue-id") == row.name
    assert value(raw, "x-bitmessage-status") == "computing proof of work"
    assert "trials, about" in value(raw, "x-bitmessage-work")
    assert raw.endswith(b"\r\n\r\na text\r\n")
    assert b"X-Mine" not in raw


async def test_a_change_of_state_expunges_one_message_and_adds_another(station: Station) -> None:
    alice, _ = await waiting_mail(station)
    snapshot = await opened(alice)
    (before,) = snapshot.rows
    station.solver.release()  # the ack: still proof of work
    await station.settle()
    station.solver.release()
    await station.settle()
    assert (await the_row(alice)).state is State.PUBLISHED
    changes = await station.services.mailboxes.changes(alice.id, snapshot.mailbox.id, snapshot.mailbox.modseq)
    assert changes.expunged == [before.uid]
    (after,) = changes.updated
    assert after.uid > before.uid
    assert after.keywords == ("bm-sent",)
    raw = await read(alice, after.uid)
    assert value(raw, "message-id").endswith(".2@bm.internal>")
    assert "attempt 1, not yet acknowledged, next attempt" in value(raw, "x-bitmessage-status")


async def test_nothing_is_written_for_what_nobody_looks_at(station: Station) -> None:
    alice, _ = await waiting_mail(station)
    box = await station.database.read(lambda store: store.account(alice.id).mailboxes.by_kind(MailboxKind.OUTBOX))
    assert box.uidnext == 1
    assert (await station.services.mailboxes.status(alice.id, "Outbox")).messages == 1


async def test_whoever_has_it_open_is_told_of_new_mail(station: Station) -> None:
    alice, stranger = await waiting_mail(station)
    box = (await opened(alice)).mailbox
    told: list[int] = []
    station.services.mailboxes.watch(box.id, lambda: told.append(1))
    await send(alice, stranger, body="another")
    assert told
    changes = await station.services.mailboxes.changes(alice.id, box.id, box.modseq)
    assert len(changes.updated) == 1


async def test_the_bytes_of_a_uid_stay(station: Station, clock: FakeClock) -> None:
    alice = await station.add_user("alice")
    await send(alice, Stranger(station))
    (message,) = await shown(alice)
    first = await read(alice, message.uid)
    clock.advance(3600)
    await station.settle()
    assert await shown(alice) == [message]
    assert await read(alice, message.uid) == first
    assert message.keywords == ("bm-needkey",)
    assert "asked 1" in value(first, "x-bitmessage-status") or "asked " in value(first, "x-bitmessage-status")


async def test_progress_changes_keywords_in_place(station: Station) -> None:
    alice, _ = await waiting_mail(station)
    (before,) = await shown(alice)
    station.solver.reports[0](int(station.solver.queue[0].expected_trials * 20))
    await station.settle()
    (after,) = await shown(alice)
    assert after.uid == before.uid
    assert after.keywords[0] == "bm-pow"
    assert len(after.keywords) == 2
    assert after.keywords[1].startswith("bm-pow")


async def test_expunging_cancels(station: Station) -> None:
    alice, _ = await waiting_mail(station)
    (message,) = await shown(alice)
    assert await delete(alice, [message.uid]) == [message.uid]
    assert (await the_row(alice)).state is State.CANCELLED
    assert station.solver.waiting == [], "the work stops"
    assert await shown(alice) == []
    assert await alice.keywords() == [("bm-cancelled",)]
    assert await alice.messages() == [], "the user did it"


async def test_moving_to_trash_cancels_and_keeps_a_copy(station: Station) -> None:
    alice, _ = await waiting_mail(station)
    snapshot = await opened(alice)
    uid = snapshot.rows[0].uid
    transfer = await station.services.mailboxes.move(alice.id, snapshot.mailbox.id, [uid], "Deleted Items")
    assert transfer.source_uids == [uid]
    assert (await the_row(alice)).state is State.CANCELLED
    assert await shown(alice) == []
    assert "computing" in value(await read(alice, transfer.target_uids[0], "Trash"), "x-bitmessage-status")


@pytest.mark.parametrize("moved", [True, False])
async def test_moving_or_copying_to_drafts_gives_the_mail_back(station: Station, moved: bool) -> None:
    alice, stranger = await waiting_mail(station)
    snapshot, mailboxes = await opened(alice), station.services.mailboxes
    uid = snapshot.rows[0].uid
    carry = mailboxes.move if moved else mailboxes.copy
    transfer = await carry(alice.id, snapshot.mailbox.id, [uid], "Drafts")
    assert (await the_row(alice)).state is State.CANCELLED
    assert await shown(alice) == []
    raw = await read(alice, transfer.target_uids[0], "Drafts")
    assert value(raw, "x-bitmessage-ttl") == "345600s"
    assert value(raw, "to") == f"{stranger.pubkey.address}@bm.internal"
    assert (value(raw, "subject"), value(raw, "x-mine"), value(raw, "message-id")) == ("Grüße", "1", "")
    assert value(raw, "x-bitmessage-status") == ""
    assert raw.endswith(b"\r\n\r\na text\r\n")
    station.solver.held = False
    await alice.send(stranger.as_user(alice), raw=raw)
    await station.settle()
    assert [row.state for row in await alice.rows()] == [State.CANCELLED, State.PUBLISHED], "the draft can be sent"


async def test_deleting_what_is_published_ends_its_attempts_and_an_ack_still_counts(
    station: Station, clock: FakeClock
) -> None:
    alice = await station.add_user("alice")
    await send(alice, await Stranger(station).known())
    (message,) = await shown(alice)
    assert await delete(alice, [message.uid]) == [message.uid]
    row = await the_row(alice)
    assert (row.state, row.no_retry) == (State.PUBLISHED, True)
    assert await shown(alice) == [], "it stays away"
    clock.advance(5 * DAY)
    await station.settle()
    assert (await the_row(alice)).state is State.FAILED
    assert await alice.keywords() == [("bm-failed",)]


async def test_a_deletion_that_comes_too_late_leaves_the_row_with_a_new_uid(station: Station) -> None:
    alice, _ = await waiting_mail(station)
    snapshot = await opened(alice)
    (seen,) = snapshot.rows
    for _ in range(2):
        station.solver.release()
        await station.settle()
    box, mailboxes = snapshot.mailbox.id, station.services.mailboxes
    await mailboxes.set_flags(alice.id, box, [seen.uid], FlagChange.ADD, Flags.DELETED, ())
    assert await mailboxes.expunge(alice.id, box, [seen.uid]) == []
    row = await the_row(alice)
    assert (row.state, row.no_retry) == (State.PUBLISHED, False)
    (again,) = await shown(alice)
    assert again.uid > seen.uid


async def test_a_row_put_away_comes_back_when_it_is_sent_again(station: Station) -> None:
    alice = await station.add_user("alice")
    await send(alice, await Stranger(station).known())
    await delete(alice, [message.uid for message in await shown(alice)])
    await station.services.queue.retry(alice.id, (await the_row(alice)).name)
    await station.settle()
    (message,) = await shown(alice)
    assert message.keywords == ("bm-sent",)


async def test_a_flag_is_priority(station: Station) -> None:
    alice, _ = await waiting_mail(station)
    snapshot, mailboxes = await opened(alice), station.services.mailboxes
    uids, box = [snapshot.rows[0].uid], snapshot.mailbox.id
    station.clock.advance(60)
    await mailboxes.set_flags(alice.id, box, uids, FlagChange.ADD, Flags.FLAGGED | Flags.SEEN, ())
    row = await the_row(alice)
    assert (row.priority, row.updated_at) == (Priority.HIGH, station.clock.now())
    assert station.solver.queue[0].rank == 1, "its work moves"
    await mailboxes.set_flags(alice.id, box, uids, FlagChange.REPLACE, Flags.SEEN, ())
    assert (await the_row(alice)).priority is Priority.NORMAL
    await station.services.queue.prioritise(alice.id, (await the_row(alice)).name, Priority.HIGH)
    (message,) = await shown(alice)
    assert message.flags & Flags.FLAGGED
    assert message.uid == uids[0]


@pytest.mark.parametrize("name", ["Outbox", "Sent"])
@pytest.mark.parametrize("change", list(FlagChange))
async def test_status_keywords_are_not_the_clients_to_change(station: Station, name: str, change: FlagChange) -> None:
    alice, _ = await waiting_mail(station)
    mailboxes = station.services.mailboxes
    snapshot = await mailboxes.open(alice.id, name)
    (before,) = snapshot.rows
    words = [*before.keywords, "bm-acked", "Mine"]
    (told,) = await mailboxes.set_flags(alice.id, snapshot.mailbox.id, [before.uid], change, Flags.SEEN, words)
    (after,) = (await mailboxes.open(alice.id, name)).rows
    assert told == after
    assert {word for word in after.keywords if word.startswith("bm-")} == set(before.keywords)
    assert ("Mine" in after.keywords) is (change is not FlagChange.REMOVE)


async def test_nothing_is_put_into_the_outbox(station: Station) -> None:
    alice, _ = await waiting_mail(station)
    mailboxes = station.services.mailboxes
    sent = await mailboxes.open(alice.id, "Sent")
    uids = [sent.rows[0].uid]
    with pytest.raises(NotAllowed):
        await mailboxes.append(alice.id, "Outbox", b"Subject: s\r\n\r\nbody\r\n", Flags.NONE, (), None)
    with pytest.raises(NotAllowed):
        await mailboxes.copy(alice.id, sent.mailbox.id, uids, "Outbox")
    with pytest.raises(NotAllowed):
        await mailboxes.move(alice.id, sent.mailbox.id, uids, "Outbox")
    with pytest.raises(MailboxExists):
        await mailboxes.create(alice.id, "Outbox")
    with pytest.raises(NotAllowed):
        await mailboxes.delete(alice.id, "Outbox")


async def test_out_of_the_outbox_only_to_trash_and_drafts_and_copies_anywhere(station: Station) -> None:
    alice, _ = await waiting_mail(station)
    snapshot, mailboxes = await opened(alice), station.services.mailboxes
    uids = [snapshot.rows[0].uid]
    with pytest.raises(NotAllowed):
        await mailboxes.move(alice.id, snapshot.mailbox.id, uids, "Archive")
    await mailboxes.copy(alice.id, snapshot.mailbox.id, uids, "Archive")
    assert (await the_row(alice)).state is State.ACK_POW
    (copy,) = (await mailboxes.open(alice.id, "Archive")).rows
    assert "computing" in value(await read(alice, copy.uid, "Archive"), "x-bitmessage-status")


async def test_an_account_from_before_gets_its_outbox(station: Station) -> None:
    alice = await station.add_user("alice")

    def take_away(store):  # type: ignore[no-untyped-def]
        mailboxes = store.account(alice.id).mailboxes
        mailboxes.delete(mailboxes.by_kind(MailboxKind.OUTBOX).id)
        mailboxes.create("Outbox", MailboxKind.USER, 1)

    await station.database.transact(take_away)
    await station.services.outbox.prepare_accounts()
    names = {box.name: box.kind for box in await station.services.mailboxes.all(alice.id)}
    assert names["Outbox"] is MailboxKind.OUTBOX
    assert names["Outbox 2"] is MailboxKind.USER


async def test_more_rows_than_one_transaction_makes(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), Stranger(station)
    for number in range(60):
        await alice.send(stranger.as_user(alice), body=number)
    await station.settle()
    assert len(await shown(alice)) == 60
