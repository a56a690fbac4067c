"""A gateway with 16,000 addresses receives 200 msgs for 50 of them among 2,000 for others; all 200 arrive.

The gateway is a process of its own on the test network; a peer on the loopback announces all msgs at once and hands
over what is asked for. Time and processor time run until everything is processed: checked, stored, tried with every
key, and what was ours opened, verified and delivered. Then a gateway with the same addresses does the same without the
native extension, key by key through libsecp256k1, for as many msgs as one cares to wait for.
"""

import asyncio
import os
import random
import shutil
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from common import Figure, Must, Options, cpu_seconds, read_options, report, scratch
from peer_node import own_version

from bmgate.bm.commands import (
    Command,
    Getdata,
    Inv,
    ObjectCommand,
    Ping,
    Pong,
    Verack,
    encode_command,
    read_command,
    split_vectors,
)
from bmgate.bm.encodings import SIMPLE, encode_message
from bmgate.bm.hashes import InventoryVector, inventory_vector
from bmgate.bm.keys import PrivateKeys, random_keys
from bmgate.bm.network import TESTNET
from bmgate.bm.objects import with_nonce
from bmgate.bm.packets import PacketReader
from bmgate.bm.plaintext import Behavior, Pubkey, build_msg
from bmgate.datafolder import DataFolder
from bmgate.domain.account import Level
from bmgate.domain.identity import NewIdentity
from bmgate.domain.mailbox import MailboxKind
from bmgate.domain.ports.database import Store
from bmgate.localnet import GatewayProcess, free_hosts, prepare_folder
from bmgate.native import choose_backend
from bmgate.pow.target import initial_hash, target
from bmgate.storage.database import SealedDatabase, open_database
from bmgate.storage.masterkey import read_master_key
from bmgate.storage.passwords import Argon2Cost, PasswordSlots
from bmgate.storage.vault import Vault

ADDRESSES_EACH = 10  # of an account
ACCOUNTS_AT_ONCE = 50  # in one transaction
RECIPIENTS = 50
TEXT = 350  # characters: a msg of 1 kB
TTL_SECONDS = 3_600
HEADROOM_SECONDS = 300
TIMEOUT_SECONDS = 300.0
POLL_SECONDS = 0.25
READ = 1 << 16
CHEAP = Argon2Cost(operations=1, memory_bytes=8192)
SETTINGS = {("node", "publish_pubkeys"): "never"}
WITHOUT = {"BMGATE_BACKEND": "hashlib"}


@dataclass(frozen=True, slots=True)
class Run:
    """What a gateway needed for so many objects, in seconds, and how many mails there were in the end."""

    objects: int
    elapsed: float
    processor: float
    mails: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """Addresses, msgs for some of them, and msgs for others."""

    addresses: int
    ours: int
    foreign: int


def main() -> None:
    options = read_options(__doc__)
    report(options, "Receiving: a gateway with many addresses, msgs from a peer", measure(options))


def measure(options: Options) -> list[Figure]:
    """The gateway as it is first; without its extension afterwards, on a copy of the same folder."""
    sizes = options.pick(Sizes(16_000, 200, 2_000), Sizes(2_000, 50, 450), Sizes(40, 4, 6))
    fewer = options.pick(Sizes(16_000, 4, 20), Sizes(2_000, 1, 5), Sizes(40, 2, 2))
    with scratch() as folder:
        (host,) = free_hosts(1)
        prepare_folder(folder / "with", host, SETTINGS, int(time.time()))
        keys = asyncio.run(add_identities(folder / "with", sizes.addresses))
        shutil.copytree(folder / "with", folder / "without")
        mine = receive(folder / "with", sizes, keys, {})
        plain = receive(folder / "without", fewer, keys, WITHOUT)
    each, plain_each = mine.processor / mine.objects, plain.processor / plain.objects
    beside = f"{sizes.addresses:,} addresses, {sizes.ours:,} msgs for {min(RECIPIENTS, sizes.ours)} of them"
    return [
        Figure(f"{beside}, {sizes.foreign:,} others: arrived", mine.mails, "mails", Must(sizes.ours)),
        Figure("processor time of an object", each * 1e3, "ms", None, "one by one", plain_each / each),
        Figure("until all are processed", mine.elapsed, "s"),
        Figure(
            "objects",
            mine.objects / mine.elapsed,
            "/s",
            None,
            "one by one",
            plain.elapsed / plain.objects * mine.objects / mine.elapsed,
        ),
        Figure(f"one by one, {plain.objects} objects: processor time of each", plain_each * 1e3, "ms"),
        Figure("one by one, arrived", plain.mails, "mails", Must(fewer.ours)),
    ]


# -- before ----------------------------------------------------------------------------------------------------------


async def add_identities(folder: Path, count: int) -> list[PrivateKeys]:
    """Accounts with addresses, put into the database as the services do it; the keys of all."""
    keys = [random_keys(os.urandom, leading_zeros=0) for _ in range(count)]
    owned = [keys[start : start + ADDRESSES_EACH] for start in range(0, count, ADDRESSES_EACH)]
    database, passwords = opened(folder)
    for start in range(0, len(owned), ACCOUNTS_AT_ONCE):
        portion = list(enumerate(owned[start : start + ACCOUNTS_AT_ONCE], start))

        def add(store: Store, portion: list[tuple[int, list[PrivateKeys]]] = portion) -> None:
            for number, mine in portion:
                add_account(store, f"user{number}", mine, passwords)

        await database.transact(add)
    await database.close()
    return keys


