"""Delivery status notices: the sentences, the machine-readable part, and what comes back with them."""

import email
import re
from dataclasses import replace
from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.mail.causes import (
    AttachmentsNotRead,
    Cause,
    Confirmed,
    DemandNotMet,
    DemandTooHigh,
    GivenUp,
    KeyMissing,
    KeyUnusable,
    MessageTooLarge,
    NoNetwork,
    NotConfirmed,
    Published,
    duration_words,
)
from bmgate.mail.notices import Notice, ReportedMail, ReportedRecipient, render_notice
from bmgate.mail.structure import index_message
from bmgate.mail.write import Mailbox

ALICE = "BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z@bm.internal"
BOB = "BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuQ@bm.internal"
SENT = 1795292100  # Sat, 21 Nov 2026 20:15:00 +0000
DAY = 86_400
MAIL = b"From: a\r\nSubject: Hello\r\nX-Long: y\r\n\r\nFirst test.\r\n"

WAITING = KeyMissing(asked_at=SENT, again_at=SENT + 2 * DAY, give_up_at=SENT + 28 * DAY, attempt=1)
NOTICE = Notice(
    cause=WAITING,
    recipients=(ReportedRecipient(BOB, "rfc822;bm-2cuqdtsurv3wtkcfedrdit6n75w1wtskuq@bm.addr"),),
    mail=ReportedMail("<f00d@host.example>", "Hello", "7KQ2AB", MAIL),
    to=Mailbox(ALICE, "Alice"),
    message_id="<n1@bm.internal>",
    date=SENT + 4 * 3600,
)

SENTENCES: list[tuple[Cause, str, str, str]] = [
    (
        WAITING,
        "delayed 4.4.1",
        "Delayed",
        f"Your message to {BOB} has not been sent yet: the recipient's key is not on the network. It was asked for on "
        "21 Nov 2026 20:15 UTC and will be asked for again on 23 Nov 2026 20:15 UTC. You need not do anything; without "
        "a key it will be given up on 19 Dec 2026.",
    ),
    (
        NotConfirmed(SENT, 2, 5, SENT + DAY),
        "delayed 4.4.7",
        "Delayed",
        f"Your message to {BOB} was sent on 21 Nov 2026 20:15 UTC but nobody confirmed it. "
        "The recipient may be offline. It is being sent again (attempt 2 of at most 5).",
    ),
    (
        DemandTooHigh(40, "force 7KQ2AB-1", "bmgate@bm.internal", SENT + 7 * DAY),
        "delayed 4.3.3",
        "Delayed",
        f"{BOB} demands 40 times the usual work, more than is done unasked. "
        'To send it anyway mail "force 7KQ2AB-1" to bmgate@bm.internal before 28 Nov 2026.',
    ),
    (
        GivenUp(28, 0),
        "failed 5.4.7",
        "Not delivered",
        f"Your message to {BOB} was given up after 28 days: no key was ever found.",
    ),
    (
        GivenUp(44, 3),
        "failed 5.4.7",
        "Not delivered",
        f"Your message to {BOB} was given up after 44 days: it was sent 3 times and never confirmed, so it may or may "
        "not have been read.",
    ),
    (KeyUnusable(), "failed 5.7.5", "Not delivered", f"The key published for {BOB} is unusable."),
    (
        AttachmentsNotRead(),
        "failed 5.6.1",
        "Not delivered",
        f"{BOB} is not known to accept attachments; the message was not sent to this recipient.",
    ),
    (
        Confirmed(SENT),
        "delivered 2.1.5",
        "Delivered",
        f"The program of {BOB} confirmed your message on 21 Nov 2026 20:15 UTC. That says it arrived, not that it was "
        "read.",
    ),
    (
        Published(SENT, to_many=True),
        "relayed 2.0.0",
        "Sent",
        f"Your message to {BOB} was published on 21 Nov 2026 20:15 UTC. "
        "Chans and broadcasts are not set up to confirm; no further news will come.",
    ),
    (
        Published(SENT, to_many=False),
        "relayed 2.0.0",
        "Sent",
        f"Your message to {BOB} was published on 21 Nov 2026 20:15 UTC. This recipient is not set up to confirm; no "
        "further news will come.",
    ),
    (DemandNotMet(40, 7), "failed 5.3.3", "Not delivered", "demands 40 times the usual work, and it was not sent."),
    (MessageTooLarge(), "failed 5.3.4", "Not delivered", "is too large for Bitmessage; it was not sent."),
    (NoNetwork(SENT + DAY), "delayed 4.4.1", "Delayed", "there is no connection to the Bitmessage network."),
]


def parsed(notice: Notice) -> Message:
    message = email.message_from_bytes(render_notice(notice, "bm.internal"))
    assert not any(part.defects for part in message.walk())
    return message


def text_of(message: Message) -> str:
    payload = next(part for part in message.walk() if part.get_content_type() == "text/plain").get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


