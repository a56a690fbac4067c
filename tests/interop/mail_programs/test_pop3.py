"""fetchmail, getmail, mpop and curl over POP3: every mail once, byte for byte, and a second run fetches nothing."""

import mailbox
import shutil
import zlib
from pathlib import Path

import pytest
from gateways import CERTIFIED_NAME, MailUser, plain_mail
from interop.mail_programs.programs import holdings, port, run, write_private

pytestmark = pytest.mark.interop

DOORS = ["pop3", "pop3 starttls"]
NOTHING_NEW = 1  # exit code of fetchmail
WRONG_PASSWORD = 67  # CURLE_LOGIN_DENIED
FETCHMAIL = """
set no bouncemail
poll {host} service {port} protocol pop3 uidl user "{user}" password "{password}" {tls}
  sslcertfile {authority} sslcertck {rest} mda "cat >> {box}"
"""
GETMAIL = """
[retriever]
type = {kind}
server = {host}
port = {port}
username = {user}
password = {password}
ca_certs = {authority}

[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "cat >> {box}")
unixfrom = true
allow_root_commands = true

[options]
read_all = false
delete = {delete}
"""
MPOP = """
account default
host {host}
port {port}
user {user}
password {password}
auth {mechanism}
tls on
tls_starttls {starttls}
tls_trust_file {authority}
tls_crl_file
delivery mbox {box}
uidls_file {uidls}
keep {keep}
pipelining {pipelining}
"""


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def place(user: MailUser, door: str) -> dict[str, object]:
    """What every program must know."""
    return {
        "host": CERTIFIED_NAME,
        "port": port(user, door),
        "user": user.login.user,
        "password": user.login.password,
        "authority": user.authority,
    }


def subjects_in(box: Path) -> list[str]:
    """Of the mails in an mbox."""
    return [line.removeprefix("Subject: ") for line in box.read_text().splitlines() if line.startswith("Subject: ")]


@pytest.fixture
def fresh(mail_pair: tuple[MailUser, MailUser], request: pytest.FixtureRequest) -> tuple[MailUser, list[str]]:
    """Alice with two more mails, and their subjects."""
    alice, _ = mail_pair
    name = f"pop3 {zlib.crc32(request.node.name.encode()):08x}"
    subjects = [f"{name} first", f"{name} second"]
    with alice.imap() as imap:
        for subject in subjects:
            raw = plain_mail(alice, alice, subject, ".\n..dots\nlast")
            assert imap.append("INBOX", "", "", raw)[0] == "OK"
    return alice, subjects


@needs("fetchmail")
@pytest.mark.parametrize(("door", "tls"), [("pop3", "ssl"), ("pop3 starttls", 'sslproto "TLS1.2+"')])
def test_fetchmail_takes_every_mail_once_and_deletes_when_told(
    fresh: tuple[MailUser, list[str]], tmp_path: Path, door: str, tls: str
) -> None:
    alice, subjects = fresh
    box = tmp_path / "box"
    for rest, expected in (("keep", 0), ("keep", NOTHING_NEW), ("nokeep fetchall", 0)):
        text = FETCHMAIL.format(**place(alice, door), tls=tls, rest=rest, box=box)
        settings = write_private(tmp_path / "fetchmailrc", text)
        home = {"FETCHMAILHOME": str(tmp_path)}
        run("fetchmail", "--nosyslog", "-f", str(settings), environ=home, expected=expected)
    found = subjects_in(box)
    assert [found.count(subject) for subject in subjects] == [2, 2]
    assert not holdings(alice)["INBOX"]


@needs("getmail")
def test_getmail_takes_every_mail_once(fresh: tuple[MailUser, list[str]], tmp_path: Path) -> None:
    alice, subjects = fresh
    box = tmp_path / "box"
    for delete in ("false", "false", "true"):
        text = GETMAIL.format(**place(alice, "pop3"), kind="SimplePOP3SSLRetriever", delete=delete, box=box)
        settings = write_private(tmp_path / "getmailrc", text)
        run("getmail", f"--getmaildir={tmp_path}", f"--rcfile={settings}")
    found = subjects_in(box)
    assert [found.count(subject) for subject in subjects] == [1, 1]
    assert not holdings(alice)["INBOX"]


@needs("mpop")
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("mechanism", "pipelining"), [("plain", "on"), ("login", "off"), ("user", "auto")])
def test_mpop_takes_every_mail_once(
    fresh: tuple[MailUser, list[str]], tmp_path: Path, door: str, mechanism: str, pipelining: str
) -> None:
    alice, subjects = fresh
    box = tmp_path / "box"
    words = {"mechanism": mechanism, "pipelining": pipelining, "box": box, "uidls": tmp_path / "uidls"}
    for keep in ("on", "on", "off"):
        text = MPOP.format(
            **place(alice, door), **words, starttls="on" if door.endswith("starttls") else "off", keep=keep
        )
        run("mpop", "-C", str(write_private(tmp_path / "mpoprc", text)), "--half-quiet")
    found = subjects_in(box)
    assert [found.count(subject) for subject in subjects] == [1, 1]
    assert not holdings(alice)["INBOX"]
    with_mailbox = mailbox.mbox(box)
    assert len(with_mailbox) >= len(subjects)
    with_mailbox.close()


@needs("curl")
@pytest.mark.parametrize("mechanism", ["AUTH=PLAIN", "AUTH=LOGIN"])
@pytest.mark.parametrize(("scheme", "door"), [("pop3s", "pop3"), ("pop3", "pop3 starttls")])
def test_curl_lists_and_fetches(
    mail_pair: tuple[MailUser, MailUser], tmp_path: Path, scheme: str, door: str, mechanism: str
) -> None:
    alice, _ = mail_pair
    raw = plain_mail(alice, alice, f"curl {scheme} {mechanism}", ".\n..\n.dots\nend")
    with alice.imap() as imap:
        assert imap.append("INBOX", "", "", raw)[0] == "OK"
    held = holdings(alice)["INBOX"]
    address = f"{scheme}://{CERTIFIED_NAME}:{port(alice, door)}/"
    command = ("curl", "--silent", "--show-error", "--ssl-reqd", "--cacert", str(alice.authority), "--user")
    login = f"{alice.login.user}:{alice.login.password}"
    listed = run(*command, login, "--login-options", mechanism, address)
    assert len(listed.split("\n")) - 1 == len(held)
    target = tmp_path / "mail"
    run(*command, login, "--login-options", mechanism, "--output", str(target), f"{address}{len(held)}")
    assert target.read_bytes() == raw
    run(*command, login, "--request", "DELE", "--head", f"{address}{len(held)}")
    assert len(holdings(alice)["INBOX"]) == len(held) - 1
    run(*command, f"{alice.login.user}:wrong", address, expected=WRONG_PASSWORD)
