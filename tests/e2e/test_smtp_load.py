"""The SMTP door of a whole gateway under load: memory is bounded, others are served (S8, S16); and LMTP (RFC 2033)."""

import smtplib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
from gateways import CHANGES, PASSWORD, MailUser, plain_mail
from stopwatch import Stopwatch

from bmgate.localnet import GatewayProcess, prepare_folder

HOST = "127.0.98.1"
GROWTH = 64 << 20
NOOP_SECONDS = 2.0
OCTETS = 40_000_000
PLENTY = "1000"


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailUser]:
    folder = tmp_path_factory.mktemp("load")
    changes = {
        **CHANGES,
        ("smtp", "loopback_port"): "0",
        ("smtp", "lmtp_socket"): str(folder / "lmtp"),
        ("smtp", "connections_per_source"): PLENTY,
    }
    prepare_folder(folder / "gateway", HOST, changes, int(time.time()))
    with GatewayProcess(folder / "gateway") as gateway:
        gateway.start()
        yield MailUser(gateway, gateway.add_account("alice", PASSWORD))


class Watch:
    """Peak memory of a gateway in octets, and how long the answer to an IMAP NOOP took at worst."""

    def __init__(self, user: MailUser) -> None:
        self._user, self._over = user, threading.Event()
        self.start = self.peak = psutil.Process(user.gateway.pid).memory_info().rss
        self.noop = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        with ThreadPoolExecutor(2) as threads:
            done = [threads.submit(self._memory), threads.submit(self._noops)]
            try:
                yield
            finally:
                self._over.set()
            for each in done:
                each.result()

    def _memory(self) -> None:
        process = psutil.Process(self._user.gateway.pid)
        while not self._over.wait(0.01):
            self.peak = max(self.peak, process.memory_info().rss)

    def _noops(self) -> None:
        with self._user.imap() as imap:
            while not self._over.wait(0.05):
                watch = Stopwatch(self._user.gateway.pid)
                assert imap.noop()[0] == "OK"
                self.noop = max(self.noop, watch.seconds)


def test_s8_mails_of_40_mb_are_refused_and_memory_is_bounded(alice: MailUser) -> None:
    place = alice.gateway.listener("smtp loopback")

    def send(mail: memoryview) -> int:
        with smtplib.SMTP(*place) as smtp:
            smtp.login("alice", PASSWORD)
            assert smtp.mail(alice.address, [f"SIZE={len(mail)}"])[0] == 552
            smtp.mail(alice.address)
            smtp.rcpt(alice.address)
            smtp.docmd("DATA")
            smtp.sock.sendall(mail)  # type: ignore[union-attr]  # connected
            return smtp.getreply()[0]

    mail = memoryview(b"Subject: large\r\n\r\n" + (b"x" * 76 + b"\r\n") * (OCTETS // 78) + b".\r\n")
    watch = Watch(alice)
    with watch.running(), ThreadPoolExecutor(8) as clients:
        assert set(clients.map(send, [mail] * 8)) == {552}
    assert watch.peak - watch.start < GROWTH
    assert watch.noop < NOOP_SECONDS


def test_s16_two_hundred_slow_connections_starve_nobody(alice: MailUser) -> None:
    place = alice.gateway.listener("smtp loopback")
    watch = Watch(alice)
    with ExitStack() as open_sockets, watch.running():
        callers = [open_sockets.enter_context(socket.create_connection(place)) for _ in range(210)]
        greetings = [caller.recv(100)[:3] for caller in callers]
        for octet in b"EHLO x":
            for caller, greeting in zip(callers, greetings, strict=True):
                if greeting == b"220":
                    caller.sendall(bytes([octet]))
    assert greetings.count(b"220") == 200
    assert greetings.count(b"421") == 10
    assert watch.noop < NOOP_SECONDS
    assert watch.peak - watch.start < GROWTH


def test_a_loopback_port_takes_mail_without_tls_but_not_without_a_login(alice: MailUser) -> None:
    with smtplib.SMTP(*alice.gateway.listener("smtp loopback")) as smtp:
        smtp.ehlo()
        assert not smtp.has_extn("starttls")
        assert smtp.mail(alice.address)[0] == 530
        smtp.login("alice", PASSWORD)
        assert smtp.sendmail(alice.address, [alice.address], plain_mail(alice, alice, "by loopback", "text")) == {}
    assert "by loopback" in [mail["Subject"] for mail in alice.wait_for_mails(1)]


REPORT = (
    b"Subject: Undelivered\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/report; report-type=delivery-status; boundary="x"\r\n'
    b"\r\n--x\r\n\r\nyour mail\r\n--x--\r\n"
)


def test_an_mta_hands_mail_over_by_lmtp(alice: MailUser) -> None:
    path = alice.gateway.listener("lmtp")[0]
    assert Path(path).stat().st_mode & 0o777 == 0o660
    before = len(alice.mails())
    with smtplib.LMTP(path) as mta:
        mta.ehlo()
        assert mta.mail("nobody@bm.internal")[0] == 553
        mta.rset()
        assert mta.sendmail(alice.address, [alice.address], plain_mail(alice, alice, "by LMTP", "text")) == {}
        stolen = plain_mail(alice, alice, "by LMTP", "text").replace(alice.address.encode(), b"nobody@bm.internal", 1)
        with pytest.raises(smtplib.SMTPDataError, match="553"):
            mta.sendmail(alice.address, [alice.address], stolen)
        with pytest.raises(smtplib.SMTPDataError, match="550"):
            mta.sendmail("", [alice.address], b"Subject: Undelivered\r\n\r\nyour mail\r\n")
        assert mta.sendmail("", [alice.address], REPORT) == {}
    arrived = [mail["Subject"] for mail in alice.wait_for_mails(before + 2)][before:]
    assert sorted(arrived) == ["Undelivered", "by LMTP"]
    assert len(alice.mails("Sent")) >= 1