@pytest.mark.parametrize(("cause", "action", "prefix", "sentence"), SENTENCES)
def test_each_cause_has_its_words(cause: Cause, action: str, prefix: str, sentence: str) -> None:
    message = parsed(replace(NOTICE, cause=cause))
    assert message["Subject"] == f"{prefix}: Hello"
    text = text_of(message)
    assert sentence in text
    assert text.startswith(sentence) or sentence[0].islower()
    raw = render_notice(replace(NOTICE, cause=cause), "bm.internal")
    word, status = action.split()
    assert f"\r\nAction: {word}\r\nStatus: {status}\r\nDiagnostic-Code: x-bitmessage; ".encode() in raw
    assert (b"\r\nWill-Retry-Until: " in raw) == (word == "delayed")


def test_the_machine_readable_part_is_met_byte_for_byte() -> None:
    expected = (
        "Reporting-MTA: dns; bm.internal\r\n\r\n"
        "Original-Recipient: rfc822;bm-2cuqdtsurv3wtkcfedrdit6n75w1wtskuq@bm.addr\r\n"
        "Final-Recipient: rfc822;BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuQ@bm.internal\r\n"
        "Action: delayed\r\n"
        "Status: 4.4.1\r\n"
        "Diagnostic-Code: x-bitmessage; awaitingpubkey, getpubkey attempt 1\r\n"
        "Will-Retry-Until: Sat, 19 Dec 2026 20:15:00 +0000\r\n"
    )
    assert f"Content-Type: message/delivery-status\r\n\r\n{expected}--".encode() in render_notice(NOTICE, "bm.internal")


def test_the_header_answers_the_submission() -> None:
    message = parsed(NOTICE)
    assert message["From"] == '"Bitmessage gateway" <mailer-daemon@bm.internal>'
    assert message["To"] == f"Alice <{ALICE}>"
    assert message["In-Reply-To"] == message["References"] == "<f00d@host.example>"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["Message-ID"] == "<n1@bm.internal>"
    assert message["X-Bitmessage-Queue-Id"] == "7KQ2AB"
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"


def test_a_failure_returns_the_mail_and_others_its_header() -> None:
    failed = render_notice(replace(NOTICE, cause=KeyUnusable()), "bm.internal")
    assert b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n" + MAIL in failed
    brief = replace(NOTICE.mail, headers_only=True)
    for notice in (NOTICE, replace(NOTICE, cause=KeyUnusable(), mail=brief), replace(NOTICE, cause=Confirmed(SENT))):
        raw = render_notice(notice, "bm.internal")
        header = b"From: a\r\nSubject: Hello\r\nX-Long: y\r\n--"
        assert b"Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 7bit\r\n\r\n" + header in raw
        assert b"First test." not in raw


def test_a_mail_that_is_gone_is_not_returned() -> None:
    message = parsed(replace(NOTICE, mail=replace(NOTICE.mail, content=b"")))
    payload = message.get_payload()
    assert len(payload) == 2


def test_rows_that_share_a_cause_share_a_report() -> None:
    notice = replace(NOTICE, cause=GivenUp(28, 0), recipients=(ReportedRecipient(BOB), ReportedRecipient(ALICE)))
    message = parsed(notice)
    status = next(part for part in message.walk() if part.get_content_type() == "message/delivery-status")
    blocks = status.get_payload()
    assert [str(block["Final-Recipient"]) for block in blocks if isinstance(block, Message)] == [
        "None",
        f"rfc822;{BOB}",
        f"rfc822;{ALICE}",
    ]
    assert f"Your message to {ALICE} was given up" in text_of(message)


def test_the_envelope_id_is_returned() -> None:
    raw = render_notice(replace(NOTICE, mail=replace(NOTICE.mail, envelope_id="QQ314159")), "bm.internal")
    assert b"\r\nOriginal-Envelope-Id: QQ314159\r\nReporting-MTA: dns; bm.internal\r\n" in raw


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80), st.binary(max_size=200), st.booleans())
def test_what_the_submitter_wrote_breaks_no_report(
    subject: str, original: str, message_id: str, content: bytes, failed: bool
) -> None:
    mail = ReportedMail(message_id, subject, "7KQ2AB", content, original)
    cause = KeyUnusable() if failed else WAITING
    notice = replace(NOTICE, cause=cause, mail=mail, recipients=(ReportedRecipient(BOB, original),))
    raw = render_notice(notice, "bm.internal")
    assert raw == render_notice(notice, "bm.internal")
    header, _, body = raw.partition(b"\r\n\r\n")
    assert re.fullmatch(rb"(?:[A-Za-z-]+:[ -~]*(?:\r\n [ -~]+)*(?:\r\n)?)+", header)
    assert b"\n" not in raw.replace(b"\r\n", b"")
    index = index_message(raw)
    top = {part.path for part in index.parts if len(part.path) == 1}
    assert top == ({(1,), (2,), (3,)} if content else {(1,), (2,)})
    assert b"\r\nFinal-Recipient: rfc822;" in body


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (20, "20 s"),
        (300, "5 min"),
        (11400, "3 h 10 min"),
        (9 * 3600, "9 h"),
        (40000, "11 h"),
        (200000, "2 d"),
    ],
)
def test_durations_are_rounded(seconds: int, words: str) -> None:
    assert duration_words(seconds) == words
