"""Maildirs: what we write is read again, and what Dovecot, Courier and notbit write is understood."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.domain.mailbox import Flags
from bmgate.domain.moving import MovedMail
from bmgate.errors import BadImport
from bmgate.foreign.adapter import DiskFiles
from bmgate.foreign.maildir import read_maildir

RAW = b"Subject: x\r\n\r\ntext\r\n"
LEVELS = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters='/*%\\"'), min_size=1, max_size=8)


def write(tmp_path: Path, *mails: MovedMail) -> Path:
    target = tmp_path / "Maildir"
    with DiskFiles(tmp_path / "gateway").new_maildir(target) as folder:
        folder.add(mails)
    return target


def test_mails_flags_keywords_and_dates_survive_the_round_trip(tmp_path: Path) -> None:
    mails = [
        MovedMail("INBOX", RAW, Flags.SEEN | Flags.DRAFT, ("bm-acked", "$Forwarded"), 5),
        MovedMail("INBOX", RAW + b"2\r\n", Flags.NONE, ("$Label1",), 1_700_000_000),
        MovedMail("Own/Deep.er ü & co", RAW, Flags.FLAGGED | Flags.ANSWERED | Flags.DELETED, (), 7),
    ]
    target = write(tmp_path, *mails)
    found = [mail._replace(keywords=tuple(sorted(mail.keywords))) for mail in read_maildir(target, "")]
    assert sorted(found) == sorted(mail._replace(keywords=tuple(sorted(mail.keywords))) for mail in mails)
    assert {path.stat().st_mode & 0o777 for path in target.rglob("*") if path.is_file()} == {0o600}


@given(st.lists(LEVELS, min_size=1, max_size=3).map("/".join))
def test_mailbox_names_lead_nowhere_else(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.mktemp("maildir")
    target = write(folder, MovedMail(name, RAW, internaldate=5))
    assert [mail.mailbox for mail in read_maildir(target, "")] == [name]
    assert os.listdir(folder) == ["Maildir"]


@pytest.mark.parametrize("name", ["..", ".", "a/../../b", "&AC4ALg-", "-", "~", "x" * 200])
def test_e8_path_traversal_is_impossible(tmp_path: Path, name: str) -> None:
    target = write(tmp_path, MovedMail(name, RAW, internaldate=5))
    assert os.listdir(tmp_path) == ["Maildir"]
    assert len(list(read_maildir(target, ""))) == 1


def test_nested_folders_and_new_mail_are_read(tmp_path: Path) -> None:
    for place in ("new/1.x", "cur/2.x:2,S", "Work/cur/3.x:2,", ".Sent.2025/cur/4.x:2,RSa", "cur/.hidden", "tmp/5.x"):
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"Subject: x\n\ntext\n")
    (tmp_path / ".Sent.2025" / "dovecot-keywords").write_text("0 $Label1\nnonsense\n1000 x\n")
    found = {(mail.mailbox, mail.flags, mail.keywords) for mail in read_maildir(tmp_path, "")}
    assert found == {
        ("INBOX", Flags.NONE, ()),
        ("INBOX", Flags.SEEN, ()),
        ("Work", Flags.NONE, ()),
        ("Sent/2025", Flags.SEEN | Flags.ANSWERED, ("$Label1",)),
    }
    assert all(mail.raw == RAW for mail in read_maildir(tmp_path, ""))


def test_e8_links_in_a_maildir_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(RAW)
    folder = tmp_path / "Maildir"
    (folder / "cur").mkdir(parents=True)
    (folder / "cur" / "1.x:2,S").symlink_to(secret)
    (folder / ".Link").symlink_to(tmp_path)
    assert list(read_maildir(folder, "")) == []


def test_a_folder_that_is_no_maildir_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadImport, match="no Maildir"):
        list(read_maildir(tmp_path, ""))
