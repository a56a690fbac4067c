"""What the settings make of Tor and I2P: ways out, names, and whole gateways whose mail ports are an onion service."""

import asyncio
import imaplib
import os
import re
import shutil
import signal
import smtplib
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fake_sam import BRIDGE, FakeSam, fake_sam
from fake_tor import CONTROL, FakeTor, fake_tor
from gateways import CHANGES, PASSWORD, wait_for
from proxies import PROXY, fake_socks

from bmgate.bm.hosts import Reach, is_onion
from bmgate.bm.node.connectors import Connector
from bmgate.bm.node.key_files import keep_key
from bmgate.bm.node.targets import PeerTarget
from bmgate.clock import SystemClock
from bmgate.config import Config, parse_config
from bmgate.errors import ConfigError
from bmgate.hidden import HiddenPlaces, choose_connector, own_names, torrc
from bmgate.localnet import GatewayProcess, free_hosts, prepare_folder

ONION = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"
HOSTS = {Reach.CLEARNET: "192.0.2.1", Reach.ONION: ONION, Reach.I2P: "stats.i2p"}
SOCKS, SAM = "socks = 127.0.0.1:9050\n", "sam = 127.0.0.1:7656\n"
WAYS = [
    ("", {Reach.CLEARNET: True}),
    (SOCKS, {Reach.CLEARNET: False, Reach.ONION: False}),
    (SAM, {Reach.I2P: False}),
    (SOCKS + SAM, dict.fromkeys(Reach, False)),
    (SOCKS + SAM + "reach = i2p", {Reach.I2P: False}),
    (SOCKS + "mixed = on", {Reach.CLEARNET: True, Reach.ONION: False}),
    (SAM + "mixed = on", {Reach.CLEARNET: True, Reach.I2P: False}),
]
SECONDS = 30.0


def settings(text: str) -> Config:
    return parse_config(text, "gateway.ini")


def zeros(number: int) -> bytes:
    return bytes(number)


@pytest.mark.parametrize(("lines", "direct"), WAYS)
def test_v18_v19_a_straight_way_is_there_only_where_the_settings_leave_it(
    lines: str, direct: dict[Reach, bool], tmp_path: Path
) -> None:
    config = settings(f"[node]\n{lines}")
    connector = HiddenPlaces(config, tmp_path, SystemClock(), zeros).connector
    assert {reach for reach, host in HOSTS.items() if connector.reaches(host)} == set(direct)
    assert {reach: connector.is_direct(HOSTS[reach]) for reach in direct} == direct


@pytest.mark.parametrize("lines", [SOCKS, SAM, SOCKS + SAM])
async def test_v18_no_name_is_looked_up_behind_a_proxy(lines: str, tmp_path: Path) -> None:
    connector = HiddenPlaces(settings(f"[node]\n{lines}"), tmp_path, SystemClock(), zeros).connector
    assert await connector.resolve("localhost", 8444) == []


async def test_a_network_out_of_reach_is_an_error_of_the_system() -> None:
    connector: Connector = choose_connector(settings("").node, None, zeros)
    for host in (ONION, "stats.i2p"):
        with pytest.raises(OSError, match="not in reach"):
            await connector.connect(PeerTarget(host, 8444), lambda: pytest.fail("nobody is called"))


def test_a_torrc_leads_to_the_fixed_ports() -> None:
    both = settings("[node]\nsocks = 127.0.0.1:9050\n[tor]\nnode_service = torrc\nmail_service = torrc\n")
    lines = torrc(both).splitlines()
    assert "HiddenServicePort 8444 127.0.0.1:28444" in lines
    assert "HiddenServicePort 993 127.0.0.1:20993" in lines
    assert "HiddenServicePort 587 127.0.0.1:20587" in lines
    folders = [line for line in lines if line.startswith("HiddenServiceDir")]
    assert len(set(folders)) == 2, "two names that nobody can connect"
    assert torrc(settings("")) == ""


