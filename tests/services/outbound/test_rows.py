"""Posts to chans and broadcasts, from the submission to those who read them (M11, O16)."""

from dataclasses import replace

import pytest
from fakes import Failpoints
from posters import BROADCAST, join, mails, set_option, spec_of, subjects, submit, subscribe, to, written
from stations import DOMAIN, MakeStation, Settings, Station, User, Wire
from storage_fixtures import new_identity

from bmgate.bm.addresses import parse_address
from bmgate.bm.crypto import decrypt
from bmgate.bm.keys import deterministic_keys
from bmgate.bm.objects import ObjectType, read_object
from bmgate.bm.plaintext import read_msg
from bmgate.control.values import row_value
from bmgate.domain.identity import NewIdentity
from bmgate.domain.mailbox import Flags, MailboxKind
from bmgate.domain.outbox import Kind, Reason, State
from bmgate.domain.policy import Attachments, Policy
from bmgate.domain.ports.database import Store
from bmgate.errors import NotAllowed, NotOwner, RecipientMissing, UnsupportedMedia
from bmgate.services.chans.options import ChanOptions
from bmgate.services.objects.pricing import broadcast_size, msg_size
from bmgate.services.outbound.submission import Envelope, Recipient

GENERAL = parse_address("BM-2cW67GEKkHGonXKZLCzouLLxnLym3azS8r")
GENERAL_KEYS = next(deterministic_keys(b"general"))
WITH_FILE = (
    "From: <{spec}>\r\nSubject: s\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    "--b\r\nContent-Type: text/plain\r\n\r\ntext\r\n--b\r\nContent-Type: {media}\r\n"
    'Content-Disposition: attachment; filename="{name}"\r\n\r\nabc\r\n--b--\r\n'
)


async def two_members(make_station: MakeStation) -> tuple[User, User, Wire]:
    here, there = await make_station(), await make_station()
    alice, carol = await here.add_user("alice"), await there.add_user("carol")
    for each in (alice, carol):
        await join(each)
    return alice, carol, Wire(here, there)


# --- chans ---


async def test_a_post_is_signed_by_the_chan_and_comes_back_seen_once(make_station: MakeStation) -> None:
    alice, carol, wire = await two_members(make_station)
    bob = await alice.station.add_user("bob")
    await join(bob)
    await submit(alice, to(GENERAL), raw=written(alice.mail_address, "Message-ID: <p@x>", subject="to all"))
    await wire.carry()
    for member, flags in ((alice, Flags.SEEN), (bob, Flags.NONE), (carol, Flags.NONE)):
        ((mail, found),) = await mails(member, "Chans/general")
        assert (mail["Subject"], found) == ("to all", flags)
        assert spec_of(GENERAL) in str(mail["From"])
        assert mail["X-Bitmessage-Key"] == f"chan {GENERAL}"
    (row,) = await alice.rows()
    assert (row.kind, row.state, row.ack_data, row.attempt) == (Kind.CHAN, State.NO_ACK_EXPECTED, b"", 1)
    assert await alice.keywords() == [("bm-noack",)]
    (notice,) = await alice.bodies()
    assert "Chans and broadcasts are not set up to confirm" in notice.replace("=\r\n", "")
    assert "Action: relayed" in notice
    assert not [each for each in wire.carried if read_object(each).object_type == ObjectType.GETPUBKEY]


async def test_a_post_without_message_id_comes_back_seen_too(make_station: MakeStation) -> None:
    alice, _, wire = await two_members(make_station)
    await submit(alice, to(GENERAL))
    await wire.carry()
    ((_, flags),) = await mails(alice, "Chans/general")
    assert flags == Flags.SEEN


async def test_nothing_in_a_post_tells_who_wrote_it_or_with_what(make_station: MakeStation) -> None:
    alice, _, wire = await two_members(make_station)
    await submit(alice, to(GENERAL))
    await wire.carry()
    obj = read_object(wire.carried[0])
    plaintext = decrypt(obj.ciphertext, GENERAL_KEYS.encryption)
    assert plaintext is not None
    post = read_msg(obj, plaintext, GENERAL.ripe)
    assert (post.sender.address, post.sender.behavior, post.ack) == (GENERAL, 1, b""), "as PyBitmessage's"
    assert (post.encoding, post.message) == (2, b"Subject:s\nBody:text")
    assert len(wire.carried[0]) == msg_size(len(post.message), b"")


