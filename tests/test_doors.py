"""Where the doors listen, and what is told when they cannot."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bmgate import certificates
from bmgate.config import Config, parse_config
from bmgate.datafolder import DataFolder
from bmgate.doors import MAIL_PORTS, UNPRIVILEGED_OFFSET, Listener, certificate_files, onion_listeners, wanted_listeners
from bmgate.errors import CannotListen, ConfigError
from bmgate.imap.limits import ImapLimits
from bmgate.imap.server import ImapFactory
from bmgate.reactor import guest_reactor
from bmgate.smtp.server import server_context
from bmgate.tcp.listening import listen, tls_options

NOW = 1_795_000_000


def settings(text: str) -> Config:
    return parse_config(text, "gateway.ini")


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of 127.0.0.1 on which somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_door_listens_on_each_of_its_hosts_with_tls_and_with_starttls() -> None:
    imap = settings("[imap]\nlisten = 127.0.0.1, ::1\ntls_port = 5000\nstarttls_port = 5001\n").imap
    assert list(wanted_listeners("imap", imap)) == [
        Listener("imap", "127.0.0.1", 5000),
        Listener("imap starttls", "127.0.0.1", 5001),
        Listener("imap", "::1", 5000),
        Listener("imap starttls", "::1", 5001),
    ]


def test_a_port_that_is_off_is_left_out() -> None:
    smtp = settings("[smtp]\ntls_port = off\nstarttls_port = 0\n").smtp
    assert list(wanted_listeners("smtp", smtp)) == [Listener("smtp starttls", "127.0.0.1", 0)]


def test_pop3_listens_like_the_others() -> None:
    pop3 = settings("[pop3]\ntls_port = 5000\nstarttls_port = off\n").pop3
    assert list(wanted_listeners("pop3", pop3)) == [Listener("pop3", "127.0.0.1", 5000)]
    assert [each.port for each in onion_listeners("pop3", "127.0.0.2", fixed=True)] == [20_995, 20_110]


def test_a_loopback_port_and_lmtp_are_off_unless_asked_for() -> None:
    smtp = settings("").smtp
    assert (smtp.loopback_hosts, smtp.lmtp_socket, smtp.lmtp_group) == ((), None, "")
    assert settings("[smtp]\nloopback_port = 2525\n").smtp.loopback_hosts == ("127.0.0.1",)
    everywhere = settings("[smtp]\nlisten = 0.0.0.0, ::1\nloopback_port = 0\n").smtp
    assert (everywhere.loopback_hosts, everywhere.loopback_port) == (("::1",), 0)
    outside = settings("[smtp]\nlisten = 192.0.2.1\nloopback_port = 25\nlmtp_socket = /run/bmgate/lmtp\n").smtp
    assert (outside.loopback_hosts, outside.lmtp_socket) == (("127.0.0.1",), Path("/run/bmgate/lmtp"))


@pytest.mark.parametrize(
    "line", ["loopback_port = auto", "loopback_port = 70000", "lmtp_socket = lmtp", "lmtp_socket = /" + "x" * 107]
)
def test_a_port_or_path_that_is_none_is_told(line: str) -> None:
    with pytest.raises(ConfigError, match=rf"\[smtp\] {line[:8]}.*hoped for off or a"):
        settings(f"[smtp]\n{line}\n")


def test_auto_is_the_usual_port_or_one_that_needs_no_privilege() -> None:
    for listener, key in zip(wanted_listeners("imap", settings("").imap), ("tls_port", "starttls_port"), strict=True):
        assert listener.port in (MAIL_PORTS["imap", key], MAIL_PORTS["imap", key] + UNPRIVILEGED_OFFSET)


async def test_a_port_in_use_is_told_with_what_to_do(taken: int) -> None:
    factory = ImapFactory(None, ImapLimits())  # type: ignore[arg-type]  # nobody connects
    with pytest.raises(CannotListen, match=rf"\[imap\] cannot listen on 127.0.0.1, port {taken}: .*another port"):
        listen(guest_reactor(), "imap", "127.0.0.1", taken, factory, None)


def test_a_certificate_that_is_none_is_told_by_both_doors(tmp_path: Path) -> None:
    files = certificates.create(tmp_path, [], NOW)
    files.chain.write_text("no certificate")
    with pytest.raises(CannotListen, match=r"server\.pem"):
        tls_options(files.key, files.chain)
    with pytest.raises(CannotListen, match=r"server\.pem"):
        server_context(files.chain, files.key)


def test_a_missing_certificate_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotListen, match=r"no certificate at .*server\.pem; run: bmgate quickstart"):
        certificate_files(settings(""), DataFolder(tmp_path))


def test_behind_an_onion_service_the_ports_are_free_ones_or_those_of_a_torrc() -> None:
    assert [each.port for each in onion_listeners("imap", "127.0.0.2", fixed=False)] == [0, 0]
    assert list(onion_listeners("smtp", "127.0.0.2", fixed=True)) == [
        Listener("onion smtp", "127.0.0.2", 20_465),
        Listener("onion smtp starttls", "127.0.0.2", 20_587),
    ]
    assert [each.speaks_tls for each in onion_listeners("smtp", "127.0.0.2", fixed=True)] == [True, False]
