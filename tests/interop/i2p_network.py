"""An I2P network of our own: a few routers that know each other, on addresses that only a network namespace lends."""

import base64
import hashlib
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROUTERS = 3
NETWORK_ID = 99
SECONDS = 60.0
SETTINGS = """loglevel = error
host = {address}
address4 = {address}
port = {port}
ipv6 = false
floodfill = true
[sam]
enabled = true
address = 127.0.0.1
port = {sam}
[http]
enabled = false
[httpproxy]
enabled = false
[socksproxy]
enabled = false
[ntcp2]
enabled = true
published = true
port = {port}
[ssu2]
enabled = false
[reseed]
urls = http://127.0.0.1:1/
"""


@dataclass(frozen=True)
class Router:
    """One i2pd."""

    folder: Path
    sam: str

    def start(self) -> subprocess.Popen[bytes]:
        options = [f"--conf={self.folder / 'i2pd.conf'}", f"--datadir={self.folder}", f"--netid={NETWORK_ID}"]
        return subprocess.Popen(["i2pd", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @property
    def info(self) -> Path:
        """What others must know of it."""
        return self.folder / "router.info"


@contextmanager
def i2p_network(folder: Path) -> Iterator[list[Router]]:
    """Running, and soon able to build tunnels."""
    routers = [_router(folder, number) for number in range(1, ROUTERS + 1)]
    _stop([_introduced(router) for router in routers])
    for router in routers:
        (router.folder / "i2pd.pid").unlink(missing_ok=True)
        for other in routers:
            if other is not router:
                _tell(router, other.info.read_bytes())
    running = [router.start() for router in routers]
    try:
        yield routers
    finally:
        _stop(running)


def _router(folder: Path, number: int) -> Router:
    address, place = f"5.{number}.5.5", folder / f"router{number}"
    subprocess.run(["ip", "addr", "add", f"{address}/32", "dev", "lo"], check=True)
    place.mkdir(parents=True)
    settings = SETTINGS.format(address=address, port=20_000 + number, sam=17_000 + number)
    (place / "i2pd.conf").write_text(settings)
    return Router(place, f"127.0.0.1:{17_000 + number}")


def _introduced(router: Router) -> subprocess.Popen[bytes]:
    """Runs, and has written its information."""
    process, deadline = router.start(), time.monotonic() + SECONDS
    while not (router.info.exists() and router.info.stat().st_size > 400):
        assert time.monotonic() < deadline, "i2pd writes no router.info"
        time.sleep(0.1)
    return process


def _tell(router: Router, info: bytes) -> None:
    identity = info[: 387 + int.from_bytes(info[385:387], "big")]
    name = base64.b64encode(hashlib.sha256(identity).digest(), b"-~").decode()
    place = router.folder / "netDb" / f"r{name[0]}" / f"routerInfo-{name}.dat"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(info)


def _stop(running: list[subprocess.Popen[bytes]]) -> None:
    for process in running:
        process.kill()
        process.wait()
