"""swaks over both ports with both mechanisms."""

import subprocess

import pytest
from gateways import CERTIFIED_NAME, MailUser
from interop.mail_programs.programs import needs, port, run, wait_for_subjects

pytestmark = needs("swaks")


def test_swaks_sends_over_both_ports_with_both_mechanisms(mail_pair: tuple[MailUser, MailUser]) -> None:
    alice, bob = mail_pair
    if subprocess.run(["swaks", "--support"], capture_output=True, check=False).stdout.count(b"TLS supported") == 0:
        pytest.skip("swaks has no TLS here")
    subjects = []
    for door, tls in (("smtp", "--tls-on-connect"), ("smtp starttls", "--tls")):
        for mechanism in ("PLAIN", "LOGIN"):
            subjects.append(f"swaks {door} {mechanism}")
            run(
                *("swaks", "--server", CERTIFIED_NAME, "--port", str(port(alice, door)), tls, "--tls-verify"),
                *("--tls-ca-path", str(alice.authority), "--auth", mechanism, "--auth-user", alice.login.user),
                *("--auth-password", alice.login.password, "--from", alice.address, "--to", bob.address),
                *("--pipeline", "--header", f"Subject: {subjects[-1]}"),
            )
    wait_for_subjects(bob, *subjects)
