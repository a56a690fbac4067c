"""Real clients over a real socket: imaplib and IMAPClient, each in a thread of its own."""

import asyncio
import imaplib
from collections.abc import Callable
from typing import Any

import imapclient
import pytest
from door_accounts import PASSWORD
from imap.fake_services import NOW
from imap.wire import House
from twisted.internet.ssl import CertificateOptions
from wires import mail

NAMES = ["Entwürfe & mehr", 'a "quoted" \\ name', "deep/er", "台北"]


async def run(work: Callable[[], Any]) -> Any:
    async with asyncio.timeout(10):
        return await asyncio.to_thread(work)


async def test_imaplib_reads_writes_moves_and_searches(house: House) -> None:
    house.services.mailboxes.fill("INBOX", mail("one"), mail("two"))

    def work() -> None:
        with imaplib.IMAP4("127.0.0.1", house.number) as client:
            client.authenticate("PLAIN", lambda _: b"\0alice\0" + PASSWORD.encode())
            assert client.select()[1] == [b"2"]
            assert client.search(None, "SUBJECT", "two")[1] == [b"2"]
            assert client.fetch("1", "(RFC822)")[1][0][1] == mail("one")  # type: ignore[index]
            assert client.append("Drafts", "(\\Draft)", imaplib.Time2Internaldate(NOW), mail("draft"))[0] == "OK"
            assert client.response("APPENDUID")[1] == [b"%d 1" % (NOW + 2)]
            assert client.uid("MOVE", "1", "Archive")[0] == "OK"
            assert client.copy("1", "Trash")[0] == "OK"
            assert client.store("1", "+FLAGS", "(\\Deleted $done)")[1] == [b"1 (UID 2 FLAGS (\\Deleted $done))"]
            assert client.expunge()[0] == "OK"
            assert client.search(None, "ALL")[1] == [b""]
            assert client.status("Archive", "(MESSAGES)")[1] == [b'"Archive" (MESSAGES 1)']
            assert client.create('"my box"')[0] == "OK"
            assert b'(\\HasNoChildren) "/" "my box"' in client.list()[1]
            assert client.namespace()[1] == [b'(("" "/")) NIL NIL']
            assert client.close()[0] == "OK"

    await run(work)


async def test_imaplib_hears_no_for_a_wrong_password(house: House) -> None:
    def work() -> None:
        client = imaplib.IMAP4("127.0.0.1", house.number)
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            client.login("alice", "wrong")
        client.logout()

    await run(work)


async def test_imapclient_does_all_it_can(house: House) -> None:
    house.services.mailboxes.fill("INBOX", mail("Grüße"), mail("two", sender="x@y.example"))

    def work() -> None:
        with imapclient.IMAPClient("127.0.0.1", house.number, ssl=False) as client:
            client.plain_login("alice", PASSWORD)
            assert client.has_capability("MOVE")
            assert client.id_({"name": "test"}) == ((b"name", b"bmgate"),)
            assert client.namespace().personal == (("", "/"),)
            selected = client.select_folder("INBOX")
            assert (selected[b"EXISTS"], selected[b"UIDNEXT"]) == (2, 3)
            assert client.search(["SUBJECT", "Grüße"], charset="UTF-8") == [1]
            answer = client.fetch([1, 2], ["ENVELOPE", "BODYSTRUCTURE", "FLAGS", "INTERNALDATE", "BODY.PEEK[TEXT]"])
            assert answer[2][b"ENVELOPE"].subject == b"two"
            assert answer[2][b"BODY[TEXT]"] == b"Text.\r\n"
            assert client.add_flags([1], [b"$Label1"])[1] == (b"$Label1",)
            assert client.get_flags([1])[1] == (b"$Label1",)
            for name in NAMES:
                client.create_folder(name)
            assert set(NAMES) <= {name for _, _, name in client.list_folders()}
            assert client.find_special_folder(b"\\Trash") == "Trash"
            client.move([1], NAMES[0])
            assert client.folder_status(NAMES[0], ["MESSAGES"]) == {b"MESSAGES": 1}
            client.idle()
            asyncio.run_coroutine_threadsafe(deliver(), loop).result()
            assert client.idle_check(timeout=2) == [(2, b"EXISTS")]
            client.idle_done()
            client.delete_messages([2])
            client.uid_expunge([2])
            assert client.search() == [3]
            client.multiappend("Archive", [mail("three"), {"msg": mail("four"), "flags": ["\\Seen"]}])
            assert client.folder_status("Archive", ["MESSAGES"]) == {b"MESSAGES": 2}
            client.unselect_folder()

    async def deliver() -> None:
        house.services.mailboxes.fill("INBOX", mail("three"))

    loop = asyncio.get_running_loop()
    await run(work)


async def test_imapclient_starts_tls(
    make_house: Callable[..., House], server_tls: CertificateOptions, client_tls: Any
) -> None:
    house = make_house(starttls=server_tls, allow_plaintext=False)

    def work() -> None:
        with imapclient.IMAPClient("localhost", house.number, ssl=False) as client:
            with pytest.raises(imapclient.exceptions.LoginError):
                client.login("alice", "x")
            client.starttls(client_tls)
            client.plain_login("alice", PASSWORD)
            client.select_folder("INBOX")

    await run(work)
