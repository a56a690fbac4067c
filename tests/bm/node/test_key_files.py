"""Keys in files: whole or not there, and their owner's alone."""

import os
import stat
from pathlib import Path

import pytest

from bmgate.bm.node.key_files import keep_key, read_key
from bmgate.errors import ConfigError


def test_a_key_is_kept_and_read(tmp_path: Path) -> None:
    path = tmp_path / "tor" / "node.key"
    assert read_key(path) is None
    keep_key(path, "secret")
    keep_key(path, "another")
    assert read_key(path) == "another"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["node.key"]


def test_a_key_whose_writing_was_cut_short_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "node.key.new").write_text("hal")
    assert read_key(tmp_path / "node.key") is None
    keep_key(tmp_path / "node.key", "whole")
    assert read_key(tmp_path / "node.key") == "whole"


def test_a_key_that_others_can_read_or_that_is_a_link_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "node.key"
    keep_key(path, "secret")
    path.chmod(0o604)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_key(path)
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_key(link)
