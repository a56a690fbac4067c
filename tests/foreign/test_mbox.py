"""mbox files: what we write is read again byte for byte, and what others write is understood."""

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moving_fixtures import mbox_of

from bmgate.domain.mailbox import Flags
from bmgate.domain.moving import MovedMail
from bmgate.errors import BadImport, Conflict
from bmgate.foreign import mbox
from bmgate.foreign.adapter import DiskFiles
from bmgate.foreign.mbox import PORTION, MboxFolder, read_mbox
from bmgate.mail.dates import MAX_TIME

STORED = Flags.SEEN | Flags.ANSWERED | Flags.FLAGGED | Flags.DELETED | Flags.DRAFT
LINES = st.text("ab>From :-\té\u2028", max_size=30).map(str.encode)
MAILS = st.builds(
    MovedMail,
    mailbox=st.just("INBOX"),
    raw=st.lists(LINES, min_size=1, max_size=8).map(lambda lines: b"Subject: x\r\n\r\n" + b"\r\n".join([*lines, b""])),
    flags=st.integers(0, int(STORED)).map(Flags),
    keywords=st.lists(st.sampled_from(["$Label1", "bm-acked", "a+b"]), unique=True).map(tuple),
    internaldate=st.integers(0, 4_000_000_000),
    of=st.none(),
    known_by=st.just(""),
    saved_at=st.none(),
)
FILE = """From someone@example.org Sat Nov 21 20:15:00 2026
Subject: first
Status: RO

>From the start
From here on it is text
From nobody Sat Nov 21 20:15:00 2026

From - Sat Nov 21 20:16:00 2026
X-Mozilla-Status: 0007
X-Mozilla-Keys: $label1
Subject: second

text

From - Sat Nov 21 20:17:00 2026
X-Mozilla-Status: 0009
Subject: gone

text
"""


def files(tmp_path: Path) -> DiskFiles:
    return DiskFiles(tmp_path / "gateway")


@given(st.lists(MAILS, max_size=5))
def test_mails_survive_the_round_trip(tmp_path_factory: pytest.TempPathFactory, mails: list[MovedMail]) -> None:
    path = tmp_path_factory.mktemp("mbox") / "box"
    path.write_bytes(mbox_of(*mails))
    assert list(read_mbox(path, "INBOX")) == mails


@pytest.mark.parametrize("lines", [b"x\r\n", b"From \r\n", b">From x\r\n"])
def test_large_mails_survive_the_round_trip_portion_by_portion(tmp_path: Path, lines: bytes) -> None:
    raw = b"Subject: x\r\n\r\n" + lines * (2 * PORTION // len(lines))
    mails = [MovedMail("INBOX", raw, internaldate=5), MovedMail("INBOX", b"", internaldate=5)]
    (tmp_path / "box").write_bytes(mbox_of(*mails))
    assert list(read_mbox(tmp_path / "box", "INBOX")) == mails


def test_a_mail_of_very_short_lines_takes_little_memory_beside_itself(tmp_path: Path) -> None:
    lines = b"\r\n" * (2 * PORTION)
    mail = MovedMail("INBOX", b"Subject: x\r\n\r\n" + lines, internaldate=5)
    less = mail._replace(raw=mail.raw[:200_000])
    (tmp_path / "less").write_bytes(mbox_of(less))
    tracemalloc.start()
    try:
        MboxFolder(tmp_path).add([mail])
        written = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        assert list(read_mbox(tmp_path / "less", "INBOX")) == [less]
        read = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert written < 8 * PORTION
    assert read < 5 * len(less.raw)


def test_one_giant_line_is_a_mail(tmp_path: Path) -> None:
    mail = MovedMail("INBOX", b"Subject: x\r\n\r\n" + b"x" * (3 * PORTION) + b"\r\n", internaldate=5)
    (tmp_path / "box").write_bytes(mbox_of(mail))
    assert list(read_mbox(tmp_path / "box", "INBOX")) == [mail]


def test_a_mail_larger_than_any_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mbox, "MAX_MAIL", 1_000)
    (tmp_path / "box").write_bytes(mbox_of(MovedMail("INBOX", b"Subject: x\r\n\r\n" + b"x" * 2_000)))
    with pytest.raises(BadImport, match="more than 1000 bytes"):
        list(read_mbox(tmp_path / "box", "INBOX"))


