"""Two gateways, each with an i2pd of its own, in a private I2P network inside a network namespace."""

import shutil
import time
from pathlib import Path

import pytest
from gateways import CHANGES, wait_for
from interop.i2p_network import Router, i2p_network
from interop.namespaces import is_cut_off, passes_when_cut_off

from bmgate.cli.preparation import Changes
from bmgate.hidden import own_names
from bmgate.localnet import GatewayProcess, prepare_folder

SECONDS = 240.0
pytestmark = [
    pytest.mark.nightly,
    pytest.mark.interop,
    pytest.mark.skipif(not all(map(shutil.which, ("i2pd", "unshare", "ip"))), reason="i2pd, unshare or ip is missing"),
]


def test_gateways_meet_through_an_i2p_network() -> None:
    passes_when_cut_off(Path(__file__))


@pytest.mark.skipif(not is_cut_off(), reason="run by the test above, in a network namespace")
def test_inside_gateways_call_each_other_by_their_names(tmp_path: Path) -> None:
    with (
        i2p_network(tmp_path / "i2p") as (first, second, _),
        gateway(tmp_path / "alice", "127.9.1.1", first, {}) as alice,
    ):
        wait_for(lambda: alice.log, lambda text: "the node is in I2P as" in text, "a session", SECONDS)
        name = own_names(alice.folder)["peers, I2P"]
        with gateway(tmp_path / "bob", "127.9.1.2", second, {("node", "peers"): name}) as bob:
            wait_for(lambda: established(bob), bool, "a connection through I2P", SECONDS)
            assert established(bob) == [name]
            assert established(alice) == [own_names(bob.folder)["peers, I2P"]]


def gateway(folder: Path, host: str, router: Router, changes: Changes) -> GatewayProcess:
    hidden = {("node", "listen"): "auto", ("node", "sam"): router.sam}
    prepare_folder(folder, host, {**CHANGES, **hidden, **changes}, int(time.time()))
    process = GatewayProcess(folder)
    process.start()
    return process


def established(process: GatewayProcess) -> list[str]:
    return [peer["host"] for peer in process.call("peers.list") if peer["established"]]
