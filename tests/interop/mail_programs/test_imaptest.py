"""imaptest, the public test suite of Dovecot's authors: its scripts for the protocol, and its clients under stress.

BMGATE_IMAPTEST names a folder in which it was built; the scripts are read from there too.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest
from gateways import PASSWORD, MailUser
from interop.mail_programs.programs import port, run

BUILT = Path(os.environ.get("BMGATE_IMAPTEST", "/nonexistent"))
PROGRAM, SCRIPTS = BUILT / "src" / "imaptest", BUILT / "src" / "tests"
FAILED = re.compile(r"(\d+) test groups: (\d+) failed|(?:base protocol|extensions): (\d+)/")
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not PROGRAM.exists(), reason="BMGATE_IMAPTEST names no build of imaptest"),
]


@pytest.fixture(scope="module")
def command(mail_pair: tuple[MailUser, MailUser]) -> tuple[str, ...]:
    """For an account of its own, whose mail it throws away."""
    alice, _ = mail_pair
    user = alice.gateway.add_account("imaptest", PASSWORD).user
    return (str(PROGRAM), "host=127.0.0.1", f"port={port(alice, 'imap starttls')}", f"user={user}", f"pass={PASSWORD}")


def test_no_script_of_imaptest_fails(command: tuple[str, ...]) -> None:
    told = run(*command, f"test={SCRIPTS}", "box=scripts")
    groups, *parts = FAILED.findall(told)
    assert int(groups[0]) > 50
    assert [groups[1], *(failed for _, _, failed in parts)] == ["0", "0", "0"], told


@pytest.mark.parametrize("words", [[], ["qresync"], ["imap4rev2"]], ids=["plain", "qresync", "rev2"])
def test_clients_of_imaptest_that_do_as_they_like_see_one_mailbox(command: tuple[str, ...], words: list[str]) -> None:
    settings = (f"mbox={SCRIPTS / 'default.mbox'}", "clients=10", "secs=10", "seed=1")
    done = subprocess.run([*command, *settings, *words], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
