"""The log: what happened, and no variables of ours (E3)."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import logging, sys
from bmgate.cli.logs import set_up_logs

set_up_logs("info", sys.argv[1], sys.argv[2])
log = logging.getLogger("bmgate.door")
password = "correct horse battery"
log.debug("not written")
log.info("peer %s is there", "127.0.0.9")
logging.getLogger("control").warning("told %d", 7)
logging.getLogger("mail.log").info("DATA of a mail")
try:
    raise ValueError("broken")
except ValueError:
    log.error("failed", exc_info=True)
"""


def written(style: str, file: str = "") -> str:
    command = [sys.executable, "-c", SCRIPT, style, file]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr


@pytest.mark.parametrize("style", ["console", "json"])
def test_facts_are_written_and_secrets_are_not(style: str) -> None:
    text = written(style)
    for fact in ("peer 127.0.0.9 is there", "told 7", "failed", "ValueError: broken"):
        assert fact in text
    assert "not written" not in text
    assert "DATA of a mail" not in text
    assert "horse" not in text.replace('password = "correct horse battery"', "")


def test_json_is_one_object_a_line() -> None:
    first, second, third = (json.loads(line) for line in written("json").splitlines())
    assert (first["event"], first["level"], first["logger"]) == ("peer 127.0.0.9 is there", "info", "bmgate.door")
    assert (second["event"], second["level"]) == ("told 7", "warning")
    assert "ValueError: broken" in third["exception"]


def test_a_log_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert written("console", str(path)) == ""
    assert "failed" in path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
