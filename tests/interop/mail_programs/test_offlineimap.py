"""offlineimap keeps a Maildir and an account alike.

Over implicit TLS: behind STARTTLS its library at times waits for ever, reading while it should write.
"""

from pathlib import Path

from gateways import CERTIFIED_NAME, MailUser
from interop.mail_programs.programs import deliver, holdings, needs, port, run, write_private

pytestmark = needs("offlineimap")

SETTINGS = """
[general]
metadata = {place}/metadata
accounts = gateway
ui = quiet
[Account gateway]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {place}/mail
[Repository far]
type = IMAP
remotehost = {host}
remoteport = {port}
remoteuser = {user}
remotepass = {password}
ssl = yes
sslcacertfile = {authority}
"""


def test_offlineimap_carries_changes_both_ways_and_then_nothing(
    mail_pair: tuple[MailUser, MailUser], tmp_path: Path
) -> None:
    alice, bob = mail_pair
    deliver(bob, alice, "For offlineimap")
    text = SETTINGS.format(
        place=tmp_path,
        host=CERTIFIED_NAME,
        port=port(alice, "imap"),
        user=alice.login.user,
        password=alice.login.password,
        authority=alice.authority,
    )
    command = ("offlineimap", "-c", str(write_private(tmp_path / "offlineimaprc", text)), "-o")
    run(*command)
    (tmp_path / "mail" / "Drafts" / "cur" / "1_0.1.here:2,DS").write_text("Subject: Made here\n\nlocal\n")
    inbox = tmp_path / "mail" / "INBOX"
    mail = next(path for path in inbox.rglob("*") if path.is_file())
    mail.rename(inbox / "cur" / (mail.name.partition(":2,")[0] + ":2,FRS"))
    run(*command)
    far = holdings(alice)
    assert any(flags >= {b"\\Draft", b"\\Seen"} for flags, _ in far["Drafts"].values())
    assert any(flags >= {b"\\Flagged", b"\\Answered", b"\\Seen"} for flags, _ in far["INBOX"].values())
    near = sorted(path for path in (tmp_path / "mail").rglob("*") if path.is_file())
    run(*command)
    assert holdings(alice) == far
    assert sorted(path for path in (tmp_path / "mail").rglob("*") if path.is_file()) == near
    assert len(near) == sum(map(len, far.values()))
