"""Between two gateways: files arrive as they were, and threads stay threads."""

import base64
import email
import os
from email.message import EmailMessage
from typing import Any

import pytest
from stations import MakeStation, User, Wire

from bmgate.domain.outbox import State
from bmgate.mail.outgoing import convert

FILES = [
    ("plan.pdf", "application/pdf", b"%PDF-1.4\r\n\x00\xff" + bytes(range(256))),
    ("Übersicht 2026.ods", "application/vnd.oasis.opendocument.spreadsheet", os.urandom(3_000)),
    ("photo.jpg", "image/jpeg", b"\xff\xd8\xff" + os.urandom(40_000)),
    ("notes.txt", "text/plain", b"one\r\ntwo\nthree\r"),
    ("page.html", "text/html", b"<p>two&nbsp;words</p>\n"),
    ("archive.zip", "application/zip", os.urandom(100_000)),
    ("empty.bin", "application/octet-stream", b""),
    ("table.csv", "text/csv", "größe;1\n".encode("utf-16")),
]


def with_files(sender: User, to: User, files: list[tuple[str, str, bytes]], **fields: str) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender.mail_address, to.mail_address, "Files"
    for name, value in fields.items():
        mail[name.replace("_", "-")] = value
    mail.set_content("Here they are.\n")
    for name, media, data in files:
        family, _, kind = media.partition("/")
        mail.add_attachment(data, family, kind, filename=name)
    return mail.as_bytes()


async def inbox(user: User) -> list[Any]:
    return [email.message_from_bytes(each.header + each.body) for each in await user.messages()]


@pytest.fixture
async def pair(make_station: MakeStation) -> tuple[User, User, Wire]:
    here, there = await make_station(), await make_station()
    return await here.add_user("alice"), await there.add_user("bob"), Wire(here, there)


async def test_files_of_all_kinds_arrive_byte_for_byte(pair: tuple[User, User, Wire]) -> None:
    alice, bob, wire = pair
    await alice.send(bob, raw=with_files(alice, bob, FILES))
    await wire.carry()
    assert [row.state for row in await alice.rows()] == [State.ACKED]
    (mail,) = await inbox(bob)
    text, *parts = mail.get_payload()
    assert text.get_payload(decode=True) == b"Here they are."
    assert [part.get_payload(decode=True) for part in parts] == [data for _, _, data in FILES]
    (stored,) = await bob.messages()
    again = convert(stored.header + stored.body)
    assert [(each.file.name, each.file.data) for each in again.files] == [(name, data) for name, _, data in FILES]


async def test_the_largest_files_arrive(pair: tuple[User, User, Wire]) -> None:
    alice, bob, wire = pair
    large = os.urandom(260_000)
    await alice.send(bob, raw=with_files(alice, bob, [("large.bin", "application/octet-stream", large)]))
    await wire.carry()
    (mail,) = await inbox(bob)
    assert mail.get_payload(1).get_payload(decode=True) == large


async def test_a_conversation_stays_one_thread_on_both_sides(pair: tuple[User, User, Wire]) -> None:
    alice, bob, wire = pair
    first = with_files(alice, bob, [], Message_ID="<first@alice.client>")
    await alice.send(bob, raw=first)
    await wire.carry()
    (got,) = await inbox(bob)
    assert got["In-Reply-To"] is None
    answer = with_files(
        bob,
        alice,
        FILES[:1],
        Message_ID="<second@bob.client>",
        In_Reply_To=got["Message-ID"],
        References=got["Message-ID"],
    )
    await bob.send(alice, raw=answer)
    await wire.carry()
    (answered,) = await inbox(alice)
    assert answered["In-Reply-To"] == "<first@alice.client>"
    references = f"{answered['References']} {answered['Message-ID']}"
    await alice.send(
        bob,
        raw=with_files(
            alice, bob, [], Message_ID="<third@alice.client>", In_Reply_To=answered["Message-ID"], References=references
        ),
    )
    await wire.carry()
    _, third = await inbox(bob)
    assert third["In-Reply-To"] == "<second@bob.client>"
    assert third["References"].split() == [got["Message-ID"], "<second@bob.client>"]


async def test_nothing_of_our_own_names_is_in_what_travels(pair: tuple[User, User, Wire]) -> None:
    alice, bob, wire = pair
    await alice.send(bob, raw=with_files(alice, bob, FILES[:1], Message_ID="<canary@alice.client>"))
    await wire.carry()

    seen = b"".join(each.header + each.body for each in await bob.messages())
    assert b"canary" not in seen
    assert base64.b64encode(b"canary") not in seen
