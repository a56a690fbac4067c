"""A new node fetches 50,000 objects from two peers in 15 seconds, while its mail ports stay quick; a hop is short.

A gateway of the test network as a process of its own, with one account and address, is told of two peers that both
have all objects of 1 kB. Memory is what it grew by at its peak; a mail program sends NOOP meanwhile. Then single
objects pass through the gateway, from the packet that brings one to the packet that hands it to the next peer.
"""

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from clients import PASSWORD, ImapClient
from common import (
    Figure,
    Must,
    Options,
    forget_peak,
    megabytes,
    peer,
    percentile,
    read_options,
    repeated,
    report,
    scratch,
)
from peer_node import SIZE, own_version

from bmgate.bm.commands import (
    Command,
    Getdata,
    Inv,
    ObjectCommand,
    Verack,
    VersionCommand,
    encode_command,
    read_command,
)
from bmgate.bm.hashes import inventory_vector
from bmgate.bm.network import TESTNET
from bmgate.bm.objects import ObjectType, encode_object, with_nonce
from bmgate.bm.packets import PacketReader
from bmgate.localnet import GatewayProcess, free_hosts, prepare_folder
from bmgate.native import choose_backend
from bmgate.pow.target import initial_hash, target

C = TypeVar("C", bound=Command)
HEADER = 22  # octets before an object's payload
TTL_SECONDS = 3_600
NOOP_SECONDS = 0.01  # between two of them
POLL_SECONDS = 0.25
SYNC_SECONDS = 300.0
SETTLE_SECONDS = 2.0
WARM_UP_HOPS = 3


def main() -> None:
    options = read_options(__doc__)
    report(options, "Objects of the network: fetched from two peers, and passed on", measure(options))


def measure(options: Options) -> list[Figure]:
    """The gateway knows nobody at first, so that the clock starts when it learns of the peers."""
    count, hops = options.pick(50_000, 5_000, 200), options.pick(200, 50, 5)
    with scratch() as folder, ExitStack() as stack:
        host, *others = free_hosts(3)
        make_objects(folder / "objects", count)
        prepare_folder(folder / "gateway", host, {}, int(time.time()))
        gateway = stack.enter_context(GatewayProcess(folder / "gateway"))
        gateway.start()
        login = gateway.add_account("alice", PASSWORD)
        ports = [stack.enter_context(peer("peer_node.py", str(folder / "objects"), each))[0] for each in others]
        targets = [f"{each}:{port}" for each, port in zip(others, ports, strict=True)]
        imap = stack.enter_context(ImapClient(*gateway.listener("imap starttls")))
        imap.login(login.user, PASSWORD)
        time.sleep(SETTLE_SECONDS)
        forget_peak(gateway.pid)
        before = megabytes(gateway.pid, "VmRSS")
        with repeated(partial(imap.command, b"NOOP"), NOOP_SECONDS) as seconds:
            elapsed = fetch(gateway, targets, count)
        grown = megabytes(gateway.pid, "VmHWM") - before
        passed = pass_through(gateway, host, hops)
    return [
        Figure(f"{count:,} objects of 1 kB from two peers", elapsed, "s", Must(15, at_least=False)),
        Figure("objects fetched", count / elapsed, "/s"),
        Figure("memory, peak over before", grown, "MB", Must(100, at_least=False)),
        Figure(f"IMAP NOOP meanwhile, p99 of {len(seconds)}", percentile(seconds, 99) * 1e3, "ms", Must(50, False)),
        Figure("IMAP NOOP meanwhile, p50", percentile(seconds, 50) * 1e3, "ms"),
        Figure(f"a hop, object in to object out, p99 of {hops}", percentile(passed, 99) * 1e3, "ms", Must(50, False)),
        Figure("a hop, p50", percentile(passed, 50) * 1e3, "ms"),
    ]


# -- objects ---------------------------------------------------------------------------------------------------------


def make_objects(path: Path, count: int) -> None:
    """A file of `count` objects with their proof of work."""
    solve = Solver()
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        path.write_bytes(b"".join(threads.map(lambda _: solve(), range(count))))


class Solver:
    """Makes objects of random content with the work of the test network."""

    def __init__(self) -> None:
        self._search = choose_backend().search

    def __call__(self) -> bytes:
        encoded = encode_object(int(time.time()) + TTL_SECONDS, ObjectType.MSG, 1, 1, os.urandom(SIZE - HEADER))
        minimum = (TESTNET.nonce_trials_per_byte, TESTNET.payload_length_extra_bytes)
        limit = target(len(encoded), TTL_SECONDS, *minimum)
        nonce, _ = self._search(initial_hash(encoded), limit, 0, 1 << 40, bytearray(1))
        assert nonce is not None
        return with_nonce(encoded, nonce)


# -- fetching --------------------------------------------------------------------------------------------------------


def fetch(gateway: GatewayProcess, targets: list[str], count: int) -> float:
    """Seconds from hearing of the peers until all objects are stored."""
    begun = time.perf_counter()
    for each in targets:
        gateway.call("peers.add", peer=each)
    deadline = begun + SYNC_SECONDS
    while gateway.status()["objects"]["stored"] < count:
        assert time.perf_counter() < deadline, gateway.status()
        time.sleep(POLL_SECONDS)
    return time.perf_counter() - begun


# -- passing on ------------------------------------------------------------------------------------------------------


class Stranger:
    """A peer that speaks as it is told to, over a blocking socket."""

    def __init__(self, address: tuple[str, int], own_host: str) -> None:
        self._socket = socket.create_connection(address, 30.0, (own_host, 0))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._packets = PacketReader(TESTNET.magic)
        self.say(own_version())
        self.hear(VersionCommand)
        self.say(Verack())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def say(self, command: Command) -> None:
        self._socket.sendall(encode_command(command, TESTNET.magic))

    def hear(self, kind: type[C]) -> C:
        """The next command of this kind; others are passed over."""
        while True:
            while (packet := self._packets.next_packet()) is not None:
                command = read_command(packet)
                if isinstance(command, kind):
                    return command
            self._packets.feed(self._socket.recv(1 << 16))


def pass_through(gateway: GatewayProcess, host: str, count: int) -> list[float]:
    """Seconds from each object's packet to the gateway until another peer was told, asked and got it."""
    address, solve = gateway.listener("bitmessage"), Solver()
    block = host.rpartition(".")[0]
    with Stranger(address, f"{block}.201") as giver, Stranger(address, f"{block}.202") as taker:
        passed = [pass_one(giver, taker, solve()) for _ in range(WARM_UP_HOPS + count)]
    return passed[WARM_UP_HOPS:]


def pass_one(giver: Stranger, taker: Stranger, encoded: bytes) -> float:
    vector = inventory_vector(encoded)
    giver.say(Inv((vector,)))
    while vector not in giver.hear(Getdata).vectors:
        pass
    begun = time.perf_counter()
    giver.say(ObjectCommand(encoded))
    while vector not in taker.hear(Inv).vectors:
        pass
    taker.say(Getdata((vector,)))
    while taker.hear(ObjectCommand).encoded != encoded:
        pass
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