@pytest.mark.parametrize("reads", ["mime", "files"])
async def test_no_form_of_a_post_names_its_author_or_other_recipients(make_station: MakeStation, reads: str) -> None:
    alice, carol, wire = await two_members(make_station)
    policies, spec = alice.station.services.policies, f"{alice.mail_address}>\r\nTo: <{carol.mail_address}"

    def settle(store: Store) -> None:
        mine = store.account(alice.id)
        policies.set(mine, "reads", reads, contact=GENERAL)
        policies.set(mine, "disclose_recipients", "on")

    await alice.station.database.transact(settle)
    raw = WITH_FILE.format(spec=spec, media="text/plain", name="note.txt").encode()
    await submit(alice, to(GENERAL), to(carol.identity.address), raw=raw)
    alice.station.clock.advance(60)
    await wire.carry()
    plaintexts = [
        decrypt(obj.ciphertext, GENERAL_KEYS.encryption)
        for obj in map(read_object, wire.carried)
        if obj.object_type == ObjectType.MSG
    ]
    (post,) = [read for read in plaintexts if read is not None]
    for user in (alice, carol):
        assert str(user.identity.address).encode() not in post
        assert user.identity.address.ripe not in post
    ((mail, _),) = await mails(carol, "Chans/general")
    assert [part.get_filename() for part in mail.walk() if part.get_filename()] == ["note.txt"]


@pytest.mark.parametrize(
    ("option", "field", "as_chan"),
    [
        ("", "", True),
        ("identity", "", False),
        ("identity", "X-Bitmessage-Post-As: chan", True),
        ("chan", "X-Bitmessage-Post-As: Identity", False),
    ],
)
async def test_m11_who_signs_a_post(make_station: MakeStation, option: str, field: str, as_chan: bool) -> None:
    alice, carol, wire = await two_members(make_station)
    if option:
        options = ChanOptions(alice.station.database, alice.station.services.policies)
        await options.set(alice.id, "general", "post_as", option)
    await submit(alice, to(GENERAL), raw=written(alice.mail_address, *filter(None, [field])))
    await wire.carry()
    ((mail, _),) = await mails(carol, "Chans/general")
    expected = GENERAL if as_chan else alice.identity.address
    assert spec_of(expected) in str(mail["From"])
    (row,) = await alice.rows()
    assert row.kind is (Kind.CHAN if as_chan else Kind.CHAN_AS_IDENTITY)
    assert row.state is State.NO_ACK_EXPECTED
    ((_, flags),) = await mails(alice, "Chans/general")
    assert flags == Flags.SEEN


@pytest.mark.parametrize("resolves", [True, False])
async def test_m11_the_other_version_of_a_chans_address_is_that_chan(make_station: MakeStation, resolves: bool) -> None:
    here, there = await make_station(), await make_station()
    alice, carol = await here.add_user("alice"), await there.add_user("carol")
    old = replace(GENERAL, version=3)
    await here.services.chans.join(alice.id, "general", old)
    await join(carol)
    await here.settle()
    wire = Wire(here, there)
    recipient = await here.services.submissions.resolve(alice.id, spec_of(GENERAL)) if resolves else to(GENERAL)
    assert recipient.address == (old if resolves else GENERAL)
    await submit(alice, recipient, to(old))
    here.clock.advance(60)
    await wire.carry()
    assert {(row.kind, row.recipient) for row in await alice.rows()} == {(Kind.CHAN, old)}
    post = (await mails(carol, "Chans/general"))[0][0]
    assert (post["From"], post["X-Bitmessage-Key"]) == (f"general <{spec_of(GENERAL)}>", f"chan {GENERAL}")
    assert not [each for each in wire.carried if read_object(each).object_type == ObjectType.GETPUBKEY]


async def test_m10_a_chan_may_be_the_sender_of_what_goes_to_it(make_station: MakeStation) -> None:
    alice, carol, wire = await two_members(make_station)
    await alice.station.services.submissions.check_sender(alice.id, spec_of(GENERAL))
    await submit(alice, to(GENERAL), spec=spec_of(GENERAL))
    await submit(alice, to(GENERAL), raw=written(spec_of(GENERAL), subject="two"))
    await wire.carry()
    assert await subjects(carol, "Chans/general") == ["s", "two"]
    assert len(await alice.messages()) == 2, "the notices reach the default identity"


async def test_m11_a_chan_writes_nowhere_else(make_station: MakeStation) -> None:
    alice, carol, _ = await two_members(make_station)
    other = await join(alice, "another chan")
    for recipients in ((to(carol.identity.address),), (to(other),), (to(GENERAL), to(other)), (BROADCAST,)):
        with pytest.raises(NotAllowed):
            await submit(alice, *recipients, spec=spec_of(GENERAL))
    raw = written(spec_of(GENERAL), "X-Bitmessage-Post-As: identity")
    with pytest.raises(NotAllowed, match="asks for an identity"):
        await submit(alice, to(GENERAL), spec=spec_of(GENERAL), raw=raw)
    assert await alice.rows() == []
    assert await alice.messages(MailboxKind.SENT) == []


