import email
from typing import Any

from bmgate.mail.embedded import embedded_mail

INNER = b"""Received: canary
From: canary@example.org
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
 und mehr
X-Mailer: canary
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="canary"; x-canary=1

canary preamble
--canary
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable
X-Part: canary

Gr=C3=BC=C3=9Fe
--canary
Content-Type: message/rfc822

From: canary
Subject: deeper

text
--canary--
canary epilogue
"""


def test_only_what_the_mail_says_is_left() -> None:
    written = embedded_mail(INNER)
    assert b"canary" not in written
    mail: Any = email.message_from_bytes(written)
    assert mail.keys() == ["Subject", "MIME-Version", "Content-Type"]
    first, second = mail.get_payload()
    assert first.get_payload(decode=True).decode() == "Grüße"
    assert second.get_payload(0)["Subject"] == "deeper"
    assert second.get_payload(0).get_payload() == "text"


def test_a_mail_without_parts_keeps_its_text() -> None:
    assert embedded_mail(b"From: x\r\nSubject: s\r\n\r\nline\r\nline") == b"Subject: s\n\nline\nline"


def test_writing_again_changes_nothing() -> None:
    assert embedded_mail(embedded_mail(INNER)) == embedded_mail(INNER)


def test_mails_inside_mails_end_somewhere() -> None:
    raw = b"text"
    for _ in range(30):
        raw = b"Content-Type: message/rfc822\n\n" + raw
    assert b"text" not in embedded_mail(raw)
