"""The table of extensions: what is announced in which state, and what one more takes."""

import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from door_accounts import PASSWORD
from imap.wire import House
from twisted.internet.ssl import CertificateOptions
from wires import mail

from bmgate.domain.mailbox import MessageRow
from bmgate.imap.capabilities import EXTENSIONS
from bmgate.imap.cursor import Cursor
from bmgate.imap.data_items import AddedItem, Depth, Shown
from bmgate.imap.extension import ANY, SELECTED, Dialect, Extension, Verb
from bmgate.imap.pieces import Piece
from bmgate.imap.replies import NO, Refusal, Reply
from bmgate.imap.search_values import AddedKey, Subject
from bmgate.imap.session import Session, ok
from bmgate.imap.status_items import StatusItem
from bmgate.imap.values import Command
from bmgate.mail.imaptext import string
from bmgate.mail.structure import MessageIndex

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "imap-extensions.md"
LOGIN = b"LOGIN alice {%d+}\r\n%b" % (len(PASSWORD.encode()), PASSWORD.encode())
INSIDE = (
    b"IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE IDLE NAMESPACE UNSELECT UIDPLUS MOVE SPECIAL-USE XLIST CHILDREN"
    b" LIST-EXTENDED LIST-STATUS STATUS=SIZE CONDSTORE QRESYNC ESEARCH SEARCHRES WITHIN SORT THREAD=REFERENCES"
    b" THREAD=ORDEREDSUBJECT MULTIAPPEND BINARY APPENDLIMIT=104857600 QUOTA QUOTA=RES-STORAGE OBJECTID PREVIEW SAVEDATE"
    b" UTF8=ACCEPT"
)

VERBS = Dialect(EXTENSIONS).verbs.values()


@pytest.mark.parametrize(
    ("offers_tls", "allow_plaintext", "words"),
    [
        (False, True, b" AUTH=PLAIN AUTH=LOGIN"),
        (True, True, b" STARTTLS AUTH=PLAIN AUTH=LOGIN"),
        (True, False, b" STARTTLS LOGINDISABLED"),
        (False, False, b" LOGINDISABLED"),
    ],
)
async def test_before_the_login_it_is_announced_how_to_log_in(
    make_house: Callable[..., House],
    server_tls: CertificateOptions,
    offers_tls: bool,
    allow_plaintext: bool,
    words: bytes,
) -> None:
    house = make_house(starttls=server_tls if offers_tls else None, allow_plaintext=allow_plaintext)
    wire = await house.dial()
    assert await wire.line() == b"* OK [CAPABILITY " + INSIDE + words + b"] IMAP4rev1 ready\r\n"
    assert await wire.ok(b"CAPABILITY") == [b"* CAPABILITY " + INSIDE + words + b"\r\n"]


async def test_behind_tls_a_password_may_be_sent(
    make_house: Callable[..., House], server_tls: CertificateOptions, client_tls: ssl.SSLContext
) -> None:
    wire = await make_house(tls=server_tls, starttls=server_tls, allow_plaintext=False).connect(client_tls)
    assert await wire.ok(b"CAPABILITY") == [b"* CAPABILITY " + INSIDE + b" AUTH=PLAIN AUTH=LOGIN\r\n"]


async def test_behind_the_login_the_table_is_announced_in_its_order(house: House) -> None:
    wire = await house.connect()
    assert await wire.ask(LOGIN) == [b"OK [CAPABILITY " + INSIDE + b"] Logged in\r\n"]
    assert await wire.ok(b"CAPABILITY") == [b"* CAPABILITY " + INSIDE + b"\r\n"]
    await wire.ok(b"SELECT INBOX")
    assert await wire.ok(b"CAPABILITY") == [b"* CAPABILITY " + INSIDE + b"\r\n"]


def test_the_documentation_names_what_is_announced() -> None:
    text = DOCUMENTATION.read_text()
    words = [word for extension in EXTENSIONS for word in extension.words.split()]
    assert [word for word in words if word.partition("=")[0] not in text] == []


def test_nothing_is_read_behind_what_takes_lines_or_changes_what_may_be_read() -> None:
    barriers = {verb.name for verb in VERBS if verb.is_barrier}
    assert barriers == {"LOGIN", "AUTHENTICATE", "STARTTLS", "ENABLE", "IDLE", "LOGOUT"}


def test_no_expunge_is_told_where_sequence_numbers_are_spoken() -> None:
    numbered = {verb.name for verb in VERBS if not verb.tells_expunge}
    assert numbered == {"FETCH", "STORE", "SEARCH", "SORT", "THREAD"}


def test_what_changes_mailboxes_is_finished_without_its_client() -> None:
    of_messages = {word + verb for verb in ("STORE", "COPY", "MOVE", "EXPUNGE") for word in ("", "UID ")}
    of_mailboxes = {"CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE"}
    assert {verb.name for verb in VERBS if verb.is_changing} == of_messages | of_mailboxes | {"APPEND", "CLOSE"}


def test_no_word_means_two_things() -> None:
    with pytest.raises(AssertionError):
        Dialect([*EXTENSIONS, Extension("X-NOOP", verbs=(Verb("NOOP", lambda _: Echo(b""), _echo, ANY),))])


# -- an extension that adds a command


