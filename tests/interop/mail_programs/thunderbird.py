"""Thunderbird without a person: a profile for one account, and scripts in its own JavaScript over Marionette.

Marionette is TCP: frames `LENGTH:JSON`; a command is `[0, id, name, parameters]`, its reply `[1, id, error, result]`.
"""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Literal

from gateways import CERTIFIED_NAME, MailUser, wait_for
from interop.mail_programs.programs import port, run

START_SECONDS = 60.0
STOP_SECONDS = 20.0
SCRIPT_SECONDS = 60.0
PAUSE_SECONDS = 0.1

QUIET: dict[str, str | int | bool] = {
    "app.update.auto": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "datareporting.policy.dataSubmissionPolicyBypassNotification": True,
    "mail.inappnotifications.enabled": False,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.shell.checkDefaultClient": False,
    "mailnews.start_page.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
}

LIBRARY = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const account = MailServices.accounts.accounts.find(each => each.incomingServer.type != "none");
const root = account.incomingServer.rootFolder;
const main = () => Services.wm.getMostRecentWindow("mail:3pane");
const sleep = milliseconds => new Promise(resolve => main().setTimeout(resolve, milliseconds));
const until = async (look, what) => {
  for (let i = 0; i < 300; i++) {
    const found = look();
    if (found) return found;
    await sleep(100);
  }
  throw new Error("waited in vain for " + what);
};
const ending = (kind, start, stop) => {
  const it = {};
  it.ended = new Promise((resolve, reject) => {
    const end = code => code == 0 ? resolve() : reject(new Error("ended with " + code.toString(16)));
    const nothing = () => {};
    it.listener = kind == "nsIUrlListener"
      ? { OnStartRunningUrl: nothing, OnStopRunningUrl: (url, code) => end(code) }
      : { onStartCopy: nothing, onProgress: nothing, setMessageKey: nothing, getMessageId: () => null,
          onStopCopy: end };
    it.listener.QueryInterface = ChromeUtils.generateQI([kind]);
  });
  return it;
};
const inbox = () => root.getChildNamed("INBOX");
const refresh = async folder => {
  const it = ending("nsIUrlListener");
  folder.QueryInterface(Ci.nsIMsgImapMailFolder).updateFolderWithListener(main().msgWindow, it.listener);
  await it.ended;
};
const refreshAll = async () => {
  root.server.performExpand(main().msgWindow);
  await sleep(1000);
};
const messages = folder => [...folder.messages];
const find = (folder, subject) => messages(folder).find(each => each.mime2DecodedSubject == subject);
"""


class Thunderbird:
    """One profile, started and stopped at will."""

    def __init__(self, folder: Path, user: MailUser, starttls: bool, kind: Literal["imap", "pop3"] = "imap") -> None:
        self._profile, self._home, self._user, self._kind = folder / "profile", folder / "home", user, kind
        self._marionette_port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: _Connection | None = None
        self._profile.mkdir()
        self._home.mkdir()
        self._write_settings(starttls)
        database = f"sql:{self._profile}"
        run("certutil", "-N", "-d", database, "--empty-password")
        run("certutil", "-A", "-d", database, "-n", "ca", "-t", "C,,", "-i", str(user.authority))

    def start(self) -> None:
        """Start it and wait for its window."""
        environ = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("dbus-run-session", "--", "thunderbird", "--headless", "--marionette"),
                    *("--remote-allow-system-access", "--no-remote", "-profile", str(self._profile)),
                ],
                env={**environ, "HOME": str(self._home)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._connection = _Connection(self._marionette_port)
        self.run("for (let i = 0; i < 300 && !main(); i++) await new Promise(r => ChromeUtils.idleDispatch(r));")

    def stop(self) -> None:
        """End it with all its helpers; nothing happens when it does not run."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is None:
            return
        deadline = time.monotonic() + STOP_SECONDS
        _signal_group(self._process.pid, signal.SIGTERM)
        self._process.wait(STOP_SECONDS)
        while _signal_group(self._process.pid, 0 if time.monotonic() < deadline else signal.SIGKILL):
            time.sleep(PAUSE_SECONDS)
        self._process = None

    def run(self, script: str, *arguments: object) -> Any:
        """What the body of an asynchronous function returns; `given` holds the arguments, `LIBRARY` is at hand."""
        assert self._connection is not None, "Thunderbird was not started"
        return self._connection.run(script, arguments)

    def save_password(self) -> None:
        """As if its user had typed the password and let it be kept."""
        login = self._user.login
        self.run(
            """
            for (const scheme of [given[2], "smtp"]) {
              const info = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
              const origin = scheme + "://localhost";
              info.init(origin, null, origin, given[0], given[1], "", "");
              await Services.logins.addLoginAsync(info);
            }
            """,
            login.user,
            login.password,
            "imap" if self._kind == "imap" else "mailbox",
        )
        wait_for((self._profile / "logins.json").exists, bool, "the password to be written")

    def _write_settings(self, starttls: bool) -> None:
        user, suffix, security = self._user, " starttls" if starttls else "", 2 if starttls else 3
        server, local, identity = "mail.server.server1.", "mail.server.server2.", "mail.identity.id1."
        smtp = "mail.smtpserver.smtp1."
        settings: dict[str, str | int | bool] = {
            **QUIET,
            "marionette.port": self._marionette_port,
            "mail.accountmanager.accounts": "account1,account2",
            "mail.accountmanager.defaultaccount": "account1",
            "mail.accountmanager.localfoldersserver": "server2",
            "mail.account.account1.server": "server1",
            "mail.account.account1.identities": "id1",
            "mail.account.account2.server": "server2",
            server + "type": self._kind,
            server + "hostname": CERTIFIED_NAME,
            server + "port": port(user, self._kind + suffix),
            server + "userName": user.login.user,
            server + "name": user.login.user,
            server + "socketType": security,
            server + "authMethod": 3,
            server + "leave_on_server": True,  # of POP3
            server + "login_at_startup": False,  # the question for the password would block Marionette
            server + "check_new_mail": False,
            local + "type": "none",
            local + "hostname": "Local Folders",
            local + "userName": "nobody",
            local + "name": "Local Folders",
            identity + "fullName": "Alice",
            identity + "useremail": user.address,
            identity + "smtpServer": "smtp1",
            identity + "valid": True,
            "mail.smtpservers": "smtp1",
            "mail.smtp.defaultserver": "smtp1",
            smtp + "hostname": CERTIFIED_NAME,
            smtp + "port": port(user, "smtp" + suffix),
            smtp + "try_ssl": security,
            smtp + "authMethod": 3,
            smtp + "username": user.login.user,
        }
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in settings.items()]
        (self._profile / "user.js").write_text("".join(lines), encoding="utf-8")


