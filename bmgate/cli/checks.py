"""What `bmgate check` looks at: each check yields findings and changes nothing."""

import math
import os
import platform
import shlex
import shutil
import socket
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography import x509

from bmgate.bm.tls import tls_works
from bmgate.cli.options import Place
from bmgate.cli.output import host_port, size
from bmgate.config import Config
from bmgate.control.client import ControlClient
from bmgate.doors import can_bind, certificate_files, wanted_listeners
from bmgate.errors import ConfigError, GatewayError, Missing, Unavailable
from bmgate.native import choose_backend
from bmgate.pow.opencl import Device
from bmgate.storage.masterkey import read_master_key
from bmgate.units import DAY

Kind = Literal["ok", "warning", "error", "configuration"]

RENEW_DAYS = 30
PROXY_SECONDS = 2.0
FIRST_AFFECTED, FIRST_FIXED = (3, 7, 0), (3, 51, 3)
_MEANT = """
SELECT 1 FROM alias JOIN identity ON identity.id = alias.identity
    OR (alias.identity IS NULL AND identity.account = alias.account AND identity.is_default)
WHERE alias.name = ? AND identity.deleted_at IS NULL
"""
BACKPORTS = {(3, 44): 6, (3, 50): 7}  # release series: first patch with the fix


@dataclass(frozen=True, slots=True)
class Finding:
    """One result; `text` says what to do, where something is to be done."""

    kind: Kind
    what: str
    text: str


def all_findings(where: Place) -> Iterator[Finding]:
    """Of machine, data folder and configuration, as far as they can be read."""
    yield from machine_findings()
    try:
        where.folder.check()
    except ConfigError as error:
        yield Finding("configuration", "data folder", str(error))
    else:
        yield from folder_findings(where)
    try:
        config = where.config()
    except ConfigError as error:
        yield Finding("configuration", "settings", str(error))
        return
    yield Finding("ok", "settings", str(where.config_file))
    yield from config_findings(where, config)


def machine_findings() -> Iterator[Finding]:
    """Python, SQLite, OpenSSL, the native kernel, the user."""
    yield Finding("ok", "Python", platform.python_version())
    version = sqlite3.sqlite_version_info
    if has_wal_reset_bug(version):
        yield Finding(
            "warning",
            "SQLite",
            f"{sqlite3.sqlite_version} has the WAL-reset bug (fixed in 3.51.3, 3.50.7, 3.44.6); bmgate avoids what "
            "triggers it, and no other program may open bmgate.db while the gateway runs",
        )
    else:
        yield Finding("ok", "SQLite", sqlite3.sqlite_version)
    if tls_works():
        yield Finding("ok", "TLS between nodes", "works")
    else:
        yield Finding("warning", "TLS between nodes", "this OpenSSL lacks it: connections to peers are in clear")
    backend = choose_backend()
    if backend.lacking:
        yield Finding("warning", "kernels", f"{backend.report()}, slower than they could be: {backend.lacking}")
    else:
        yield Finding("ok", "kernels", backend.report())
    if os.geteuid() == 0:
        yield Finding("warning", "user", "root; a user of its own is safer")


def has_wal_reset_bug(version: tuple[int, ...]) -> bool:
    """Whether this SQLite can corrupt a WAL database when two connections write or checkpoint at once (F3)."""
    fixed_patch = BACKPORTS.get((version[0], version[1]))
    if fixed_patch is not None:
        return version[2] < fixed_patch
    return FIRST_AFFECTED <= version < FIRST_FIXED


def folder_findings(where: Place) -> Iterator[Finding]:
    """Modes and the master key (E1)."""
    folder = where.folder
    yield Finding("ok", "data folder", str(folder.path))
    try:
        folder.check_sealed()
        read_master_key(folder.master_key)
    except ConfigError as error:
        yield Finding("configuration", "master key", str(error))
    else:
        yield Finding("ok", "master key", str(folder.master_key))
    for path in sorted(folder.path.rglob("*")):
        if _is_open(path):
            yield Finding("error", "permissions", f"others can read {path}; run: chmod go= {shlex.quote(str(path))}")


