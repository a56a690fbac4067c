"""The master key file: nobody else's business."""

import os
import shlex
from pathlib import Path

import pytest

from bmgate.errors import ConfigError, Conflict
from bmgate.storage.masterkey import create_master_key, read_master_key


def test_a_key_is_read_as_it_was_made(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    key = create_master_key(path)
    assert len(key) == 32
    assert read_master_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_is_never_made_over_another(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    key = create_master_key(path)
    with pytest.raises(Conflict):
        create_master_key(path)
    assert read_master_key(path) == key


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604])
def test_a_key_that_others_can_read_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    create_master_key(path)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=f"chmod 600 {path}"):
        read_master_key(path)


def test_the_remedy_can_be_pasted_into_a_shell(tmp_path: Path) -> None:
    path = tmp_path / "it's mine; really.key"
    create_master_key(path)
    path.chmod(0o644)
    with pytest.raises(ConfigError) as refused:
        read_master_key(path)
    assert shlex.split(str(refused.value).rpartition("run: ")[2]) == ["chmod", "600", str(path)]


def test_a_missing_short_or_linked_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    with pytest.raises(ConfigError):
        read_master_key(path)
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    os.write(descriptor, b"short")
    os.close(descriptor)
    with pytest.raises(ConfigError, match="5 bytes"):
        read_master_key(path)
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(ConfigError):
        read_master_key(tmp_path / "link")
