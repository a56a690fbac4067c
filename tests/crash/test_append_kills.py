"""Death in the middle of large APPENDs: nothing of the mails is left, neither in the spool nor stored (D3, I2)."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from imaplib import IMAP4
from pathlib import Path

import pytest
from gateway_folders import make_template
from gateways import wait_for

from bmgate.datafolder import DataFolder
from bmgate.localnet import GatewayProcess

NAME, PASSWORD = "anna", "correct horse battery"
LARGE = b"Subject: large\r\n\r\n" + b"a line of text\r\n" * 200_000


def client(gateway: GatewayProcess) -> IMAP4:
    imap = IMAP4(*gateway.listener("imap starttls"))
    imap.login(NAME, PASSWORD)
    return imap


def spooled(gateway: GatewayProcess) -> list[str]:
    """The nameless files of the spool that a gateway holds open."""
    links = [str(link.readlink()) for link in Path(f"/proc/{gateway.pid}/fd").iterdir()]
    return [link for link in links if link.startswith(str(gateway.folder / "spool"))]


def stored(gateway: GatewayProcess) -> int:
    """How many mails lie in the database, shown or not."""
    with closing(sqlite3.connect(f"file:{DataFolder(gateway.folder).database}?mode=ro", uri=True)) as database:
        (count,) = database.execute("SELECT count(*) FROM content").fetchone()
    return int(count)


def fsck(gateway: GatewayProcess) -> tuple[int, list[dict[str, object]]]:
    """Its exit code and what it tells."""
    command = [sys.executable, "-m", "bmgate", "--data", str(gateway.folder), "fsck", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)


def test_killed_appends_leave_nothing(tmp_path: Path) -> None:
    with GatewayProcess(make_template(tmp_path / "data")) as gateway:
        gateway.start({"BMGATE_FAILPOINT": "append.staged:3"})
        gateway.add_account(NAME, PASSWORD)
        half, whole = client(gateway), client(gateway)
        half.send(b"a APPEND INBOX {%d+}\r\n" % len(LARGE) + LARGE[: len(LARGE) // 2])
        wait_for(lambda: spooled(gateway), bool, "a spool")
        with pytest.raises((IMAP4.abort, OSError)):
            whole.append("INBOX", "", "", LARGE)
        for imap in (half, whole):
            imap.shutdown()
        gateway.kill()
        assert stored(gateway) == 1
        assert list((gateway.folder / "spool").iterdir()) == []
        status, remarks = fsck(gateway)
        assert status == 0, remarks
        assert [each["remark"] for each in remarks] == [True], remarks
        gateway.start()
        wait_for(lambda: stored(gateway), lambda count: count == 0, "the sweep")
        with client(gateway) as imap:
            assert imap.select()[1] == [b"0"]
            imap.append("INBOX", "", "", LARGE)
            found = imap.fetch("1", "BODY.PEEK[]")[1][0]
            assert isinstance(found, tuple)
            assert found[1] == LARGE
        gateway.stop()
        assert fsck(gateway) == (0, [])
