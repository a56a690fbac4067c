"""A peer that has objects and costs next to nothing, for a gateway to fetch from: it checks and keeps nothing.

`peer_node.py FILE HOST` prints its port on HOST; it ends when its standard input does. FILE holds objects of `SIZE`
octets end to end.
"""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import cast

from bmgate.bm.commands import (
    Command,
    Getdata,
    Inv,
    NetAddress,
    ObjectCommand,
    Ping,
    Pong,
    Services,
    Verack,
    VersionCommand,
    encode_command,
    read_command,
    split_vectors,
)
from bmgate.bm.hashes import InventoryVector, inventory_vector
from bmgate.bm.network import TESTNET
from bmgate.bm.packets import PacketReader

SIZE = 1000


class Giver(asyncio.Protocol):
    """One connection: all vectors at once, then whatever is asked for."""

    def __init__(self, packets: dict[InventoryVector, bytes]) -> None:
        self._packets, self._reader = packets, PacketReader(TESTNET.magic)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (packet := self._reader.next_packet()) is not None:
            self._answer(read_command(packet))

    def _answer(self, command: Command) -> None:
        match command:
            case VersionCommand():
                self._say(Verack(), own_version())
            case Verack():
                self._say(*map(Inv, split_vectors(self._packets)))
            case Getdata(vectors):
                self._transport.writelines([self._packets[vector] for vector in vectors])
            case Ping():
                self._say(Pong())

    def _say(self, *commands: Command) -> None:
        self._transport.writelines([encode_command(command, TESTNET.magic) for command in commands])


def own_version() -> VersionCommand:
    """What a benchmark's peers say of themselves."""
    nobody = NetAddress(Services.NETWORK, "127.0.0.1", TESTNET.port)
    return VersionCommand(
        3, Services.NETWORK, int(time.time()), nobody, nobody, os.urandom(8), b"/benchmark:1.0/", (1,)
    )


def packets_of(data: bytes) -> dict[InventoryVector, bytes]:
    """The packet of each object, ready to be sent."""
    objects = (data[at : at + SIZE] for at in range(0, len(data), SIZE))
    return {inventory_vector(each): encode_command(ObjectCommand(each), TESTNET.magic) for each in objects}


async def main(packets: dict[InventoryVector, bytes], host: str) -> None:
    """Serve until nobody reads us any more."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    server = await loop.create_server(lambda: Giver(packets), host, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop.add_reader(sys.stdin, ended.set)
    await ended.wait()
    server.close()


if __name__ == "__main__":
    file, own_host = sys.argv[1:]
    asyncio.run(main(packets_of(Path(file).read_bytes()), own_host))
