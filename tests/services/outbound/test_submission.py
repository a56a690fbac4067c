"""Submission: who may send as whom, what is durable, and what the same mail again means."""

import pytest
from fakes import FakeClock
from stations import MakeStation, Settings, Station, User, mail
from storage_fixtures import new_identity

from bmgate.domain.mailbox import Flags, MailboxKind
from bmgate.domain.outbox import Priority, State
from bmgate.domain.policy import Policy
from bmgate.errors import (
    BadMail,
    ForeignDomain,
    LimitReached,
    NotAllowed,
    OverQuota,
    RecipientMissing,
    StorageBusy,
    UnsupportedMedia,
)
from bmgate.services.outbound.submission import SubmissionOptions


async def two(station: Station) -> tuple[User, User]:
    return await station.add_user("alice"), await station.add_user("bob")


@pytest.mark.parametrize(
    "form", ["{address}", "{address}@bm.internal", "alice", "alice@bm.internal", "ALICE@BM.INTERNAL"]
)
async def test_an_account_sends_as_its_address_and_as_its_name(station: Station, form: str) -> None:
    alice, _ = await two(station)
    await station.services.submissions.check_sender(alice.id, form.format(address=alice.identity.address))


@pytest.mark.parametrize("form", ["{address}@bm.internal", "bob", "bob@bm.internal", "nobody", "a@example.com", ""])
async def test_an_account_sends_as_nobody_else_and_is_told_what_it_has(station: Station, form: str) -> None:
    alice, bob = await two(station)
    with pytest.raises(NotAllowed) as refused:
        await station.services.submissions.check_sender(alice.id, form.format(address=bob.identity.address))
    assert str(alice.identity.address) in str(refused.value)


@pytest.mark.parametrize(
    "fields",
    [
        "From: <{bob}>",
        "From: <{alice}>\r\nSender: <{bob}>",
        "From: bob",
        "From: <{bob}>, <{alice}>",
        "From: x@example.com",
    ],
)
async def test_a_from_field_of_somebody_else_is_refused_and_nothing_is_queued(station: Station, fields: str) -> None:
    alice, bob = await two(station)
    header = fields.format(alice=alice.mail_address, bob=bob.mail_address)
    with pytest.raises(NotAllowed):
        await alice.send(bob, raw=f"{header}\r\nSubject: s\r\n\r\nbody\r\n".encode())
    assert await station.rows() == []
    assert await alice.messages(MailboxKind.SENT) == []


async def test_the_from_field_decides_between_own_addresses(station: Station) -> None:
    alice, bob = await two(station)
    second = User(station, alice.account, await station.add_identity(alice.account, new_identity(is_default=False)))
    await alice.send(bob, raw=mail(second, bob))
    assert [row.identity for row in await alice.rows()] == [second.identity.id]


async def test_a_mail_without_from_is_the_envelopes(station: Station) -> None:
    alice, bob = await two(station)
    await alice.send(bob, raw=b"Subject: s\r\n\r\nbody\r\n")
    assert [row.identity for row in await alice.rows()] == [alice.identity.id]


async def test_recipients_are_resolved_or_refused_with_a_reason(station: Station) -> None:
    alice, bob = await two(station)
    submissions = station.services.submissions
    for form in (bob.mail_address, "bob", "bob@bm.internal", str(bob.identity.address)):
        assert (await submissions.resolve(alice.id, form)).address == bob.identity.address
    with pytest.raises(ForeignDomain):
        await submissions.resolve(alice.id, "bob@example.com")
    with pytest.raises(RecipientMissing):
        await submissions.resolve(alice.id, "bobby@bm.internal")


async def test_each_address_gets_one_row_in_rcpt_order(station: Station) -> None:
    alice, bob = await two(station)
    carol = await station.add_user("carol")
    receipt = await alice.send(carol, bob, carol)
    rows = await alice.rows()
    assert [(row.name, row.recipient) for row in rows] == [
        (f"{receipt.queue_id}-1", carol.identity.address),
        (f"{receipt.queue_id}-2", bob.identity.address),
    ]


async def test_the_sent_copy_holds_the_submitted_bytes_seen(station: Station) -> None:
    alice, bob = await two(station)
    raw = mail(alice, bob, body="exactly this", message_id="<x@y>")
    await alice.send(bob, raw=raw)
    (message,) = await alice.messages(MailboxKind.SENT)
    assert message.header + message.body == raw
    snapshot = await station.services.mailboxes.open(alice.id, "Sent")
    assert snapshot.rows[0].flags == Flags.SEEN


