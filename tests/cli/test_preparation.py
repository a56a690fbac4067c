"""What a gateway needs before its first start, made once and privately."""

import stat
from collections.abc import Collection
from pathlib import Path

import pytest

from bmgate.cli.options import Place
from bmgate.cli.preparation import prepare, usable_ports, with_settings
from bmgate.config import parse_config, render_ini
from bmgate.datafolder import DataFolder
from bmgate.doors import MAIL_PORTS
from bmgate.errors import ConfigError

NOW = 1_795_000_000


def place_in(folder: Path) -> Place:
    data = DataFolder(folder)
    return Place(data, data.config)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_everything_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "data"
    prepare(place_in(folder), lambda: {("node", "network"): "test"}, NOW)
    made = contents(folder)
    assert set(made) == {
        "bmgate.db",
        "gateway.ini",
        "lock",
        "master.key",
        "tls/ca.key",
        "tls/ca.pem",
        "tls/server.key",
        "tls/server.pem",
    }
    for path in (folder, *folder.rglob("*")):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    prepare(place_in(folder), lambda: {("node", "network"): "main"}, NOW)
    assert contents(folder) == made


def test_a_lost_master_key_is_not_replaced_over_a_database(tmp_path: Path) -> None:
    where = place_in(tmp_path / "data")
    prepare(where, dict, NOW)
    where.folder.master_key.unlink()
    where.folder.database.write_bytes(b"sealed")
    with pytest.raises(ConfigError, match="restore it"):
        prepare(where, dict, NOW)
    assert not where.folder.master_key.exists()


def test_a_certificate_of_the_operator_makes_ours_needless(tmp_path: Path) -> None:
    where = place_in(tmp_path / "data")
    prepare(where, lambda: {("tls", "certificate"): "/etc/cert.pem", ("tls", "key"): "/etc/key.pem"}, NOW)
    assert not list(where.folder.tls.iterdir())


@pytest.mark.parametrize(
    "changes", [{("nowhere", "x"): "1"}, {("imap", "nothing"): "1"}, {("imap", "tls_port"): "many"}]
)
def test_settings_that_cannot_be_leave_no_file(tmp_path: Path, changes: dict[tuple[str, str], str]) -> None:
    where = place_in(tmp_path / "data")
    with pytest.raises(ConfigError):
        prepare(where, lambda: changes, NOW)
    assert not contents(where.folder.path)


def test_settings_replace_their_commented_defaults_in_their_own_section() -> None:
    text = with_settings(render_ini(), {("imap", "tls_port"): "10993", ("node", "network"): "test"})
    config = parse_config(text, "gateway.ini")
    assert (config.imap.tls_port, config.smtp.tls_port, config.node.network) == (10993, "auto", "test")
    assert len(text.splitlines()) == len(render_ini().splitlines())


@pytest.mark.parametrize(
    ("taken", "offset"),
    [
        ((), 0),
        ((143,), 10_000),
        (range(1, 1024), 10_000),
        ((*range(1, 1024), 10_465), 20_000),
    ],
)
def test_ports_move_together(taken: Collection[int], offset: int) -> None:
    chosen = usable_ports(lambda port: port not in taken)
    assert chosen == {place: str(port + offset) for place, port in MAIL_PORTS.items()}


def test_no_port_at_all_is_told() -> None:
    with pytest.raises(ConfigError, match="no ports"):
        usable_ports(lambda _: False)


def test_all_ports_tried_exist() -> None:
    tried: list[int] = []

    def refuse(port: int) -> bool:
        tried.append(port)
        return False

    with pytest.raises(ConfigError):
        usable_ports(refuse)
    assert max(tried) < 65_536