def add_account(store: Store, name: str, keys: Sequence[PrivateKeys], passwords: PasswordSlots) -> None:
    now = int(time.time())
    account = store.accounts.add(name, passwords.new_account(name, Level.L0), Level.L0, None, now)
    minimum = (TESTNET.nonce_trials_per_byte, TESTNET.payload_length_extra_bytes)
    for each in keys:
        new = NewIdentity(each.public.address(), each, "", each is keys[0], *minimum, now)
        store.account(account.id).identities.add(new)


def opened(folder: Path) -> tuple[SealedDatabase, PasswordSlots]:
    data = DataFolder(folder)
    vault = Vault(read_master_key(data.master_key), os.urandom)
    return open_database(data.database, vault, TESTNET.name), PasswordSlots(vault, CHEAP)


def make_msgs(sizes: Sizes, keys: Sequence[PrivateKeys]) -> list[bytes]:
    """In any order, their work done."""
    recipients = random.sample(keys, min(RECIPIENTS, len(keys), sizes.ours))
    ours = [pubkey_of(recipients[number % len(recipients)]) for number in range(sizes.ours)]
    others = [pubkey_of(random_keys(os.urandom, leading_zeros=0)) for _ in range(sizes.foreign)]
    everybody = [*ours, *others]
    random.shuffle(everybody)
    sender = random_keys(os.urandom, leading_zeros=0)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(lambda recipient: make_msg(sender, recipient), everybody))


def pubkey_of(keys: PrivateKeys) -> Pubkey:
    minimum = (TESTNET.nonce_trials_per_byte, TESTNET.payload_length_extra_bytes)
    return Pubkey(4, 1, Behavior.DOES_ACK, keys.public, *minimum)


def make_msg(sender: PrivateKeys, recipient: Pubkey) -> bytes:
    text = encode_message("benchmark", os.urandom(TEXT // 2).hex())
    expires = int(time.time()) + TTL_SECONDS
    encoded = build_msg(pubkey_of(sender), sender, recipient, SIMPLE, text, b"", expires, os.urandom)
    minimum = (TESTNET.nonce_trials_per_byte, TESTNET.payload_length_extra_bytes)
    limit = target(len(encoded), TTL_SECONDS + HEADROOM_SECONDS, *minimum)
    nonce, _ = choose_backend().search(initial_hash(encoded), limit, 0, 1 << 40, bytearray(1))
    assert nonce is not None
    return with_nonce(encoded, nonce)


# -- the run ---------------------------------------------------------------------------------------------------------


def receive(folder: Path, sizes: Sizes, keys: Sequence[PrivateKeys], environ: dict[str, str]) -> Run:
    """Hand a gateway fresh msgs, and look into its mailboxes when it has ended."""
    msgs = make_msgs(sizes, keys)
    with GatewayProcess(folder) as gateway:
        gateway.start(environ)
        with closing(Peer(*gateway.listener("bitmessage"))) as peer:
            processor, begun = cpu_seconds(gateway.pid), time.perf_counter()
            peer.give(msgs)
            wait_until_processed(gateway, len(msgs))
            elapsed, processor = time.perf_counter() - begun, cpu_seconds(gateway.pid) - processor
        gateway.stop()
    return Run(len(msgs), elapsed, processor, asyncio.run(count_mails(folder)))


def wait_until_processed(gateway: GatewayProcess, count: int) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while gateway.status()["objects"] != {"stored": count, "to_process": 0}:
        assert time.monotonic() < deadline, gateway.status()["objects"]
        time.sleep(POLL_SECONDS)


async def count_mails(folder: Path) -> int:
    """In the INBOX of every account."""

    def count(store: Store) -> int:
        total = 0
        for account in store.accounts.all():
            mine = store.account(account.id)
            total += len(mine.messages.rows(mine.mailboxes.by_kind(MailboxKind.INBOX).id))
        return total

    database, _ = opened(folder)
    found = await database.read(count)
    await database.close()
    return found


class Peer:
    """A node that has objects to give, on a blocking socket."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), TIMEOUT_SECONDS)
        self._packets = PacketReader(TESTNET.magic)
        self._say(own_version())
        while not isinstance(self._hear(), Verack):
            continue
        self._say(Verack())

    def give(self, encoded: Sequence[bytes]) -> None:
        """Announce these, and return when all were asked for and handed over."""
        objects = {inventory_vector(each): each for each in encoded}
        for portion in split_vectors(objects):
            self._say(Inv(portion))
        asked: set[InventoryVector] = set()
        while len(asked) < len(objects):
            match self._hear():
                case Getdata(vectors):
                    self._say(*(ObjectCommand(objects[vector]) for vector in vectors))
                    asked.update(vectors)
                case Ping():
                    self._say(Pong())
                case _:
                    pass

    def close(self) -> None:
        self._socket.close()

    def _say(self, *commands: Command) -> None:
        self._socket.sendall(b"".join(encode_command(command, TESTNET.magic) for command in commands))

    def _hear(self) -> Command:
        while (packet := self._packets.next_packet()) is None:
            data = self._socket.recv(READ)
            if not data:
                raise ConnectionError("the gateway hung up")
            self._packets.feed(data)
        return read_command(packet)


if __name__ == "__main__":
    main()
