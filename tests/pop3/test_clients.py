"""poplib against a whole gateway, beside IMAP on the same mailbox, over restarts."""

import imaplib
import poplib
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from gateways import CERTIFIED_NAME, CHANGES, PASSWORD, MailUser

from bmgate.localnet import GatewayProcess, free_hosts, prepare_folder

HEADER = b"From: bob@bm.internal\r\nSubject: test\r\n\r\n"
MAILS = [
    HEADER + body for body in (b"one\r\n", b".\r\n..\r\n.x\r\n", b"\xe4\xff 8 bit\r\n", (b"x" * 70 + b"\r\n") * 5_000)
]


class VerifiedPop3(poplib.POP3_SSL):
    """POP3 over implicit TLS; the certificate must be one for localhost."""

    def _create_socket(self, timeout: float | None) -> ssl.SSLSocket:
        plain = poplib.POP3._create_socket(self, timeout)  # type: ignore[attr-defined] # private, as in the library
        context: ssl.SSLContext = self.context  # type: ignore[attr-defined] # it has no annotation
        return context.wrap_socket(plain, server_hostname=CERTIFIED_NAME)


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailUser]:
    """An account at a gateway of its own."""
    folder = tmp_path_factory.mktemp("pop3") / "data"
    prepare_folder(folder, free_hosts(1)[0], {**CHANGES, ("security", "failures_per_minute"): "1000"}, int(time.time()))
    with GatewayProcess(folder) as gateway:
        gateway.start()
        yield MailUser(gateway, gateway.add_account("alice", PASSWORD))


@contextmanager
def pop3(user: MailUser) -> Iterator[poplib.POP3]:
    """Logged in over TLS; quits at the end."""
    host, port = user.gateway.listener("pop3")
    client = VerifiedPop3(host, port, context=user.tls(), timeout=20)
    try:
        client.user(user.login.user)
        client.pass_(user.login.password)
        yield client
        client.quit()
    finally:
        client.close()


def append(user: MailUser, *mails: bytes) -> None:
    with user.imap() as imap:
        for mail in mails:
            assert imap.append("INBOX", "", "", mail)[0] == "OK"


def empty(imap: imaplib.IMAP4) -> None:
    imap.select("INBOX")
    imap.store("1:*", "+FLAGS", "(\\Deleted)")
    imap.expunge()


def test_poplib_fetches_every_octet_and_deletes_and_imap_sees_it(alice: MailUser) -> None:
    with alice.imap() as imap:
        empty(imap)
        append(alice, *MAILS)
        imap.select("INBOX")
        with pop3(alice) as client:
            assert client.stat() == (len(MAILS), sum(map(len, MAILS)))
            assert client.list()[1] == [b"%d %d" % (n, len(mail)) for n, mail in enumerate(MAILS, 1)]
            for number, mail in enumerate(MAILS, 1):
                status, lines, _ = client.retr(number)
                assert status == b"+OK %d octets" % len(mail)
                assert b"".join(line + b"\r\n" for line in lines) == mail
            assert b"\r\n".join(client.top(1, 0)[1]) + b"\r\n" == HEADER
            assert set(client.capa()) >= {"UIDL", "TOP", "SASL", "PIPELINING", "UTF8"}
            assert client.utf8 is not None
            client.dele(2)
            imap.noop()
            assert imap.untagged_responses.get("EXPUNGE") is None
        imap.noop()
        assert imap.response("EXPUNGE")[1] == [b"2"]
        assert imap.search(None, "ALL")[1] == [b"1 2 3"]


def test_uidls_survive_restarts_and_new_mail_gets_new_ones(alice: MailUser) -> None:
    with alice.imap() as imap:
        empty(imap)
    append(alice, MAILS[0], MAILS[1])
    with pop3(alice) as client:
        before = client.uidl()[1]
    assert alice.gateway.stop() == 0
    alice.gateway.start()
    with alice.imap() as imap:
        imap.select("INBOX")
        imap.store("1", "+FLAGS", "(\\Deleted)")
        imap.expunge()
    append(alice, MAILS[2])
    with pop3(alice) as client:
        after = client.uidl()[1]
    assert after[0].split()[1] == before[1].split()[1]
    assert after[1].split()[1] not in {line.split()[1] for line in before}
    assert all(len(line.split()[1]) <= 70 for line in after)


def test_a_gateway_killed_before_quit_keeps_all_and_after_it_nothing_comes_back(alice: MailUser) -> None:
    with alice.imap() as imap:
        empty(imap)
    append(alice, *MAILS)
    with suppress(poplib.error_proto, OSError), pop3(alice) as client:
        client.dele(1)
        alice.gateway.kill()
    alice.gateway.start()
    with pop3(alice) as client:
        assert client.stat()[0] == len(MAILS)
        client.dele(1)
        client.dele(3)
    alice.gateway.kill()
    alice.gateway.start()
    with pop3(alice) as client:
        assert client.stat()[0] == len(MAILS) - 2


def test_stls_and_one_session_at_a_time(alice: MailUser) -> None:
    host, port = alice.gateway.listener("pop3 starttls")
    context = alice.tls()
    context.check_hostname = False  # poplib checks the address it dialled
    first = poplib.POP3(host, port, timeout=20)
    first.stls(context)
    first.user(alice.login.user)
    first.pass_(alice.login.password)
    second = poplib.POP3(host, port, timeout=20)
    second.user(alice.login.user)
    with pytest.raises(poplib.error_proto, match=r"\[IN-USE\]"):
        second.pass_(alice.login.password)
    first.quit()
    second.user(alice.login.user)
    second.pass_(alice.login.password)
    second.quit()


def test_a_wrong_password_is_told_with_its_code(alice: MailUser) -> None:
    host, port = alice.gateway.listener("pop3 starttls")
    client = poplib.POP3(host, port, timeout=20)
    client.user("nobody")
    with pytest.raises(poplib.error_proto, match=r"-ERR \[AUTH\] Wrong user name or password"):
        client.pass_("wrong")
    client.quit()