async def test_only_members_send_as_a_chan(make_station: MakeStation) -> None:
    alice, _, _ = await two_members(make_station)
    bob = await alice.station.add_user("bob")
    with pytest.raises(NotOwner):
        await alice.station.services.submissions.check_sender(bob.id, spec_of(GENERAL))


async def test_without_an_address_of_ones_own_nothing_is_posted(station: Station) -> None:
    account = await station.add_account("alice")
    await station.services.chans.join(account.id, "general")
    with pytest.raises(NotAllowed, match="address of your own"):
        await station.services.submissions.check_sender(account.id, spec_of(GENERAL))


async def test_a_chan_that_was_not_joined_is_like_any_address_whoever_else_joined_it(station: Station) -> None:
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    await join(bob)
    await submit(alice, to(GENERAL))
    (row,) = await alice.rows()
    assert (row.kind, row.state) == (Kind.MSG, State.REQUESTED), "nothing tells that somebody here takes part"
    assert await mails(bob, "Chans/general") == []


async def test_a_post_to_a_chan_that_was_left_meanwhile_is_no_msg_that_asks_for_its_key(station: Station) -> None:
    alice = await station.add_user("alice")
    await join(alice)
    recipient = Recipient(await station.services.submissions.resolve(alice.id, spec_of(GENERAL)))
    await station.services.chans.leave(alice.id, "general")
    envelope = Envelope(alice.id, alice.mail_address, (recipient,))
    with pytest.raises(RecipientMissing, match="just left"):
        await station.services.submissions.submit(envelope, b"Subject: hello\r\n\r\ntext\r\n")
    assert await alice.rows() == []


async def test_a_post_fails_when_its_author_left_before_it_was_signed(station: Station) -> None:
    alice = await station.add_user("alice")
    await join(alice)
    await station.services.identities.set(alice.id, str(alice.identity.address), "send_delay", "1h")
    await submit(alice, to(GENERAL))
    await station.services.chans.leave(alice.id, "general")
    station.clock.advance(3700)
    await station.settle()
    (row,) = await alice.rows()
    assert (row.state, row.reason) == (State.FAILED, Reason.LEFT_CHAN)
    (notice,) = await alice.bodies()
    assert f"You left the chan {GENERAL}@{DOMAIN}" in notice.replace("=\r\n", "")


@pytest.mark.parametrize("joins_again", [False, True])
async def test_who_leaves_a_chan_is_told_at_once_what_becomes_of_posts_that_wait(
    station: Station, joins_again: bool
) -> None:
    alice = await station.add_user("alice")
    await join(alice)
    await station.services.identities.set(alice.id, str(alice.identity.address), "send_delay", "1h")
    await submit(alice, to(GENERAL))
    await station.services.chans.leave(alice.id, "general")
    if joins_again:
        await join(alice)
    station.clock.advance(3)
    await station.settle()
    (row,) = await alice.rows()
    expected = (State.ACCEPTED, Reason.SEND_DELAY) if joins_again else (State.FAILED, Reason.LEFT_CHAN)
    assert (row.state, row.reason) == expected
    assert [f"You left the chan {GENERAL}@{DOMAIN}" in text.replace("=\r\n", "") for text in await alice.bodies()] == (
        [] if joins_again else [True]
    )


@pytest.mark.parametrize("recipient", [BROADCAST, to(GENERAL)])
@pytest.mark.parametrize(
    ("field", "is_refused"), [("auto-replied", True), ("auto-generated; x=y", True), ("no", False), ("No ; x", False)]
)
async def test_m10_programs_do_not_write_to_many(
    station: Station, recipient: object, field: str, is_refused: bool
) -> None:
    alice = await station.add_user("alice")
    await join(alice)
    raw = written(alice.mail_address, f"Auto-Submitted: {field}")
    if is_refused:
        with pytest.raises(NotAllowed, match="program"):
            await submit(alice, recipient, raw=raw)  # type: ignore[arg-type]
    else:
        await submit(alice, recipient, raw=raw)  # type: ignore[arg-type]


