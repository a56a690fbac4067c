"""mbsync keeps a Maildir and an account alike, both ways."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from gateways import CERTIFIED_NAME, MailUser
from interop.mail_programs.programs import deliver, holdings, imap_client, needs, port, run, write_private

pytestmark = needs("mbsync")

SETTINGS = """
IMAPAccount gateway
Host {host}
Port {port}
User {user}
Pass "{password}"
SSLType {tls}
CertificateFile {authority}

IMAPStore far
Account gateway

MaildirStore near
Path {folder}/
Inbox {folder}/INBOX
SubFolders Verbatim

Channel both
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
"""
DRAFT = "From: a@here.test\nTo: b@here.test\nSubject: Made here\n\nlocal\n"


def settings(user: MailUser, place: Path, tls: str) -> Path:
    door = "imap" if tls == "IMAPS" else "imap starttls"
    text = SETTINGS.format(
        host=CERTIFIED_NAME,
        port=port(user, door),
        user=user.login.user,
        password=user.login.password,
        tls=tls,
        authority=user.authority,
        folder=place / "mail",
    )
    return write_private(place / "mbsyncrc", text)


def mails(folder: Path) -> list[Path]:
    """The mails of a Maildir, or of all below a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.parent.name in ("cur", "new"))


def subjects(paths: Iterable[Path]) -> list[str]:
    found = (re.search(rb"(?m)^Subject: (.*?)\r?$", path.read_bytes()) for path in paths)
    return sorted(match[1].decode() for match in found if match)


@pytest.mark.parametrize("tls", ["IMAPS", "STARTTLS"])
def test_mbsync_carries_changes_both_ways_and_then_nothing(
    mail_pair: tuple[MailUser, MailUser], tmp_path: Path, tls: str
) -> None:
    alice, bob = mail_pair
    kept, thrown = f"Kept {tls}", f"Thrown {tls}"
    deliver(bob, alice, kept, thrown)
    local = tmp_path / "mail"
    local.mkdir()
    command = ("mbsync", "-q", "-c", str(settings(alice, tmp_path, tls)), "-a")
    run(*command)
    inbox = mails(local / "INBOX")
    assert {kept, thrown} <= set(subjects(inbox))

    (local / "Drafts" / "cur" / "1.made.here:2,DS").write_text(DRAFT)
    path = next(path for path in inbox if subjects([path]) == [kept])
    path.rename(local / "INBOX" / "cur" / (path.name.partition(":2,")[0] + ":2,FRS"))
    for part in ("cur", "new", "tmp"):
        (local / f"Neu {tls}" / part).mkdir(parents=True)
    with imap_client(alice) as client:
        client.delete_messages(client.search(["SUBJECT", thrown]))
        client.expunge()
    run(*command)
    with imap_client(alice) as client:
        flags = client.get_flags(client.search(["SUBJECT", kept])).popitem()[1]
        assert set(flags) == {b"\\Flagged", b"\\Answered", b"\\Seen"}
        assert client.folder_exists(f"Neu {tls}")
        client.select_folder("Drafts")
        drafts = client.search(["SUBJECT", "Made here"])
        assert client.get_flags(drafts) == {drafts[0]: (b"\\Seen", b"\\Draft")}
        client.delete_messages(drafts)
        client.expunge()
    run(*command)
    assert thrown not in subjects(mails(local / "INBOX"))
    assert not mails(local / "Drafts")

    far, near = holdings(alice), mails(local)
    run(*command)
    assert (holdings(alice), mails(local)) == (far, near)
    assert len(near) == sum(map(len, far.values()))
