"""IMAP libraries of Python that scripts use; IMAPClient is in every run (`tests/imap/test_clients.py`)."""

from typing import Any

import pytest
from gateways import CERTIFIED_NAME, MailUser
from interop.mail_programs.programs import deliver, port

pytestmark = pytest.mark.interop

LETTER = b"Subject: Kept\r\n\r\ntext\r\n"


def test_imap_tools_does_what_its_manual_shows(mail_pair: tuple[MailUser, MailUser]) -> None:
    imap_tools: Any = pytest.importorskip("imap_tools", reason="imap-tools is not installed")
    alice, bob = mail_pair
    deliver(bob, alice, "Grüße an imap-tools")
    with imap_tools.MailBox(CERTIFIED_NAME, port(alice, "imap"), ssl_context=alice.tls()).login(
        alice.login.user, alice.login.password
    ) as box:
        found = list(box.fetch(imap_tools.AND(subject="Grüße an"), charset="utf8", mark_seen=False))
        assert [mail.subject for mail in found] == ["Grüße an imap-tools"]
        box.folder.create("Für später")
        box.copy([found[0].uid], "Für später")
        box.folder.set("Für später")
        box.flag(box.uids(), ["\\Flagged", "later"], True)
        assert len(box.uids(imap_tools.AND(keyword="later", flagged=True))) == 1
        box.move(box.uids(), "Archive")
        assert box.folder.status("Für später")["MESSAGES"] == 0
        box.folder.set("INBOX")
        box.folder.delete("Für später")
        box.append(LETTER, "Archive", flag_set=["\\Seen"])


async def test_aioimaplib_does_what_its_manual_shows(mail_pair: tuple[MailUser, MailUser]) -> None:
    aioimaplib: Any = pytest.importorskip("aioimaplib", reason="aioimaplib is not installed")
    alice, bob = mail_pair
    deliver(bob, alice, "For aioimaplib")
    client = aioimaplib.IMAP4_SSL(CERTIFIED_NAME, port(alice, "imap"), ssl_context=alice.tls())
    await client.wait_hello_from_server()
    assert (await client.login(alice.login.user, alice.login.password)).result == "OK"
    assert (await client.id(name="test", version="1")).result == "OK"
    assert (await client.select()).result == "OK"
    for answer in (
        await client.uid("fetch", "1:*", "(FLAGS RFC822.SIZE BODY.PEEK[])"),
        await client.uid_search("ALL"),
        await client.append(LETTER, "Archive"),
        await client.namespace(),
        await client.store("1", "+FLAGS", "(\\Flagged)"),
        await client.copy("1", "Archive"),
        await client.logout(),
    ):
        assert answer.result == "OK", answer
