"""msmtp, which refuses to send when DSN is asked for and not offered."""

from pathlib import Path

import pytest
from gateways import CERTIFIED_NAME, MailUser, plain_mail
from interop.mail_programs.programs import needs, port, run, wait_for_subjects, write_private

pytestmark = needs("msmtp")

SETTINGS = """
account gateway
host {host}
port {port}
auth {mechanism}
user {user}
password "{password}"
from {address}
tls on
tls_starttls {starttls}
tls_trust_file {authority}
"""


@pytest.mark.parametrize("mechanism", ["plain", "login"])
@pytest.mark.parametrize("door", ["smtp", "smtp starttls"])
def test_msmtp_sends_and_gets_the_notice_it_asks_for(
    mail_pair: tuple[MailUser, MailUser], tmp_path: Path, door: str, mechanism: str
) -> None:
    alice, bob = mail_pair
    text = SETTINGS.format(
        host=CERTIFIED_NAME,
        port=port(alice, door),
        mechanism=mechanism,
        user=alice.login.user,
        password=alice.login.password,
        address=alice.address,
        starttls="on" if door == "smtp starttls" else "off",
        authority=alice.authority,
    )
    command = ("msmtp", "-C", str(write_private(tmp_path / "msmtprc", text)), "-a", "gateway")
    subject = f"msmtp {door} {mechanism}"
    letter = plain_mail(alice, bob, subject, "text").decode()
    run(*command, "--dsn-notify=success,failure,delay", "--dsn-return=hdrs", bob.address, given=letter)
    wait_for_subjects(bob, subject)
    wait_for_subjects(alice, f"Delivered: {subject}")