def test_a_node_by_torrc_listens_where_the_torrc_leads_and_has_the_name_it_is_told(tmp_path: Path) -> None:
    config = settings(f"[node]\n{SOCKS}[tor]\nnode_service = torrc\nnode_name = {ONION}\n")
    places, named = HiddenPlaces(config, tmp_path, SystemClock(), zeros), list[PeerTarget]()
    assert places.node_listener == (PeerTarget("127.0.0.1", 28_444),)
    assert "127.0.0.1" in places.proxies
    group = asyncio.TaskGroup()  # in which nothing runs
    assert places.start(group, lambda _: pytest.fail("nobody calls"), named.append, places.node_listener, ()) == []
    assert named == [PeerTarget(ONION, 8444)]


def test_straight_nodes_have_no_proxy_and_no_names(tmp_path: Path) -> None:
    places = HiddenPlaces(settings(""), tmp_path, SystemClock(), zeros)
    assert (places.node_listener, places.proxies, own_names(tmp_path)) == ((), (), {})


@pytest.mark.parametrize("key", ["ED25519-V3:AAAA", "ED25519-V3:!", "", "RSA1024:" + "A" * 88])
def test_keys_that_are_none_and_keys_that_others_can_read_keep_a_gateway_from_starting(
    key: str, tmp_path: Path
) -> None:
    places = HiddenPlaces(settings(""), tmp_path, SystemClock(), zeros)

    def start() -> None:
        places.start(asyncio.TaskGroup(), lambda _: pytest.fail("nobody calls"), lambda _: None, (), ())

    for folder in ("tor", "i2p"):
        path = tmp_path / folder / "node.key"
        keep_key(path, key)
        with pytest.raises(ConfigError, match=r"node\.key holds no key"):
            start()
        path.chmod(0o644)
        with pytest.raises(ConfigError, match="chmod 600"):
            start()
        path.unlink()
    start()


# --- whole gateways ---


@asynccontextmanager
async def gateway(folder: Path, changes: dict[tuple[str, str], str]) -> AsyncIterator[GatewayProcess]:
    """Started and stopped in threads, as the fakes it talks to live in this loop."""
    prepare_folder(folder, free_hosts(1)[0], {**CHANGES, **changes}, int(time.time()))
    with GatewayProcess(folder) as process:
        await asyncio.to_thread(process.start)
        yield process
        assert await asyncio.to_thread(process.stop) == 0, process.log
        assert "Traceback" not in process.log


async def until_served(tor: FakeTor, count: int) -> None:
    async with asyncio.timeout(SECONDS):
        while len(tor.services) < count:  # noqa: ASYNC110 - Tor tells nobody
            await asyncio.sleep(0.01)


async def test_e10_mail_programs_come_by_an_onion_service_without_the_trust_of_loopback(tmp_path: Path) -> None:
    changes = {("tor", "mail_service"): "control"}
    async with fake_tor(tmp_path) as tor:
        changes["tor", "control"] = f"{CONTROL}:{tor.port}"
        async with gateway(tmp_path / "data", changes) as process:
            await until_served(tor, 1)
            ((name, words),) = tor.services.items()
            ports = dict(word.removeprefix("Port=").split(",") for word in words.split() if word.startswith("Port="))
            assert set(ports) == {"993", "143", "465", "587", "995", "110"}
            await asyncio.to_thread(log_in_by_onion, process, ports)
            assert own_names(tmp_path / "data").keys() == {"mail programs, onion"}
            assert is_onion(name)


def log_in_by_onion(process: GatewayProcess, ports: dict[str, str]) -> None:
    login = process.add_account("alice", PASSWORD)
    host, _, port = ports["143"].rpartition(":")
    with imaplib.IMAP4(host, int(port)) as imap:
        imap.login(login.user, PASSWORD)
    for wrong in range(12):  # would shut out any other source for a minute
        with imaplib.IMAP4(host, int(port)) as imap, pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            imap.login(f"nobody{wrong}", PASSWORD)
    host, _, port = ports["587"].rpartition(":")
    with smtplib.SMTP(host, int(port), timeout=SECONDS) as smtp:
        smtp.login(login.user, PASSWORD)


