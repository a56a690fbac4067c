"""aerc lists, reads, moves and flags, in a terminal."""

from pathlib import Path

from gateways import CERTIFIED_NAME, MailUser, wait_for
from interop.mail_programs.programs import deliver, holdings, needs, port, wait_for_subjects, write_private
from interop.mail_programs.terminal import terminal

pytestmark = needs("aerc")

ACCOUNT = """
[here]
source = imaps://{user}:{password}@{host}:{port}
default = INBOX
from = Alice <{address}>
cache-headers = false
"""


def test_aerc_lists_reads_flags_and_moves(mail_pair: tuple[MailUser, MailUser], tmp_path: Path) -> None:
    alice, bob = mail_pair
    deliver(bob, alice, "Aerc shall read this")
    (tmp_path / "aerc").mkdir()
    text = ACCOUNT.format(
        user=alice.login.user.replace("@", "%40"),
        password=alice.login.password.replace(" ", "%20"),
        host=CERTIFIED_NAME,
        port=port(alice, "imap"),
        address=alice.address,
    )
    write_private(tmp_path / "aerc" / "accounts.conf", text)
    environ = {
        **{name: str(tmp_path) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")},
        "SSL_CERT_FILE": str(alice.authority),
    }
    copy = tmp_path / "copy"
    with terminal(("aerc",), environ) as aerc:
        aerc.expect("Aerc shall read this")
        aerc.type(":search -b text of Aerc\r")
        aerc.type(f":pipe -b tee {copy}\r")
        wait_for(copy.exists, bool, "the mail")
        aerc.type(":flag -x Flagged\r")
        aerc.type(":mv Archive\r")
        wait_for_subjects(alice, "Aerc shall read this", mailbox="Archive")
        aerc.type(":quit\r")
        assert aerc.wait() == 0
    assert "text of Aerc shall read this" in copy.read_text()
    held = [flags for flags, mail in holdings(alice)["Archive"].values() if b"Aerc shall read this" in mail]
    assert [b"\\Flagged" in flags for flags in held] == [True]
