"""Files that leave: whole, private, and over nothing that is there."""

import re
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.errors import BadImport, Conflict
from bmgate.foreign.files import new_file, new_folder, read_file
from bmgate.foreign.mail_bytes import crlf_of
from bmgate.foreign.mbox import read_mbox


def test_a_new_file_is_private_and_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "keys.dat"
    with new_file(path, replace=False) as file:
        file.write(b"half")
        assert not path.exists()
        file.write(b" and half")
    assert path.read_bytes() == b"half and half"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_replaced_unless_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "keys.dat"
    path.write_bytes(b"mine")
    with pytest.raises(Conflict, match="--force"), new_file(path, replace=False):
        pass

    def fail() -> None:
        with new_file(path, replace=True) as file:
            file.write(b"yours")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_bytes() == b"mine"
    with new_file(path, replace=True) as file:
        file.write(b"yours")
    assert path.read_bytes() == b"yours"
    assert list(tmp_path.iterdir()) == [path]


def test_what_comes_in_between_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "keys.dat"
    with pytest.raises(Conflict), new_file(path, replace=False):
        path.write_bytes(b"mine")
    assert path.read_bytes() == b"mine"


def test_a_link_is_replaced_itself_and_not_what_it_names(tmp_path: Path) -> None:
    secret, link = tmp_path / "secret", tmp_path / "link"
    secret.write_bytes(b"mine")
    link.symlink_to(secret)
    with pytest.raises(Conflict), new_file(link, replace=False):
        pass
    with new_file(link, replace=True) as file:
        file.write(b"yours")
    assert secret.read_bytes() == b"mine"


def test_e8_files_larger_than_what_is_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(b"x" * 11)
    assert read_file(path, 11) == b"x" * 11
    with pytest.raises(BadImport, match="more than 10"):
        read_file(path, 10)
    with pytest.raises(BadImport, match="regular"):
        read_file(Path("/dev/null"), 10)


def test_what_is_no_file_is_refused_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(BadImport, match=f"{tmp_path} is no regular file"):
        read_file(tmp_path, 10)


def test_a_new_file_that_cannot_be_is_told_by_its_own_path(tmp_path: Path) -> None:
    path = tmp_path / "none" / "keys.dat"
    with pytest.raises(FileNotFoundError) as failed, new_file(path, replace=False):
        pass
    assert failed.value.filename == str(path)
    with pytest.raises(FileNotFoundError) as failed, new_folder(path):
        pass
    assert failed.value.filename == str(path)


@given(st.binary(max_size=12) | st.text("a\r\n\0", max_size=12).map(str.encode))
def test_mail_gets_crlf_for_each_bare_lf_and_keeps_a_bare_cr(raw: bytes) -> None:
    assert crlf_of(raw) == re.sub(rb"(?<!\r)\n", b"\r\n", raw).replace(b"\0", b"")


def test_e8_mail_of_many_short_lines_needs_a_few_times_its_size(tmp_path: Path) -> None:
    path, size = tmp_path / "box", 1_000_000
    path.write_bytes(b"From a Sat Nov 21 20:15:00 2026\nSubject: x\n\n" + b"a\n" * (size // 2))
    tracemalloc.start()
    try:
        (mail,) = read_mbox(path, "INBOX")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert mail.raw.endswith(b"a\r\na\r\n")
    assert peak < 10 * size
