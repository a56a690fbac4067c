"""What a gateway needs before its first start: data folder, settings, master key with database, certificate.

Does what is missing and leaves alone what is there, so that it can be repeated. Master key and database are made
together or not at all: where one of them was lost, only its backup helps.
"""

import os
import re
from collections.abc import Callable, Mapping

from bmgate import certificates
from bmgate.cli.options import Place
from bmgate.config import Config, parse_config, render_ini
from bmgate.datafolder import DataFolder, private
from bmgate.doors import MAIL_PORTS, UNPRIVILEGED_OFFSET
from bmgate.errors import ConfigError
from bmgate.storage.database import create_database
from bmgate.storage.masterkey import create_master_key, sync_folder
from bmgate.storage.sealing import KEY_SIZE
from bmgate.storage.vault import Vault

Changes = Mapping[tuple[str, str], str]

OFFSETS = range(0, 60_000, UNPRIVILEGED_OFFSET)


def prepare(where: Place, changes: Callable[[], Changes], now: int) -> None:
    """Make what is missing; `changes` is asked for section, key and value where the settings are new.

    Raises ConfigError; `now` in Unix seconds.
    """
    folder = where.folder
    folder.create()
    if not where.config_file.exists():
        _write_settings(where, changes())
    config = where.config()
    if folder.is_new:
        _make_sealed(folder, config.node.network)
    folder.check_sealed()
    if not config.tls.certificate and not certificates.own_files(folder.tls).exist:
        certificates.create(folder.tls, _server_names(config), now)


def _make_sealed(folder: DataFolder, network: str) -> None:
    """Master key and database, both or none; a kill between the last two steps is told as a lost database."""
    with folder.locked("bmgate quickstart"):
        if not folder.is_new:
            return
        key, draft = os.urandom(KEY_SIZE), folder.database.with_suffix(".new")
        create_database(draft, Vault(key, os.urandom), network)
        create_master_key(folder.master_key, lambda _size: key)
        draft.rename(folder.database)
        sync_folder(folder.path)


def _server_names(config: Config) -> list[str]:
    """Under which names and addresses mail programs reach this gateway."""
    places = (*config.imap.listen, *config.smtp.listen, *config.pop3.listen)
    listening = [host for host in places if host not in ("0.0.0.0", "::")]
    return [config.gateway.domain, *listening]


def usable_ports(is_free: Callable[[int], bool]) -> Changes:
    """The ports for mail programs: the usual ones where they may be bound, otherwise each + 10,000.

    Where another gateway has those, the next 10,000.
    """
    for offset in OFFSETS:
        if all(is_free(port + offset) for port in MAIL_PORTS.values()):
            return {place: str(port + offset) for place, port in MAIL_PORTS.items()}
    raise ConfigError("no ports for mail programs can be bound on this machine; see: bmgate check")


def with_settings(text: str, changes: Changes) -> str:
    """The text of a `gateway.ini` with these settings in place of their commented defaults; raises ConfigError."""
    lines, section, left = [], "", dict(changes)
    for line in text.splitlines():
        if header := re.fullmatch(r"\[(.+)\]", line):
            section = header[1]
        key = re.match(r"(?:# )?([a-z0-9_]+) =", line)
        value = left.pop((section, key[1]), None) if key else None
        lines.append(line if value is None or key is None else f"{key[1]} = {value}")
    if left:
        raise ConfigError(f"no such setting: {', '.join(f'[{section}] {key}' for section, key in left)}")
    return "\n".join(lines) + "\n"


def _write_settings(where: Place, changes: Changes) -> None:
    """All of them or none: a half-written file would be read at the next start."""
    text = with_settings(render_ini(), changes)
    parse_config(text, str(where.config_file))
    draft = where.config_file.with_name(where.config_file.name + ".new")
    with open(draft, "w", encoding="utf-8", opener=private) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(where.config_file)