def config_findings(where: Place, config: Config) -> Iterator[Finding]:
    """What the settings ask of this machine: certificate, ports, Tor and I2P, an OpenCL device."""
    if os.geteuid() == 0 and (config.gateway.user or config.gateway.profile == "service"):
        yield Finding("configuration", "user", "these settings ask for another user than root; start it as that user")
    try:
        files = certificate_files(config, where.folder)
        left = _days_left(files.chain)
    except (GatewayError, OSError, ValueError) as error:
        yield Finding("configuration", "certificate", str(error))
    else:
        kind: Kind = "error" if left < 0 else "warning" if left < RENEW_DAYS else "ok"
        yield Finding(kind, "certificate", f"{files.chain}, {'expired' if left < 0 else f'valid for {left} days'}")
    if where.folder.path.is_dir():
        yield _disk_finding(where, config)
    yield from _operator_findings(where, config.gateway.operator)
    yield from _port_findings(where, config)
    yield from _proxy_findings(config)
    yield from _device_findings(config)


def _disk_finding(where: Place, config: Config) -> Finding:
    free = shutil.disk_usage(where.folder.path).free
    if free >= config.storage.keep_free:
        return Finding("ok", "disk", f"{size(free)} free")
    return Finding("warning", "disk", f"{size(free)} free, less than [storage] keep_free: no objects are taken")


def _operator_findings(where: Place, operator: str) -> Iterator[Finding]:
    """Whether the name of the operator means an address: else nobody gets mail to postmaster."""
    if operator and not _has_address(where, operator):
        text = f"{operator} names no account that has an address: mail to postmaster, abuse and admin is refused"
        yield Finding("warning", "[gateway] operator", text)


def _has_address(where: Place, name: str) -> bool:
    """Asked of the gateway; where none runs, looked up in its database, which stays as it is."""
    try:
        with ControlClient(where.folder.socket) as client:
            return bool(client.call("address.list", {"account": name}, lambda _: None))
    except Missing:
        return False
    except Unavailable:
        pass
    uri = f"{where.folder.database.absolute().as_uri()}?mode=ro&immutable=1"  # leaves locks and journals alone
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            return connection.execute(_MEANT, [name.lower()]).fetchone() is not None
    except sqlite3.Error:  # no database, or none that was ever used
        return False


def _days_left(chain: Path) -> int:
    """How long the server's certificate is still valid; negative when it is not."""
    certificate = x509.load_pem_x509_certificate(chain.read_bytes())
    return math.floor((certificate.not_valid_after_utc.timestamp() - time.time()) / DAY)


def _port_findings(where: Place, config: Config) -> Iterator[Finding]:
    try:
        ControlClient(where.folder.socket).close()
    except Unavailable:
        pass
    else:
        yield Finding("ok", "ports", "a gateway runs here and has them")
        return
    taken = [host_port(host, port) for host, port in _wanted(config) if not can_bind(host, port)]
    for place in taken:
        yield Finding("error", "ports", f"{place} cannot be bound: stop what uses it, or set another port")
    if not taken:
        yield Finding("ok", "ports", "can be bound")


def _device_findings(config: Config) -> Iterator[Finding]:
    """Whether the OpenCL device that is wanted finds the known nonce."""
    if config.pow.opencl in ("", "off"):
        return
    try:
        yield Finding("ok", "OpenCL", Device(config.pow.opencl).name)
    except Unavailable as error:
        yield Finding("warning", "OpenCL", f"{error}; the processors do the proof of work")


def _proxy_findings(config: Config) -> Iterator[Finding]:
    """Whether Tor and I2P are there; only their listeners are looked at, and nobody is asked for anything."""
    helpers = {"[node] socks": config.node.socks, "[node] sam": config.node.sam, "[tor] control": config.tor.control}
    for what, place in helpers.items():
        if place is None:
            continue
        try:
            socket.create_connection((place.host, place.port or 0), PROXY_SECONDS).close()
        except OSError as error:
            text = f"nobody answers at {place} ({error.strerror or 'no answer'}): is it running? No peers until then"
            yield Finding("warning", what, text)
        else:
            yield Finding("ok", what, f"{place} answers")


def _wanted(config: Config) -> Iterator[tuple[str, int]]:
    yield from config.node.listeners
    yield from ((each.host, each.port) for each in wanted_listeners("imap", config.imap))
    yield from ((each.host, each.port) for each in wanted_listeners("smtp", config.smtp))
    yield from ((host, config.smtp.loopback_port or 0) for host in config.smtp.loopback_hosts)
    yield from ((each.host, each.port) for each in wanted_listeners("pop3", config.pop3))


def _is_open(path: Path) -> bool:
    """Whether group or others may look inside; the socket checks its callers itself."""
    mode = path.lstat().st_mode
    return not stat.S_ISSOCK(mode) and not stat.S_ISLNK(mode) and bool(stat.S_IMODE(mode) & 0o077)
