import asyncio
import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from typing import TypeVar

import pytest
from smtp.dialogue import Certificates, Door
from smtp.fake_services import ALICE, BOB, DOMAIN, PASSWORD

T = TypeVar("T")


def message() -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = f"{ALICE}@{DOMAIN}", f"{BOB}@{DOMAIN}", "Grüße"
    mail.set_content("Hello\n.\n..dots\n")
    return mail


async def over_465(door: Door, context: ssl.SSLContext, work: Callable[[smtplib.SMTP], T]) -> T:
    def run() -> T:
        with smtplib.SMTP_SSL("localhost", door.tls_port, context=context, timeout=10) as client:
            return work(client)

    return await asyncio.to_thread(run)


async def over_587(door: Door, context: ssl.SSLContext, work: Callable[[smtplib.SMTP], T]) -> T:
    def run() -> T:
        with smtplib.SMTP("localhost", door.starttls_port, timeout=10) as client:
            client.starttls(context=context)
            return work(client)

    return await asyncio.to_thread(run)


@pytest.mark.parametrize("over", [over_465, over_587])
async def test_smtplib_sends_a_mail(door: Door, certificates: Certificates, over: Callable[..., object]) -> None:
    def send(client: smtplib.SMTP) -> None:
        client.login(f"{ALICE.lower()}@{DOMAIN}", PASSWORD)
        assert client.send_message(message()) == {}
        assert (
            client.send_message(message(), mail_options=["RET=FULL", "ENVID=aBc"], rcpt_options=["NOTIFY=NEVER"]) == {}
        )

    await over(door, certificates.client, send)  # type: ignore[misc]
    assert len(door.house.raw) == 2
    assert b"\r\nHello\r\n.\r\n..dots\r\n" in door.house.raw[0]
    assert door.house.submissions.mails[1][0].envelope_id == "aBc"
    assert door.house.submissions.mails[1][0].recipients[0].notify == ("NEVER",)


@pytest.mark.parametrize("mechanism", ["auth_plain", "auth_login"])
@pytest.mark.parametrize("initial", [True, False])
async def test_smtplib_logs_in_either_way(
    door: Door, certificates: Certificates, mechanism: str, initial: bool
) -> None:
    def log_in(client: smtplib.SMTP) -> int:
        client.ehlo()
        client.user, client.password = "alice", PASSWORD
        name = mechanism.removeprefix("auth_").upper()
        return client.auth(name, getattr(client, mechanism), initial_response_ok=initial)[0]

    assert await over_465(door, certificates.client, log_in) == 235


async def test_smtplib_is_told_of_a_wrong_password(door: Door, certificates: Certificates) -> None:
    def log_in(client: smtplib.SMTP) -> int:
        with pytest.raises(smtplib.SMTPAuthenticationError) as failure:
            client.login("alice", "wrong")
        return failure.value.smtp_code

    assert await over_587(door, certificates.client, log_in) == 535


async def test_twenty_clients_send_at_once(door: Door, certificates: Certificates) -> None:
    def send(client: smtplib.SMTP) -> None:
        client.login("alice", PASSWORD)
        for _ in range(3):
            client.send_message(message())

    await asyncio.gather(*(over_465(door, certificates.client, send) for _ in range(10)))
    assert len(door.house.raw) == 30
