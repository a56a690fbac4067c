"""Mail of the queue as the Outbox shows it, and the draft it becomes again."""

from dataclasses import replace
from email import message_from_bytes, policy

from hypothesis import given
from hypothesis import strategies as st

from bmgate.mail.parse import parse_mail
from bmgate.mail.queued import QueuedMail, render_draft, render_queued
from bmgate.mail.write import Mailbox

BOB = "BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuQ@bm.internal"
ALICE = "BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z@bm.internal"
MAIL = QueuedMail(
    name="7KQ2AB-1",
    rendering=3,
    sender=Mailbox(ALICE),
    recipient=Mailbox(BOB, "Bob"),
    subject="Grüße",
    body="one\ntwo",
    date=1795291200,
    message_id="<f00d@host.example>",
    status="queued",
    work="9360000 trials, about 9 s",
    ttl="345600s",
    notes=("left out: logo.png, 3 kB",),
)
FIELDS = [
    "Date",
    "From",
    "To",
    "Subject",
    "Message-ID",
    "In-Reply-To",
    "X-Bitmessage-Status",
    "X-Bitmessage-Queue-Id",
    "X-Bitmessage-Work",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
]
TEXT = st.text(st.characters(exclude_categories=[]), max_size=60)


def test_a_queued_mail_has_these_fields_and_no_others() -> None:
    message = message_from_bytes(render_queued(MAIL, "bm.internal"), policy=policy.default)
    assert list(message) == FIELDS
    assert message["Message-ID"] == "<7KQ2AB-1.3@bm.internal>"
    assert message["To"] == f"Bob <{BOB}>"
    assert message.get_content().splitlines() == ["one", "two", "", "[left out: logo.png, 3 kB]"]


@given(TEXT, TEXT, TEXT, TEXT)
def test_whatever_it_says_the_fields_are_ours(subject: str, body: str, message_id: str, note: str) -> None:
    raw = render_queued(replace(MAIL, subject=subject, body=body, message_id=message_id, notes=(note,)), "bm.internal")
    assert raw.isascii()
    assert b"\0" not in raw
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    names = [name for name, _ in message_from_bytes(raw).items()]
    assert [name for name in FIELDS if name in names] == names


def test_a_draft_is_the_mail_that_was_submitted_to_this_recipient_alone() -> None:
    submitted = (
        b"From: <a@x>\r\nTo: <b@x>,\r\n <c@x>\r\nCc: <d@x>\r\nBcc: <e@x>\r\nMessage-ID: <1@x>\r\n"
        b"X-Bitmessage-TTL: 1d\r\nSubject: Hi\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\n\r\nx\r\n--b--\r\n"
    )
    raw = render_draft(MAIL, submitted)
    message = message_from_bytes(raw)
    assert list(message) == ["To", "X-Bitmessage-TTL", "From", "Subject", "Content-Type"]
    assert (message["To"], message["X-Bitmessage-TTL"]) == (f"Bob <{BOB}>", "345600s")
    assert raw.endswith(b"\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n")


def test_a_draft_without_a_copy_has_the_text() -> None:
    message = message_from_bytes(render_draft(MAIL, b""), policy=policy.default)
    assert message["Subject"] == "Grüße"
    assert message.get_content().splitlines()[:2] == ["one", "two"]
    assert message["X-Bitmessage-Status"] is None


@given(st.binary(max_size=200))
def test_a_draft_of_anything_can_be_read(submitted: bytes) -> None:
    parse_mail(render_draft(MAIL, submitted.replace(b"\0", b"")))