async def test_two_gateways_meet_through_i2p(tmp_path: Path) -> None:
    async with fake_sam() as bridge:
        sam = {("node", "sam"): f"{BRIDGE}:{bridge.port}", ("node", "listen"): "off"}
        async with gateway(tmp_path / "alice", sam) as alice:
            name = await i2p_name_of(alice, bridge)
            async with gateway(tmp_path / "bob", {**sam, ("node", "peers"): name}) as bob:
                await until_connected(alice, bob)
                peers = await asyncio.to_thread(bob.call, "peers.list")
                assert [each["host"] for each in peers] == [name]


async def test_v18_a_tor_only_gateway_asks_the_proxy_and_listens_to_nobody_but_tor(tmp_path: Path) -> None:
    async with fake_socks() as proxy, fake_tor(tmp_path) as tor:
        changes = {
            ("node", "socks"): f"{PROXY}:{proxy.port}",
            ("node", "listen"): "auto",
            ("node", "peers"): f"{ONION}, node.example.org",
            ("tor", "control"): f"{CONTROL}:{tor.port}",
            ("tor", "node_service"): "control",
        }
        async with gateway(tmp_path / "data", changes) as process:
            await until_served(tor, 1)
            async with asyncio.timeout(SECONDS):
                while not {ONION, "node.example.org"} <= {each.host for each in proxy.asked}:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            listening = (await asyncio.to_thread(process.status))["listening"]
            node = [each for each in listening if each["name"] == "bitmessage"]
            assert [each["host"] for each in node] == ["127.0.0.1"]
            assert next(iter(tor.services.values())).endswith(f"Port=18444,127.0.0.1:{node[0]['port']}")


async def i2p_name_of(process: GatewayProcess, bridge: FakeSam) -> str:
    async with asyncio.timeout(SECONDS):
        while "peers, I2P" not in (names := own_names(process.folder)) or not bridge.sessions:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return names["peers, I2P"]


async def until_connected(*gateways: GatewayProcess) -> None:
    async with asyncio.timeout(SECONDS):
        for each in gateways:
            while not any(peer["established"] for peer in await asyncio.to_thread(each.call, "peers.list")):  # noqa: ASYNC110
                await asyncio.sleep(0.02)


def can_be_watched() -> bool:
    tools = all(map(shutil.which, ("strace", "unshare", "ip")))
    return tools and not subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode


@pytest.mark.interop
@pytest.mark.skipif(not can_be_watched(), reason="no strace, or no network namespace can be made here")
def test_v18_the_kernel_sees_a_tor_only_gateway_call_nothing_but_its_proxy(tmp_path: Path) -> None:
    """The live network's settings, bootstrap and all, in a namespace that has loopback alone; nobody is the proxy."""
    changes = {
        ("node", "network"): "main",
        ("node", "listen"): "auto",
        ("node", "bootstrap"): "on",
        ("node", "socks"): f"{PROXY}:9",
        ("node", "peers"): f"{ONION}, node.example.org",
    }
    prepare_folder(tmp_path / "data", "127.0.0.1", {**CHANGES, **changes}, int(time.time()))
    trace = tmp_path / "trace"
    calls = "connect,bind,sendto,sendmsg,sendmmsg"
    serve = f"{sys.executable} -m bmgate --data {tmp_path / 'data'} serve"
    command = f"ip link set lo up && strace -f -qq -o {trace} -e trace={calls} {serve}"
    process = subprocess.Popen(["unshare", "-n", "sh", "-c", command], start_new_session=True)
    try:
        wait_for(lambda: trace.exists() and trace.read_text().count("htons(9)"), lambda calls: calls >= 5, "calls")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(SECONDS)
    lines = [line for line in trace.read_text().splitlines() if "AF_INET" in line]
    called = {line for line in lines if "bind(" not in line}
    assert called
    assert all(f'inet_addr("{PROXY}")' in line and "sin_port=htons(9)" in line for line in called), called
    bound = {
        match for line in lines if "bind(" in line for match in re.findall(r'(?:inet_addr\(|AF_INET6, )"([^"]+)"', line)
    }
    assert bound == {"127.0.0.1"}, "mail ports"
