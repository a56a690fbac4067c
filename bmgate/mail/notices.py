"""Delivery status notices: what became of a mail, told to the identity that sent it.

A cause says what happened, a notice to whom and about which mail; the result is a multipart/report of RFC 3464. Nothing
here leaves the gateway: notices go to the sender's own INBOX.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from bmgate.mail.bodies import BodyPart, boundary_of, multipart, text_part
from bmgate.mail.causes import Action, Cause
from bmgate.mail.dates import write_date
from bmgate.mail.fields import scan_header
from bmgate.mail.text import clean_line
from bmgate.mail.write import CRLF, Mailbox, field, mailbox_field, plain_field, text_field

_LINE_END = re.compile(rb"\r\n|\r|\n")
_NOT_PRINTABLE = re.compile(r"[^ -~]")
_MAX_STATUS_VALUE = 500  # characters of a value the submitter chose (ORCPT, ENVID)
_SUBJECTS = {
    Action.DELAYED: "Delayed",
    Action.FAILED: "Not delivered",
    Action.DELIVERED: "Delivered",
    Action.RELAYED: "Sent",
}


@dataclass(frozen=True, slots=True)
class ReportedRecipient:
    """One row: its mail address as we write it, and the address as the submitter gave it (ORCPT; may be empty)."""

    address: str
    original: str = ""


@dataclass(frozen=True, slots=True)
class ReportedMail:
    """The mail a notice is about; `content` is the mail itself or its header, empty when it is no longer there."""

    message_id: str
    subject: str
    queue_id: str
    content: bytes = b""
    envelope_id: str = ""
    headers_only: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """One report: rows that share a cause share it. `to` is the identity that sent the mail, `date` Unix seconds."""

    cause: Cause
    recipients: tuple[ReportedRecipient, ...]
    mail: ReportedMail
    to: Mailbox
    message_id: str
    date: int


def render_notice(notice: Notice, domain: str) -> bytes:
    """The report as RFC 5322 bytes."""
    parts = (text_part(_text(notice)), _status_part(notice, domain), *_returned(notice))
    bodies = [part.encoded for part in parts]
    mark = _boundary(bodies, notice.message_id)
    words = ["multipart/report;", "report-type=delivery-status;", f'boundary="{mark}"']
    fields = (*_header(notice, domain), field("Content-Type", words))
    return b"".join(fields) + CRLF + multipart(mark, bodies)


def _header(notice: Notice, domain: str) -> Iterator[bytes]:
    yield plain_field("Date", write_date(notice.date))
    yield mailbox_field("From", [Mailbox(f"mailer-daemon@{domain}", "Bitmessage gateway")])
    yield mailbox_field("To", [notice.to])
    yield text_field("Subject", f"{_SUBJECTS[notice.cause.action]}: {clean_line(notice.mail.subject)}".strip())
    yield plain_field("Message-ID", notice.message_id)
    original = _status_value(notice.mail.message_id)
    if original:
        yield plain_field("In-Reply-To", original)
        yield plain_field("References", original)
    yield plain_field("Auto-Submitted", "auto-replied")
    yield plain_field("X-Bitmessage-Queue-Id", notice.mail.queue_id)
    yield plain_field("MIME-Version", "1.0")


def _text(notice: Notice) -> str:
    news = [notice.cause.sentence(recipient.address) for recipient in notice.recipients]
    about = f"Subject: {clean_line(notice.mail.subject)}\nQueue id: {notice.mail.queue_id}"
    return "\n\n".join([*news, about])


def _status_part(notice: Notice, domain: str) -> BodyPart:
    blocks = [_message_block(notice, domain), *(_recipient_block(notice, each) for each in notice.recipients)]
    content = CRLF.join(blocks).removesuffix(CRLF)
    return BodyPart(field("Content-Type", ["message/delivery-status"]), content)


def _message_block(notice: Notice, domain: str) -> bytes:
    reporter = plain_field("Reporting-MTA", f"dns; {domain}")
    envelope_id = _status_value(notice.mail.envelope_id)
    return (plain_field("Original-Envelope-Id", envelope_id) if envelope_id else b"") + reporter


def _recipient_block(notice: Notice, recipient: ReportedRecipient) -> bytes:
    return b"".join(_recipient_fields(notice.cause, recipient))


def _recipient_fields(cause: Cause, recipient: ReportedRecipient) -> Iterator[bytes]:
    original = _status_value(recipient.original)
    if original:
        yield plain_field("Original-Recipient", original if ";" in original else f"rfc822;{original}")
    yield plain_field("Final-Recipient", f"rfc822;{recipient.address}")
    yield plain_field("Action", cause.action)
    yield plain_field("Status", cause.status)
    yield plain_field("Diagnostic-Code", f"x-bitmessage; {cause.diagnostic}")
    if cause.retry_until is not None:
        yield plain_field("Will-Retry-Until", write_date(cause.retry_until))


def _status_value(text: str) -> str:
    return _NOT_PRINTABLE.sub("?", clean_line(text))[:_MAX_STATUS_VALUE].strip()


def _returned(notice: Notice) -> Iterator[BodyPart]:
    """What comes back: the whole mail when it failed, so that the text is not lost, else its header."""
    if not notice.mail.content:
        return
    content = _LINE_END.sub(CRLF, notice.mail.content)
    media = "message/rfc822"
    if notice.cause.action is not Action.FAILED or notice.mail.headers_only:
        media, content = "text/rfc822-headers", content[: scan_header(content, 0, len(content)).end].rstrip(CRLF)
    fields = field("Content-Type", [media])
    encoding = field("Content-Transfer-Encoding", ["7bit" if content.isascii() else "8bit"])
    yield BodyPart(fields + encoding, content)


def _boundary(bodies: list[bytes], message_id: str) -> str:
    """A hash of all it separates, so it stands in none of it."""
    return boundary_of(hashlib.sha256(b"\0".join((message_id.encode(), *bodies))).digest())
