"""curl over STARTTLS, with either mechanism, and its APPEND."""

from pathlib import Path

import pytest
from gateways import CERTIFIED_NAME, MailUser, plain_mail
from interop.mail_programs.programs import needs, port, run, wait_for_subjects

pytestmark = needs("curl")

WRONG_PASSWORD = 67  # CURLE_LOGIN_DENIED


def curl(user: MailUser, scheme: str, door: str, path: str, *arguments: str, expected: int = 0) -> str:
    own = ("--silent", "--show-error", "--ssl-reqd", "--cacert", str(user.authority))
    login = ("--user", f"{user.login.user}:{user.login.password}")
    address = f"{scheme}://{CERTIFIED_NAME}:{port(user, door)}{path}"
    return run("curl", *own, *login, address, *arguments, expected=expected)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize(("scheme", "door"), [("smtp", "smtp starttls"), ("smtps", "smtp")])
def test_curl_sends(
    mail_pair: tuple[MailUser, MailUser], tmp_path: Path, scheme: str, door: str, mechanism: str
) -> None:
    alice, bob = mail_pair
    subject = f"curl {scheme} {mechanism}"
    letter = tmp_path / "letter.eml"
    letter.write_bytes(plain_mail(alice, bob, subject, "text"))
    envelope = ("--mail-from", alice.address, "--mail-rcpt", bob.address, "--upload-file", str(letter))
    curl(alice, scheme, door, "/", "--login-options", f"AUTH={mechanism}", *envelope)
    wait_for_subjects(bob, subject)


@pytest.mark.parametrize(("scheme", "door"), [("imap", "imap starttls"), ("imaps", "imap")])
def test_curl_appends_finds_and_reads(
    mail_pair: tuple[MailUser, MailUser], tmp_path: Path, scheme: str, door: str
) -> None:
    alice, bob = mail_pair
    letter = tmp_path / "letter.eml"
    letter.write_bytes(plain_mail(alice, bob, f"Kept by {scheme}", "text"))
    curl(alice, scheme, door, "/Archive", "--upload-file", str(letter))
    found = curl(alice, scheme, door, f"/Archive?SUBJECT%20%22Kept%20by%20{scheme}%22")
    number = found.split()[-1]
    assert found.startswith("* SEARCH ")
    assert curl(alice, scheme, door, f"/Archive;MAILINDEX={number}") == letter.read_text().replace("\r\n", "\n")
    curl(alice, scheme, door, "/", "--user", f"{alice.login.user}:wrong", expected=WRONG_PASSWORD)