async def test_m12_does_not_look_at_posts(station: Station) -> None:
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    second = User(station, alice.account, await station.add_identity(alice.account, new_identity(is_default=False)))
    await join(alice)
    await bob.send(alice)
    await station.settle()
    (message,) = await alice.messages()
    (name,) = [line for line in message.header.decode().split("\r\n") if line.startswith("Message-ID: ")]
    answer = written(second.mail_address, name.replace("Message-ID", "In-Reply-To"))
    await submit(second, to(GENERAL), raw=answer)
    for recipients in ((to(bob.identity.address),), (to(GENERAL), to(bob.identity.address)), (BROADCAST,)):
        with pytest.raises(NotAllowed, match="this answers a mail to"):
            await submit(second, *recipients, raw=answer)


async def test_answers_in_a_chan_stay_in_their_thread(make_station: MakeStation) -> None:
    alice, carol, wire = await two_members(make_station)
    await submit(alice, to(GENERAL), raw=written(alice.mail_address, "Message-ID: <one@x>", subject="Question"))
    await wire.carry()
    ((question, _),) = await mails(carol, "Chans/general")
    await carol.station.database.transact(lambda store: store.account(carol.id).contacts.make_ref(GENERAL))
    for user in (alice, carol):  # who knows that the others' programs read files sees whole threads
        await user.station.database.transact(
            lambda store, user=user: user.station.services.policies.set(  # type: ignore[misc]
                store.account(user.id), "reads", "files", contact=GENERAL
            )
        )
    raw = written(carol.mail_address, f"In-Reply-To: {question['Message-ID']}", subject="An answer")
    await submit(carol, to(GENERAL), raw=raw)
    await wire.carry()
    answer = next(mail for mail, _ in await mails(alice, "Chans/general") if mail["Subject"] == "An answer")
    ((own, _),) = [each for each in await mails(alice, "Chans/general") if each[0]["Subject"] == "Question"]
    assert answer["In-Reply-To"] == own["Message-ID"], "each account has a name of its own for a post"


# --- broadcasts ---


async def test_a_broadcast_reaches_subscribers_near_and_far(make_station: MakeStation) -> None:
    here, there = await make_station(), await make_station()
    alice, bob, carol = await here.add_user("alice"), await here.add_user("bob"), await there.add_user("carol")
    for reader in (bob, carol):
        await subscribe(reader, alice.identity.address)
    wire = Wire(here, there)
    receipt = await submit(
        alice, BROADCAST, to(carol.identity.address), raw=written(alice.mail_address, subject="news")
    )
    await wire.carry()
    here.clock.advance(100)
    await wire.carry()
    for reader in (bob, carol):
        ((mail, flags),) = await mails(reader, "Subscriptions/news")
        assert (mail["Subject"], mail["To"], flags) == ("news", "subscribers:;", Flags.NONE)
    assert len(await carol.messages()) == 1
    rows = {row.kind: row for row in await alice.rows()}
    assert rows[Kind.BROADCAST].state is State.NO_ACK_EXPECTED
    assert rows[Kind.MSG].state is State.ACKED
    broadcast = next(each for each in wire.carried if read_object(each).object_type == ObjectType.BROADCAST)
    assert read_object(broadcast).version == 5
    assert abs(len(broadcast) - broadcast_size(len(b"Subject:news\nBody:text"))) <= 16
    assert await alice.keywords() == [("bm-noack",)]
    texts = await alice.bodies()
    assert any(f"Final-Recipient: rfc822;broadcast@{DOMAIN}" in text for text in texts)
    assert receipt.seconds > 0


async def test_an_identity_of_version_3_broadcasts_without_tag(make_station: MakeStation) -> None:
    here, there = await make_station(), await make_station()
    account, carol = await here.add_account("alice"), await there.add_user("carol")
    new = new_identity()
    old = NewIdentity(new.keys.public.address(3, 1), new.keys, "", True, 1, 1000, new.created_at)
    alice = User(here, account, await here.add_identity(account, old))
    await subscribe(carol, alice.identity.address)
    wire = Wire(here, there)
    await submit(alice, BROADCAST)
    await wire.carry()
    assert read_object(wire.carried[0]).version == 4
    assert await subjects(carol, "Subscriptions/news") == ["s"]


async def test_a_demanding_sender_broadcasts_at_the_usual_price(station: Station) -> None:
    alice = await station.add_user("alice")
    await set_option(alice, "difficulty", "100")
    await submit(alice, BROADCAST)
    (row,) = await alice.rows()
    assert row.state is State.NO_ACK_EXPECTED


