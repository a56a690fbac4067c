"""fetchmail takes every mail once."""

from pathlib import Path

import pytest
from gateways import CERTIFIED_NAME, MailUser
from interop.mail_programs.programs import deliver, holdings, needs, port, run, write_private

pytestmark = needs("fetchmail")

NOTHING_NEW = 1
SETTINGS = """
set no bouncemail
poll {host} service {port} protocol imap user "{user}" password "{password}" {tls}
  sslcertfile {authority} sslcertck keep mda "cat >> {box}"
"""


@pytest.mark.parametrize(("door", "tls"), [("imap", "ssl"), ("imap starttls", 'sslproto "TLS1.2+"')])
def test_fetchmail_takes_every_mail_once(
    mail_pair: tuple[MailUser, MailUser], tmp_path: Path, door: str, tls: str
) -> None:
    alice, bob = mail_pair
    subject = f"fetchmail {door}"
    deliver(bob, alice, subject)
    box = tmp_path / "box"
    text = SETTINGS.format(
        host=CERTIFIED_NAME,
        port=port(alice, door),
        user=alice.login.user,
        password=alice.login.password,
        tls=tls,
        authority=alice.authority,
        box=box,
    )
    command = ("fetchmail", "--nosyslog", "-f", str(write_private(tmp_path / "fetchmailrc", text)))
    run(*command, environ={"FETCHMAILHOME": str(tmp_path)})
    assert box.read_text().count(f"\nSubject: {subject}\n") == 1
    run(*command, expected=NOTHING_NEW, environ={"FETCHMAILHOME": str(tmp_path)})
    assert all(b"\\Seen" in flags for flags, _ in holdings(alice)["INBOX"].values())
