"""Two gateways, each behind a Tor of its own, in a private Tor network inside a network namespace: peers and mail."""

import imaplib
import shutil
import socket
import struct
import time
from pathlib import Path

import pytest
from gateways import CHANGES, PASSWORD, wait_for
from interop.namespaces import is_cut_off, passes_when_cut_off
from interop.tor_network import TorClient, tor_network

from bmgate.cli.preparation import Changes
from bmgate.hidden import own_names
from bmgate.localnet import GatewayProcess, prepare_folder

TOOLS = ("tor", "tor-gencert", "unshare", "ip")
SECONDS = 120.0
pytestmark = [
    pytest.mark.nightly,
    pytest.mark.interop,
    pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason="tor, unshare or ip is not installed"),
]


def test_gateways_meet_through_a_tor_network() -> None:
    passes_when_cut_off(Path(__file__))


@pytest.mark.skipif(not is_cut_off(), reason="run by the test above, in a network namespace")
def test_inside_peers_and_mail_programs_come_by_onion(tmp_path: Path) -> None:
    with tor_network(tmp_path / "tor", clients=2) as (first, second):
        services = {("tor", "control"): first.control, ("tor", "node_service"): "control"}
        services["tor", "mail_service"] = "control"
        with gateway(tmp_path / "alice", "127.9.1.1", first, services) as alice:
            names = wait_for(lambda: own_names(alice.folder), lambda found: len(found) == 2, "names")
            peers = {("node", "peers"): names["peers, onion"]}
            with gateway(tmp_path / "bob", "127.9.1.2", second, peers) as bob:
                wait_for(lambda: established(bob), bool, "a connection through Tor", SECONDS)
                assert established(alice)
            login = alice.add_account("alice", PASSWORD)
            with OnionImap(names["mail programs, onion"], 143, second) as imap:
                assert imap.login(login.user, PASSWORD)[0] == "OK"


def gateway(folder: Path, host: str, tor: TorClient, changes: Changes) -> GatewayProcess:
    hidden = {("node", "listen"): "auto", ("node", "socks"): tor.socks}
    prepare_folder(folder, host, {**CHANGES, **hidden, **changes}, int(time.time()))
    process = GatewayProcess(folder)
    process.start()
    return process


def established(process: GatewayProcess) -> list[str]:
    return [peer["host"] for peer in process.call("peers.list") if peer["established"]]


class OnionImap(imaplib.IMAP4):
    """IMAP through the SOCKS port of a Tor."""

    def __init__(self, host: str, port: int, tor: TorClient) -> None:
        self._tor = tor
        super().__init__(host, port, SECONDS)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        host, port = self._tor.socks.split(":")
        made = socket.create_connection((host, int(port)), timeout)
        made.sendall(b"\x05\x01\x00")
        assert made.recv(2) == b"\x05\x00"
        name = self.host.encode()
        made.sendall(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + struct.pack(">H", self.port))
        assert made.recv(10)[:2] == b"\x05\x00"
        return made