@pytest.mark.parametrize("attachments", list(Attachments))
async def test_o16_files_of_a_broadcast_are_inline_or_named(
    make_station: MakeStation, attachments: Attachments
) -> None:
    station = await make_station(Settings(policy=Policy(attachments=attachments)))
    alice = await station.add_user("alice")
    await subscribe(alice, alice.identity.address)
    raw = WITH_FILE.format(spec=alice.mail_address, media="text/plain", name="note.txt").encode()
    if attachments in (Attachments.REFUSE, Attachments.EXTENDED):
        with pytest.raises(UnsupportedMedia, match="a broadcast is not known to accept attachments"):
            await submit(alice, BROADCAST, raw=raw)
        return
    await submit(alice, BROADCAST, raw=raw)
    ((mail, _),) = await mails(alice, "Subscriptions/news")
    told = "----- note.txt -----\nabc" if attachments is Attachments.INLINE else "[Attachment not sent: note.txt"
    assert told in mail.get_payload(decode=True).decode().replace("\r\n", "\n")  # type: ignore[union-attr]


async def test_the_ttl_of_a_broadcast_may_stand_in_its_address(station: Station) -> None:
    alice = await station.add_user("alice")
    recipient = await station.services.submissions.resolve(alice.id, f"Broadcast+ttl=2d@{DOMAIN}")
    await submit(alice, recipient)
    (row,) = await alice.rows()
    assert row.ttl_seconds == 2 * 86_400


async def test_nobody_sends_as_broadcast(station: Station) -> None:
    alice = await station.add_user("alice")
    with pytest.raises(NotAllowed):
        await station.services.submissions.check_sender(alice.id, f"broadcast@{DOMAIN}")


# --- while it waits ---


async def test_the_outbox_shows_posts_and_broadcasts_as_what_they_are(station: Station) -> None:
    alice = await station.add_user("alice")
    await join(alice)
    await station.services.identities.set(alice.id, str(alice.identity.address), "send_delay", "1h")
    await submit(alice, to(GENERAL), BROADCAST)
    await station.services.mailboxes.open(alice.id, "Outbox")
    shown = {str(mail["To"]): str(mail["From"]) for mail, _ in await mails(alice, "Outbox")}
    assert shown == {
        f"general <{GENERAL}@{DOMAIN}>": f"{GENERAL}@{DOMAIN}",
        f"broadcast@{DOMAIN}": alice.mail_address,
    }
    queued = await station.services.queue.rows(alice.id)
    told = {(value["kind"], value["recipient"]) for value in (row_value(each.message) for each in queued)}
    assert told == {("chan", str(GENERAL)), ("broadcast", "broadcast")}


async def crash_at(station: Station, user: User, n: int, raw: bytes) -> bool:
    """Killed at the n-th point on the way of a mail to a chan, to subscribers and as a new address; whether it was."""
    await station.crash()
    points = Failpoints(n)
    await station.start(points)
    envelope = Envelope(user.id, f"random@{DOMAIN}", (Recipient(to(GENERAL)), Recipient(BROADCAST)))
    for _ in range(2):
        try:
            await station.services.submissions.submit(envelope, raw)
            await station.settle()
            station.clock.advance(60)
            await station.settle()
            break
        except BaseException as error:
            if type(error).__name__ not in ("Killed", "BaseExceptionGroup", "ShuttingDown"):
                raise
            await station.crash()
            await station.start()
    was_killed = len(points.passed) >= n
    await station.crash()
    await station.start()
    station.clock.advance(60)
    await station.settle()
    return was_killed


async def test_a_restart_at_any_point_loses_nothing_and_doubles_nothing(make_station: MakeStation) -> None:
    station = await make_station()
    alice = await station.add_user("alice")
    await join(alice)
    n = 1
    while await crash_at(station, alice, n, written(f"random@{DOMAIN}", f"Message-ID: <{n}@x>", subject=f"no {n}")):
        n += 1
    expected = sorted(f"no {each}" for each in range(1, n + 1))
    assert sorted(await subjects(alice, "Chans/general")) == expected
    rows = await alice.rows()
    assert len(rows) == 2 * n
    assert {row.state for row in rows} == {State.NO_ACK_EXPECTED}

    def objects(store: Store) -> list[int]:
        return [
            read_object(each).object_type
            for each in store.inventory.get([vector for vector, _, _ in store.inventory.vectors()]).values()
        ]

    kinds = await station.database.read(objects)
    assert kinds.count(ObjectType.MSG) == kinds.count(ObjectType.BROADCAST) == n
    labels = await station.database.read(
        lambda store: [each.label for each in store.account(alice.id).identities.all()]
    )
    assert sum(label.startswith("random ") for label in labels) == n
    assert n > 6
