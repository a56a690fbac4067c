"""Complete gateways of a test network on this machine, each a process with a loopback address of its own.

For `bmgate localnet` and for tests; everything here blocks. A gateway counts as started when it answers on its control
socket.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bmgate.bm.network import TESTNET
from bmgate.cli.options import Place
from bmgate.cli.preparation import Changes, prepare
from bmgate.control.client import ControlClient
from bmgate.datafolder import DataFolder, private
from bmgate.doors import can_bind
from bmgate.errors import NotAllowed, Unavailable

START_SECONDS = 30.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.05
LOG_NAME = "gateway.log"
LOG_TAIL = 2000  # characters told when a gateway does not start
MAX_GATEWAYS = 100
BLOCKS = range(77, 255)  # third byte of 127.0.x.y
STRIDE = 97  # blocks; has no divisor in common with their number


@dataclass(frozen=True, slots=True)
class Login:
    """An account of a gateway, and its first address."""

    name: str
    user: str
    password: str
    address: str


class GatewayProcess:
    """One gateway, `python -m bmgate serve`, over a data folder that is ready for it.

    Works as a context manager: the process is gone at its end. `environ` is the child's whole environment.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._environ = dict(os.environ if environ is None else environ)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "GatewayProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """Of the running process."""
        return self._running().pid

    @property
    def log(self) -> str:
        """What the process has written so far, in all its lives."""
        path = self.folder / LOG_NAME
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def start(self, environ: Mapping[str, str] | None = None, timeout: float = START_SECONDS) -> None:
        """Start it and wait until it answers; `environ` adds to its environment. Raises Unavailable with its log."""
        self.launch(environ)
        self.wait_until_ready(timeout)

    def launch(self, environ: Mapping[str, str] | None = None) -> None:
        """Start the process without waiting."""
        command = [sys.executable, "-m", "bmgate", "--data", str(self.folder), "serve"]
        with open(self.folder / LOG_NAME, "ab", opener=private) as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                command,
                env=self._environ | dict(environ or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for whoever started us
            )

    def wait_until_ready(self, timeout: float = START_SECONDS) -> None:
        """Return once the gateway answers; raises Unavailable when it ends before, or is late."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if (code := self._running().poll()) is not None:
                raise Unavailable(f"the gateway in {self.folder} ended with {code}:\n{self.log[-LOG_TAIL:]}")
            try:
                self.call("status")
            except Unavailable:
                time.sleep(POLL_SECONDS)
            else:
                return
        raise Unavailable(f"the gateway in {self.folder} did not start in {timeout:.0f} s:\n{self.log[-LOG_TAIL:]}")

    def call(self, method: str, **params: Any) -> Any:
        """The result of a control method; raises what the gateway raised."""
        with ControlClient(DataFolder(self.folder).socket) as client:
            return client.call(method, params, lambda _: None)

    def status(self) -> dict[str, Any]:
        """What `bmgate status --json` prints."""
        report: dict[str, Any] = self.call("status")
        return report

    def listener(self, name: str) -> tuple[str, int]:
        """Host and port of `imap`, `imap starttls`, the same of `smtp` and `pop3`, or `bitmessage`; raises KeyError."""
        return {each["name"]: (each["host"], each["port"]) for each in self.status()["listening"]}[name]

    def add_account(self, name: str, password: str) -> Login:
        """An account with its first address."""
        result = self.call("account.add", name=name, password=password, address=True)
        return Login(name, result["login"], password, result["address"]["address"])

    def stop(self, timeout: float = STOP_SECONDS) -> int:
        """SIGTERM, and its exit code; killed when it takes longer."""
        self.terminate()
        return self.wait(timeout)

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        self._running().send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9; nothing happens when it is gone already."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def wait(self, timeout: float = STOP_SECONDS) -> int:
        """The exit code of a process that ends by itself; killed when it takes longer."""
        process = self._running()
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return process.wait()

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the gateway was not started"
        return self._process


def prepare_folder(folder: Path, host: str, changes: Changes, now: int) -> None:
    """A data folder for a gateway of the test network that listens on `host` alone, ports free ones.

    `changes` are settings by section and key, and win.
    """
    defaults = {
        ("node", "network"): TESTNET.name,
        ("node", "listen"): f"{host}:{TESTNET.port}",
        ("node", "acks_per_sender"): "1000000",  # nobody here is a stranger
        **{(door, "listen"): host for door in ("imap", "smtp", "pop3")},
        **{(door, key): "0" for door in ("imap", "smtp", "pop3") for key in ("tls_port", "starttls_port")},
    }
    data = DataFolder(folder)
    prepare(Place(data, data.config), lambda: {**defaults, **changes}, now)


def free_hosts(count: int) -> tuple[str, ...]:
    """Loopback addresses 127.0.x.1, 127.0.x.2... on whose node port nobody listens; raises Unavailable."""
    if not 1 <= count <= MAX_GATEWAYS:
        raise NotAllowed(f"a local network has 1 to {MAX_GATEWAYS} gateways, not {count}")
    first = os.getpid() * STRIDE % len(BLOCKS)  # so that networks of neighbouring processes begin far apart
    for block in (*BLOCKS[first:], *BLOCKS[:first]):
        hosts = tuple(f"127.0.{block}.{number}" for number in range(1, count + 1))
        if all(can_bind(host, TESTNET.port) for host in hosts):
            return hosts
    raise Unavailable("all loopback addresses for local networks are in use")


@contextmanager
def local_network(
    folder: Path, count: int, changes: Changes | None = None, environ: Mapping[str, str] | None = None
) -> Iterator[Sequence[GatewayProcess]]:
    """`count` gateways in sub-folders of `folder`, each connected to all before it; gone at the end of the context."""
    hosts, gateways = free_hosts(count), []
    try:
        for number, host in enumerate(hosts, 1):
            own = folder / f"gateway{number}"
            peers = {("node", "peers"): ", ".join(hosts[: number - 1])}
            prepare_folder(own, host, {**peers, **(changes or {})}, int(time.time()))
            gateway = GatewayProcess(own, environ)
            gateway.launch()
            gateways.append(gateway)
            gateway.wait_until_ready()
        yield gateways
    finally:
        for gateway in gateways:
            gateway.terminate()
        for gateway in gateways:
            gateway.wait()
