"""Dovecot's IMAP or POP3 server over a Maildir, to compare with, where it is installed."""

import grp
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from clients import PASSWORD, USER, ImapClient, Pop3Client
from common import scratch
from mails import mail

START_SECONDS = 10.0
POLL_SECONDS = 0.05

SETTINGS = """
base_dir = {folder}/run
log_path = {folder}/log
protocols = {protocol}
ssl = no
disable_plaintext_auth = no
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 0
mail_location = maildir:{folder}/mail
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}
}}
service {protocol}-login {{
  chroot =
  inet_listener {protocol} {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener {protocol}s {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


@contextmanager
def dovecot(protocol: Literal["imap", "pop3"], count: int, size: int) -> Iterator[tuple[str, int] | None]:
    """Its place, with as many mails of USER; None where it is not installed."""
    program = shutil.which("dovecot", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
    if program is None or not Path("/usr/lib/dovecot", protocol).exists():
        yield None
        return
    port = _free_port()
    with scratch() as folder:
        for part in ("cur", "new", "tmp"):
            (folder / "mail" / part).mkdir(parents=True)
        for number in range(1, count + 1):
            (folder / "mail" / "cur" / f"{number:08d}.benchmark:2,").write_bytes(mail(number, size))
        owner = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())  # it refuses to be root
        if os.getuid() == 0:
            folder.chmod(0o711)
            for path in (folder / "mail", *(folder / "mail").rglob("*")):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        text = SETTINGS.format(
            protocol=protocol,
            folder=folder,
            port=port,
            user=owner.pw_name,
            group=grp.getgrgid(owner.pw_gid).gr_name,
            uid=owner.pw_uid,
            gid=owner.pw_gid,
        )
        settings = folder / "dovecot.conf"
        settings.write_text(text, encoding="utf-8")
        with subprocess.Popen([program, "-F", "-c", str(settings)], stderr=subprocess.DEVNULL) as process:
            try:
                _wait(ImapClient if protocol == "imap" else Pop3Client, port)
                yield "127.0.0.1", port
            finally:
                process.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait(client: type[ImapClient] | type[Pop3Client], port: int) -> None:
    """Until somebody can log in."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with client("127.0.0.1", port) as session:
                session.login(USER, PASSWORD)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
        else:
            return