class _Connection:
    """A session of Marionette in Thunderbird's own context."""

    def __init__(self, number: int) -> None:
        self._socket = _connect(number)
        self._buffer, self._last_id = b"", 0
        self._read()  # who it is
        self._call("WebDriver:NewSession")
        self._call("Marionette:SetContext", value="chrome")
        self._call("WebDriver:SetTimeouts", script=int(SCRIPT_SECONDS * 1000))

    def close(self) -> None:
        self._socket.close()

    def run(self, script: str, arguments: tuple[object, ...]) -> Any:
        """Raises RuntimeError with the error of the script."""
        body = (
            "const given = [...arguments], done = given.pop();"
            f"(async () => {{ {LIBRARY} {script} }})().then("
            "value => done({value: value === undefined ? null : value}), error => done({error: String(error)}));"
        )
        answer = self._call("WebDriver:ExecuteAsyncScript", script=body, args=list(arguments), sandbox="system")[
            "value"
        ]
        if answer is None:  # a dialog came up meanwhile
            raise RuntimeError(f"{script}\n{self._call('WebDriver:GetAlertText')}")
        if "error" in answer:
            raise RuntimeError(f"{script}\n{answer['error']}")
        return answer["value"]

    def _call(self, name: str, **parameters: object) -> Any:
        self._last_id += 1
        data = json.dumps([0, self._last_id, name, parameters]).encode()
        self._socket.sendall(b"%d:%b" % (len(data), data))
        _, _, error, result = self._read()
        if error:
            raise RuntimeError(f"{name}: {error}")
        return result

    def _read(self) -> Any:
        while b":" not in self._buffer:
            self._receive()
        length, _, self._buffer = self._buffer.partition(b":")
        while len(self._buffer) < int(length):
            self._receive()
        data, self._buffer = self._buffer[: int(length)], self._buffer[int(length) :]
        return json.loads(data)

    def _receive(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise RuntimeError("Thunderbird hung up")
        self._buffer += data


def _connect(number: int) -> socket.socket:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return socket.create_connection(("127.0.0.1", number), timeout=SCRIPT_SECONDS + 10)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_SECONDS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def _signal_group(group: int, number: int) -> bool:
    """Whether there was anybody to hear it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True
