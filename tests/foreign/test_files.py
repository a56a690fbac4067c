"""Files that leave: whole, private, and over nothing that is there."""

from pathlib import Path

import pytest

from bmgate.errors import BadImport, Conflict
from bmgate.foreign.files import new_file, read_file


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