async def test_the_copy_of_the_mail_program_takes_the_place_of_ours_with_its_status(station: Station) -> None:
    alice, bob = await two(station)
    raw = mail(alice, bob, body="once", message_id="<x@y>")
    await alice.send(bob, raw=raw)
    theirs = b"X-Mozilla-Status: 1\r\n" + raw
    await station.services.mailboxes.append(alice.id, "Sent", theirs, Flags.SEEN, (), None)
    again = await station.services.mailboxes.append(alice.id, "Sent", theirs, Flags.SEEN, (), None)
    (message,) = await alice.messages(MailboxKind.SENT)
    assert message.header + message.body == theirs
    assert again.target_uids == [message.uid]
    await station.settle()
    assert await alice.keywords() == [("bm-acked",)]


async def test_the_same_mail_again_is_the_same_submission_for_a_day(station: Station, clock: FakeClock) -> None:
    alice, bob = await two(station)
    raw = mail(alice, bob, message_id="<x@y>")
    first = await alice.send(bob, raw=raw)
    second = await alice.send(bob, raw=raw)
    assert (second.queue_id, second.repeated, first.repeated) == (first.queue_id, True, False)
    assert len(await alice.rows()) == 1
    clock.advance(86_401)
    assert (await alice.send(bob, raw=raw)).queue_id != first.queue_id


async def test_what_differs_is_another_submission(station: Station) -> None:
    alice, bob = await two(station)
    carol = await station.add_user("carol")
    raw = mail(alice, bob, message_id="<x@y>")
    ids = {
        (await alice.send(bob, raw=raw)).queue_id,
        (await alice.send(bob, carol, raw=raw)).queue_id,
        (await alice.send(bob, raw=mail(alice, bob, body="other", message_id="<x@y>"))).queue_id,
        (await alice.send(bob, raw=mail(alice, bob, message_id="<z@y>"))).queue_id,
        (await alice.send(bob)).queue_id,
        (await alice.send(bob)).queue_id,
    }
    assert len(ids) == 6, "and without a Message-ID each mail is its own"


async def test_a_full_queue_takes_no_more(make_station: MakeStation) -> None:
    station = await make_station(Settings(submission=SubmissionOptions(max_queued=2)))
    station.solver.held = True
    alice, bob = await two(station)
    carol = await station.add_user("carol")
    await alice.send(bob, carol)
    with pytest.raises(LimitReached):
        await alice.send(bob)
    assert len(await alice.rows()) == 2


async def test_mail_beyond_the_quota_is_refused_whole(station: Station) -> None:
    alice, bob = await station.add_user("alice", quota_bytes=100), await station.add_user("bob")
    with pytest.raises(OverQuota):
        await alice.send(bob, body="x" * 1000)
    assert await station.rows() == []


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"Subject: \0\r\n\r\nbody", BadMail),
        (b"Content-Type: application/pkcs7-mime\r\n\r\nx", UnsupportedMedia),
        (b"Content-Type: multipart/report; boundary=b\r\n\r\n--b--\r\n", NotAllowed),
        (b"X-Bitmessage-TTL: soon\r\n\r\nbody", BadMail),
    ],
)
async def test_mail_that_cannot_travel_is_refused(station: Station, raw: bytes, error: type[Exception]) -> None:
    alice, bob = await two(station)
    with pytest.raises(error):
        await alice.send(bob, raw=raw)
    assert await station.rows() == []


async def test_wishes_for_ttl_and_priority_are_kept(station: Station) -> None:
    alice, bob = await two(station)
    station.solver.held = True
    await alice.send(bob, raw=b"X-Bitmessage-TTL: 2d\r\nX-Priority: 1\r\nSubject: s\r\n\r\nbody")
    (row,) = await alice.rows()
    assert (row.ttl_seconds, row.priority) == (2 * 86_400, Priority.HIGH)


async def test_without_a_sent_copy_nothing_is_written_there(make_station: MakeStation) -> None:
    station = await make_station(Settings(policy=Policy(sent_copy="client")))
    alice, bob = await two(station)
    await alice.send(bob)
    await station.settle()
    assert await alice.messages(MailboxKind.SENT) == []
    assert [row.state for row in await alice.rows()] == [State.ACKED]


async def test_a_busy_disk_delays_but_ends_nothing(station: Station, clock: FakeClock) -> None:
    alice, bob = await two(station)
    station.solver.held = True
    await alice.send(bob, body="patience")
    await station.settle()
    station.database.failure = StorageBusy("the disk is full")
    station.solver.release()
    clock.advance(60)
    await station.settle()
    with pytest.raises(StorageBusy):
        await alice.send(bob)
    station.database.failure = None
    station.solver.held = False
    for _ in range(5):
        clock.advance(60)
        await station.settle()
    assert not station.died
    assert await bob.bodies() == ["patience"]


async def test_the_250_counts_the_share_of_others_in_the_machine(station: Station, clock: FakeClock) -> None:
    alice, bob = await two(station)
    carol = await station.add_user("carol")
    station.solver.held = True
    alone = (await alice.send(carol)).seconds
    await station.settle()
    clock.advance(2)
    assert (await bob.send(carol)).seconds == pytest.approx(2 * alone, rel=0.4)