def test_a_file_of_other_programs_is_understood(tmp_path: Path) -> None:
    path = tmp_path / "Old mail.mbox"
    path.write_text(FILE)
    first, second = read_mbox(path, "")
    assert first.raw.splitlines()[2:4] == [b"From the start", b"From here on it is text"]
    assert (first.mailbox, first.flags, first.internaldate) == ("Old mail", Flags.SEEN, 1_795_292_100)
    assert (second.flags, second.keywords) == (Flags.SEEN | Flags.ANSWERED | Flags.FLAGGED, ("$label1",))
    assert second.raw == b"Subject: second\r\n\r\ntext\r\n"


def test_a_folder_of_files_becomes_mailboxes(tmp_path: Path) -> None:
    mails = [
        MovedMail(name, b"Subject: x\r\n\r\ntext\r\n", internaldate=5) for name in ("INBOX", "Own/Deep.er ü", "..")
    ]
    target = tmp_path / "out"
    with files(tmp_path).new_mbox_folder(target) as folder:
        folder.make("Empty")
        folder.add(mails)
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*.mbox")) == [
        "%2E%2E.mbox",
        "Empty.mbox",
        "INBOX.mbox",
        "Own/Deep%2Eer ü.mbox",
    ]
    assert {path.stat().st_mode & 0o777 for path in target.rglob("*.mbox")} == {0o600}
    assert sorted(read_mbox(target, "")) == sorted(mails)
    with pytest.raises(Conflict), files(tmp_path).new_mbox_folder(target):
        pass


@pytest.mark.parametrize("data", [b"\x80\x04K\x05.", b"Subject: no mbox\n\ntext\n", b"\0" * 100])
def test_e8_what_is_no_mbox_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(BadImport, match="no mbox"):
        list(read_mbox(path, ""))


def test_e8_links_and_devices_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(mbox_of(MovedMail("x", b"Subject: secret\r\n\r\n")))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(secret)
    with pytest.raises(BadImport, match="no mbox"):
        list(read_mbox(folder, ""))
    with pytest.raises(BadImport, match="regular"):
        list(read_mbox(Path("/dev/zero"), ""))


@given(st.binary(max_size=400))
def test_arbitrary_bytes_behind_a_separator_are_mails(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("mbox") / "box"
    path.write_bytes(b"From x\n" + data)
    assert all(b"\0" not in mail.raw for mail in read_mbox(path, "INBOX"))


def test_what_fails_leaves_no_folder(tmp_path: Path) -> None:
    def fail() -> None:
        with files(tmp_path).new_mbox_folder(tmp_path / "out") as folder:
            folder.make("INBOX")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("text", ["", "x", "x{end}{end}", "{end}"])
def test_one_empty_line_before_the_next_mail_is_its_gap(tmp_path: Path, end: str, text: str) -> None:
    body = text.format(end=end) + end if text else ""
    mail = f"From - Sat Nov 21 20:16:00 2026{end}Subject: x{end}{end}{body}{end}"
    path = tmp_path / "box"
    path.write_bytes((mail * 2).encode())
    expected = f"Subject: x{end}{end}{body}".replace(end, "\r\n").encode()
    assert [mail.raw for mail in read_mbox(path, "")] == [expected] * 2


def test_a_date_after_the_year_9999_is_the_last_of_it() -> None:
    entry = mbox_of(MovedMail("x", b"Subject: x\r\n", internaldate=MAX_TIME + 1))
    assert entry.startswith(b"From MAILER-DAEMON Fri Dec 31 23:59:59 9999\n")