@dataclass(frozen=True, slots=True)
class Echo(Command):
    """X-ECHO."""

    text: bytes


def _read(cursor: Cursor) -> Echo:
    cursor.space()
    return Echo(cursor.astring())


async def _echo(session: Session, command: Echo) -> Reply:
    if not command.text:
        raise Refusal(NO, b"CANNOT", "There is nothing to say")
    session.channel.write(b"* X-ECHO " + string(command.text) + b"\r\n")
    return ok("Done")


X_ECHO = Extension("X-ECHO", verbs=(Verb("X-ECHO", _read, _echo, ANY),))


async def test_an_extension_may_add_a_command(make_house: Callable[..., House]) -> None:
    wire = await make_house(extensions=(*EXTENSIONS, X_ECHO)).connect()
    assert (await wire.ok(b"CAPABILITY"))[0].endswith(b" AUTH=PLAIN AUTH=LOGIN X-ECHO\r\n")
    assert await wire.ok(b"X-ECHO hello") == [b'* X-ECHO "hello"\r\n']
    await wire.ok(LOGIN)
    await wire.ok(b"SELECT INBOX")
    assert await wire.ok(b"x-echo {5+}\r\nagain") == [b'* X-ECHO "again"\r\n']
    assert await wire.refused(b'X-ECHO ""') == b"NO [CANNOT] There is nothing to say\r\n"
    assert (await wire.refused(b"X-ECHO one two")).startswith(b"BAD ")
    await wire.ok(b"LOGOUT")


async def test_the_example_of_the_documentation_works(make_house: Callable[..., House]) -> None:
    (example,) = re.findall("^```python\n(.*?)^```$", DOCUMENTATION.read_text(), re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {"__name__": "example"}
    exec(example, names)
    wire = await make_house(extensions=(*EXTENSIONS, names["X_ECHO"])).connect()
    assert await wire.ok(b"X-ECHO hello") == [b'* X-ECHO "hello"\r\n']


async def test_what_an_extension_says_of_its_command_holds(make_house: Callable[..., House]) -> None:
    numbered = Verb("X-ECHO", _read, _echo, SELECTED, tells_expunge=False)
    house = make_house(extensions=(*EXTENSIONS, Extension("X-ECHO", verbs=(numbered,))))
    house.services.mailboxes.fill("INBOX", mail("one"))
    wire = await house.logged_in()
    assert (await wire.refused(b"X-ECHO early")).startswith(b"BAD [CLIENTBUG] Not in the state")
    await wire.ok(b"SELECT INBOX")
    house.services.mailboxes.drop("INBOX", 1)
    assert await wire.ok(b"X-ECHO now") == [b'* X-ECHO "now"\r\n']
    assert await wire.ok(b"NOOP") == [b"* 1 EXPUNGE\r\n"]


async def test_other_servers_do_not_know_the_command(house: House) -> None:
    assert await (await house.connect()).refused(b"X-ECHO hello") == b"BAD [CLIENTBUG] Unknown command\r\n"


# -- an extension that adds to FETCH, SEARCH and STATUS


def _render(_: MessageRow, __: Shown, index: MessageIndex, out: list[Piece]) -> None:
    out.append(b"X-FIELDS %d" % len(index.fields))


@dataclass(frozen=True, slots=True)
class HasFields(AddedKey):
    """X-FIELDS: so many header fields."""

    count: int
    depth = Depth.HEADER

    def verdict(self, subject: Subject) -> bool | None:
        """By the header."""
        index = subject.stored_index
        return None if index is None else len(index.fields) == self.count


def _read_key(cursor: Cursor) -> HasFields:
    cursor.space()
    return HasFields(cursor.number())


X_FIELDS = Extension(
    "X-FIELDS",
    fetch_items={"X-FIELDS": lambda _: AddedItem(_render, Depth.HEADER, wants_index=True)},
    search_keys={"X-FIELDS": _read_key},
    status_items=(StatusItem("X-READ", lambda status, _: status.messages - status.unseen),),
)


async def test_an_extension_may_add_a_data_item_a_key_and_a_status_item(make_house: Callable[..., House]) -> None:
    house = make_house(extensions=(*EXTENSIONS, X_FIELDS))
    house.services.mailboxes.fill("INBOX", mail("one"), b"Subject: two\r\nX-Y: z\r\n\r\nText.\r\n")
    wire = await house.selected()
    assert (await wire.ok(b"CAPABILITY"))[0].endswith(b" X-FIELDS\r\n")
    assert await wire.ok(b"FETCH 2 (UID X-FIELDS BODY.PEEK[TEXT])") == [
        b"* 2 FETCH (UID 2 X-FIELDS 2 BODY[TEXT] {7}\r\nText.\r\n)\r\n"
    ]
    assert await wire.ok(b"SEARCH X-FIELDS 2") == [b"* SEARCH 2\r\n"]
    assert await wire.ok(b"UID SORT (ARRIVAL) UTF-8 NOT X-FIELDS 2") == [b"* SORT 1\r\n"]
    await wire.ok(b"FETCH 1 BODY[]")
    assert await wire.ok(b"STATUS INBOX (X-READ MESSAGES)") == [b'* STATUS "INBOX" (X-READ 1 MESSAGES 2)\r\n']
