"""An account gets another name while its owner's mail programs are logged in."""

import poplib
import smtplib
import ssl
from collections.abc import Iterator

import pytest
from gateways import MailUser, plain_mail, submit

Pair = tuple[MailUser, MailUser]


@pytest.fixture
def alice(pair: Pair) -> Iterator[MailUser]:
    yield pair[0]
    pair[0].gateway.call("account.rename", name=pair[0].login.address, new_name="alice")


def test_sessions_go_on_under_another_name(alice: MailUser) -> None:
    raw = plain_mail(alice, alice, "To myself", "while I am renamed")
    host, port = alice.gateway.listener("pop3 starttls")
    pop = poplib.POP3(host, port, timeout=20)
    pop.stls(_named_otherwise(alice))
    pop.user(alice.login.user)
    pop.pass_(alice.login.password)
    with alice.imap() as imap, alice.smtp() as smtp:
        alice.gateway.call("account.rename", name="alice", new_name="alicia")
        assert submit(smtp, alice, raw, [alice])
        assert smtp.mail("alicia@bm.internal")[0] == 250
        smtp.rset()
        assert smtp.mail("alice@bm.internal")[0] == 553
        assert imap.noop()[0] == "OK"
        assert imap.status("Sent", "(MESSAGES)")[0] == "OK"
        assert pop.noop().startswith(b"+OK")
        pop.quit()
    with pytest.raises(smtplib.SMTPAuthenticationError), alice.smtp():
        pass


def _named_otherwise(user: MailUser) -> ssl.SSLContext:
    """poplib cannot be told another name than the host's; the CA is checked."""
    context = user.tls()
    context.check_hostname = False
    return context
