"""A Tor network of our own: one authority, some relays, some clients, all on 127.0.0.1 of a network namespace."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

RELAYS = 5
SECONDS = 120.0
COMMON = """TestingTorNetwork 1
ShutdownWaitLength 0
AssumeReachable 1
PathsNeededToBuildCircuits 0.25
TestingClientConsensusDownloadInitialDelay 0
TestingServerConsensusDownloadInitialDelay 0
UseDefaultFallbackDirs 0
"""
AUTHORITY = """AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
TestingV3AuthInitialVotingInterval 5
TestingV3AuthInitialVoteDelay 2
TestingV3AuthInitialDistDelay 2
V3AuthVotingInterval 10
V3AuthVoteDelay 2
V3AuthDistDelay 2
TestingDirAuthVoteExit *
TestingDirAuthVoteGuard *
TestingDirAuthVoteHSDir *
"""


@dataclass(frozen=True)
class TorClient:
    """One Tor that is a client of the network."""

    log: Path
    socks: str
    control: str


@contextmanager
def tor_network(folder: Path, clients: int) -> Iterator[list[TorClient]]:
    """Up once every client can build circuits; its ports are fixed, so it wants a network namespace."""
    folders, directory = [_authority(folder)], _directory(folder)
    for number in range(1, RELAYS + 1):
        ports = f"Nickname relay{number}\nAddress 127.0.0.1\nORPort 127.0.0.1:{5000 + number}\nSocksPort 0\n"
        folders.append(_member(folder / f"relay{number}", ports + "ExitRelay 0\n" + directory))
    made = []
    for number in range(1, clients + 1):
        client = TorClient(
            folder / f"client{number}" / "log", f"127.0.0.1:{9050 + number}", f"127.0.0.1:{9150 + number}"
        )
        ports = f"SocksPort {client.socks}\nControlPort {client.control}\nCookieAuthentication 1\n"
        folders.append(_member(client.log.parent, ports + directory))
        made.append(client)
    running = [subprocess.Popen(["tor", "--quiet", "-f", str(each / "torrc")]) for each in folders]
    try:
        _wait_for([client.log for client in made])
        yield made
    finally:
        for process in running:
            process.kill()
            process.wait()


def _authority(folder: Path) -> Path:
    """Its folder, with keys; `directory` beside it holds the line by which others know it."""
    ports = (
        "Nickname auth\nAddress 127.0.0.1\nORPort 127.0.0.1:5000\nDirPort 127.0.0.1:7000\nSocksPort 0\nExitRelay 0\n"
    )
    place = _member(folder / "auth", ports)
    keys = place / "keys"
    keys.mkdir(mode=0o700)
    files = [f"{keys}/authority_{name}" for name in ("identity_key", "signing_key", "certificate")]
    options = ["-m", "12", "-a", "127.0.0.1:7000", "-i", files[0], "-s", files[1], "-c", files[2]]
    generate = ["tor-gencert", "--create-identity-key", *options, "--passphrase-fd", "0"]
    subprocess.run(generate, input=b"words\n", check=True, capture_output=True)
    certificate = Path(files[2]).read_text()
    v3ident = next(line.split()[1] for line in certificate.splitlines() if line.startswith("fingerprint"))
    line = f"DirAuthority auth orport=5000 no-v2 v3ident={v3ident} 127.0.0.1:7000 "
    ask = ["tor", "-f", str(place / "torrc"), "--list-fingerprint", "--quiet", *(line + "0" * 40).split(" ", 1)]
    told = subprocess.run(ask, check=True, capture_output=True, text=True).stdout
    fingerprint = next(each for each in told.splitlines() if each.startswith("auth ")).removeprefix("auth ")
    (folder / "directory").write_text(line + fingerprint.replace(" ", "") + "\n")
    with open(place / "torrc", "a") as torrc:
        torrc.write(_directory(folder) + AUTHORITY)
    return place


def _directory(folder: Path) -> str:
    return (folder / "directory").read_text()


def _member(place: Path, lines: str) -> Path:
    place.mkdir(mode=0o700, parents=True)
    (place / "torrc").write_text(f"{COMMON}DataDirectory {place}\nLog notice file {place / 'log'}\n{lines}")
    return place


def _wait_for(logs: list[Path]) -> None:
    deadline = time.monotonic() + SECONDS
    while not all(log.exists() and "Bootstrapped 100%" in log.read_text() for log in logs):
        assert time.monotonic() < deadline, "the Tor network does not come up"
        time.sleep(0.5)
