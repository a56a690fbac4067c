"""The reactor on either loop: in a process of its own, for a process has one."""

import struct
import subprocess
import sys

import pytest

RESET = struct.pack("ii", 1, 0)  # SO_LINGER with which close() sends RST
PROGRAM = """
import asyncio, socket, sys
from bmgate.reactor import guest_reactor
from twisted.internet.protocol import Protocol, ServerFactory

class Server(Protocol):
    def dataReceived(self, data):
        print(data.decode())

    def connectionLost(self, reason):
        print("lost")
        self.factory.end.set()

async def main():
    factory = ServerFactory.forProtocol(Server)
    factory.end = asyncio.Event()
    port = guest_reactor().listenTCP(0, factory, interface="127.0.0.1")
    client = socket.create_connection(("127.0.0.1", port.getHost().port))
    client.sendall(b"data")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes.fromhex(sys.argv[2]))
    client.close()
    async with asyncio.timeout(10):
        await factory.end.wait()

if sys.argv[1] == "uvloop":
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_connection_that_is_reset_behind_its_last_words_is_lost(loop: str) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop", reason="uvloop is not installed")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, loop, RESET.hex()], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout.split() == ["data", "lost"], done.stderr
