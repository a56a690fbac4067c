"""Between two gateways files arrive byte for byte, and conversations stay together in a mail program."""

import email.policy
import os
import re
from email.message import EmailMessage, Message
from urllib.parse import unquote

import pytest
from gateways import MailUser, subject_of, text_of, wait_for

Pair = tuple[MailUser, MailUser]

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
LARGEST = 261_000  # bytes that nothing compresses, with room for the text and the object around them
LARGEST_INFLATED = 1_048_000  # the same of bytes that can be compressed
OPEN_XML = "application/vnd.openxmlformats-officedocument"
COMMON = [
    ("plan.pdf", "application/pdf", b"%PDF-1.7\n" + bytes(range(256)) * 20),
    (
        "letter.docx",
        f"{OPEN_XML}.wordprocessingml.document",
        b"PK\x03\x04" + b"x" * 999,
    ),
    ("table.xlsx", f"{OPEN_XML}.spreadsheetml.sheet", b"PK\x03\x04" + b"y" * 999),
    ("slides.odp", "application/vnd.oasis.opendocument.presentation", b"PK\x03\x04" + b"z" * 999),
    ("photo.jpg", "image/jpeg", b"\xff\xd8\xff\xe0" + os.urandom(5_000)),
    ("drawing.png", "image/png", PNG),
    ("moving.gif", "image/gif", b"GIF89a" + bytes(50)),
    ("new.webp", "image/webp", b"RIFF\x10\0\0\0WEBPVP8 "),
    ("archive.zip", "application/zip", b"PK\x05\x06" + bytes(18)),
    ("song.mp3", "audio/mpeg", b"ID3" + bytes(range(256))),
    ("clip.mp4", "video/mp4", b"\0\0\0\x18ftypmp42"),
    ("notes.txt", "text/plain", "Grüße\r\nin zwei Zeilen\n".encode()),
    ("data.csv", "text/csv", b"a;b\r\n1;2\r\n"),
    ("card.vcf", "text/vcard", b"BEGIN:VCARD\r\nEND:VCARD\r\n"),
    ("meeting.ics", "text/calendar", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"),
    ("key.json", "application/json", b"{}"),
    ("Übersicht für dich.bin", "application/octet-stream", bytes(range(256))),
    ("empty.bin", "application/octet-stream", b""),
]
ACTIVE = [
    ("page.html", "text/html", b"<script>x</script>"),
    ("drawing.svg", "image/svg+xml", b"<svg onload='x'/>"),
]


def letter(
    sender: MailUser, recipient: MailUser, subject: str, files: list[tuple[str, str, bytes]], **fields: str
) -> bytes:
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"], message["To"], message["Subject"] = sender.address, recipient.address, subject
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    message.set_content(f"the text of {subject}")
    for name, media_type, data in files:
        kind, subtype = media_type.split("/")
        message.add_attachment(data, kind, subtype, filename=name, cte="base64")
    return message.as_bytes()


def arrived(user: MailUser, subject: str) -> Message:
    """The mail of that subject, once it is there."""

    def look() -> list[Message]:
        return [mail for mail in user.mails() if subject_of(mail) == subject]

    return wait_for(look, lambda mails: len(mails) > 0, subject)[0]


def name_of(part: Message) -> str:
    """The file name as mail programs read it: the RFC 2231 form before its ASCII fallback, unlike Python's."""
    found = re.search(r"filename\*=utf-8''(\S+)", str(part["Content-Disposition"]))
    return unquote(found[1]) if found else str(part.get_filename())


def files_of(mail: Message) -> list[tuple[str, str, object]]:
    found = [part for part in mail.walk() if part.get_filename() is not None]
    return [(name_of(part), part.get_content_type(), part.get_payload(decode=True)) for part in found]


def test_files_of_all_common_types_arrive_byte_for_byte(pair: Pair) -> None:
    alice, bob = pair
    alice.send(letter(alice, bob, "many files", COMMON), bob)
    mail = arrived(bob, "many files")
    assert text_of(mail) == "the text of many files"
    assert files_of(mail) == COMMON
    shown = {part.get_filename(): part.get_content_disposition() for part in mail.walk() if part.get_filename()}
    assert {name for name, place in shown.items() if place != "attachment"} <= {
        "photo.jpg",
        "drawing.png",
        "moving.gif",
        "new.webp",
    }


@pytest.mark.parametrize(
    "data",
    [b"x", os.urandom(100_000), os.urandom(LARGEST), (b"1,2,3\r\n" * LARGEST_INFLATED)[:LARGEST_INFLATED]],
    ids=["one", "100-kB", "largest", "largest-inflated"],
)
def test_files_up_to_the_limit_arrive_byte_for_byte(pair: Pair, data: bytes) -> None:
    alice, bob = pair
    subject = f"{len(data)} bytes"
    alice.send(letter(alice, bob, subject, [("random.bin", "application/octet-stream", data)]), bob)
    assert files_of(arrived(bob, subject)) == [("random.bin", "application/octet-stream", data)]


def test_p35_files_that_could_act_arrive_as_bytes_of_no_type(pair: Pair) -> None:
    alice, bob = pair
    alice.send(letter(alice, bob, "active files", ACTIVE), bob)
    found = files_of(arrived(bob, "active files"))
    assert found == [(name, "application/octet-stream", data) for name, _, data in ACTIVE]


def test_i17_a_conversation_is_one_thread_at_both_ends(pair: Pair) -> None:
    """Every answer names what it answers, in the words of the one who reads it."""
    alice, bob = pair
    alice.send(letter(alice, bob, "thread 1", [], Message_ID="<thread1@alice.test>"), bob)
    first = arrived(bob, "thread 1")
    names = {"bob": [str(first["Message-ID"])], "alice": ["<thread1@alice.test>"]}
    sender, reader, answered = bob, alice, first
    for number in range(2, 6):
        own = f"<thread{number}@{sender.login.name}.test>"
        before = str(answered["References"] or "").split()
        fields = {
            "Message_ID": own,
            "In_Reply_To": str(answered["Message-ID"]),
            "References": " ".join([*before, str(answered["Message-ID"])]),
        }
        sender.send(letter(sender, reader, f"thread {number}", [], **fields), reader)
        answer = arrived(reader, f"thread {number}")
        assert str(answer["In-Reply-To"]) == names[reader.login.name][-1]
        assert str(answer["References"]).split() == names[reader.login.name]
        names[sender.login.name].append(own)
        names[reader.login.name].append(str(answer["Message-ID"]))
        sender, reader, answered = reader, sender, answer


def test_i17_imap_threads_a_conversation_by_its_references(pair: Pair) -> None:
    alice, bob = pair
    alice.send(letter(alice, bob, "alpha", [], Message_ID="<alpha@alice.test>"), bob)
    arrived(bob, "alpha")
    fields = {
        "Message_ID": "<beta@alice.test>",
        "In_Reply_To": "<alpha@alice.test>",
        "References": "<alpha@alice.test>",
    }
    alice.send(letter(alice, bob, "beta", [], **fields), bob)
    arrived(bob, "beta")
    with bob.imap() as imap:
        _, (uids,) = imap.uid("SEARCH", "OR", "SUBJECT", "alpha", "SUBJECT", "beta")
        first, second = uids.decode().split()
        _, (threads,) = imap.uid("THREAD", "REFERENCES", "UTF-8", f"UID {first},{second}")
    assert re.sub(r"\s+", " ", threads.decode()).strip() == f"({first} {second})"


def test_a_picture_in_the_text_of_another_program_arrives_as_a_file(pair: Pair) -> None:
    alice, bob = pair
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"], message["To"], message["Subject"] = alice.address, bob.address, "picture"
    message.set_content("see below")
    message.add_attachment(PNG, "image", "png", filename="cat.png", disposition="inline")
    alice.send(message.as_bytes(), bob)
    (part,) = [part for part in arrived(bob, "picture").walk() if part.get_filename()]
    assert (part.get_content_disposition(), part.get_payload(decode=True)) == ("attachment", PNG)
