"""The commands of any state and of the login: CAPABILITY to AUTHENTICATE, ENABLE (RFC 9051 6.1 and 6.2)."""

import binascii
import hmac
from base64 import b64decode, b64encode

from bmgate.errors import LoginFailed
from bmgate.imap.features import Feature
from bmgate.imap.replies import BAD, NO, Refusal, Reply
from bmgate.imap.session import Session, ok
from bmgate.imap.values import (
    Authenticate,
    Capability,
    Enable,
    Login,
    Logout,
    Noop,
    Starttls,
)
from bmgate.tcp.channel import HangUp


async def capability(session: Session, _: Capability) -> Reply:
    """CAPABILITY."""
    session.channel.write(b"* CAPABILITY " + session.capabilities + b"\r\n")
    return ok("Done")


async def noop(session: Session, _: Noop) -> Reply:
    """NOOP, CHECK: the moment to tell what others did."""
    await session.catch_up(force=True)
    return ok("Done")


async def logout(session: Session, _: Logout) -> Reply:
    """LOGOUT."""
    session.deselect()
    session.is_over = True
    session.channel.write(b"* BYE Logging out\r\n")
    return ok("Done")


async def starttls(session: Session, _: Starttls) -> Reply:
    """STARTTLS; octets behind it in clear end the connection (F1). The connection does the rest after the answer."""
    if not session.channel.can_start_tls:
        raise Refusal(BAD, b"CLIENTBUG", "TLS cannot be started here")
    if session.channel.has_input:
        raise HangUp("Octets behind STARTTLS")
    return ok("Begin TLS now")


async def enable(session: Session, command: Enable) -> Reply:
    """ENABLE; words it does not know are passed over (RFC 5161)."""
    known = {feature.value: feature for feature in Feature}
    asked = [known[word] for word in dict.fromkeys(command.capabilities) if word in known]
    new = [feature for feature in asked if feature not in session.enabled]
    names = "".join(" IMAP4rev2" if feature is Feature.REV2 else f" {feature.value}" for feature in new)
    session.channel.write(b"* ENABLED" + names.encode("ascii") + b"\r\n")
    for feature in new:
        session.enable(feature)
    return ok("Done")


async def login(session: Session, command: Login) -> Reply:
    """LOGIN."""
    if not session.may_log_in:
        raise Refusal(NO, b"PRIVACYREQUIRED", "Use TLS first")
    return await _log_in(session, command.user, command.password)


async def authenticate(session: Session, command: Authenticate) -> Reply:
    """AUTHENTICATE PLAIN and LOGIN, each with and without initial response (RFC 4616, RFC 4959)."""
    if not session.may_log_in:
        raise Refusal(NO, b"PRIVACYREQUIRED", "Use TLS first")
    if command.mechanism == "PLAIN":
        user, password = _plain(await _response(session, command.initial, b""))
    elif command.mechanism == "LOGIN":
        user = await _response(session, command.initial, b"Username:")
        password = await _response(session, None, b"Password:")
    else:
        raise Refusal(NO, b"CANNOT", "Unknown mechanism")
    return await _log_in(session, user, password)


async def _response(session: Session, initial: bytes | None, prompt: bytes) -> bytes:
    """What the client answers to `prompt`, or has answered already."""
    if initial is None:
        session.channel.write(b"+ " + b64encode(prompt) + b"\r\n")
        await session.channel.drain()
        line = await read_line(session)
    else:
        line = b"" if initial == b"=" else initial
    if line == b"*":
        raise Refusal(BAD, b"", "Authentication cancelled")
    try:
        return b64decode(line, validate=True)
    except binascii.Error as error:
        raise Refusal(BAD, b"CLIENTBUG", "Not base64") from error


async def read_line(session: Session) -> bytes:
    """The next continuation line."""
    channel = session.channel
    while (line := channel.take_line()) is None:
        channel.stirred.clear()
        await channel.stirred.wait()
    return line


def _plain(response: bytes) -> tuple[bytes, bytes]:
    """User and password of SASL PLAIN; an authorization identity must be the user."""
    parts = response.split(b"\0")
    if len(parts) != 3:
        raise Refusal(BAD, b"CLIENTBUG", "Not a PLAIN response")
    identity, user, password = parts
    if identity and not hmac.compare_digest(identity, user):
        raise Refusal(NO, b"AUTHORIZATIONFAILED", "Only your own mail can be opened")
    return user, password


async def _log_in(session: Session, user: bytes, password: bytes) -> Reply:
    try:
        account = await session.services.accounts.login(
            user.decode("utf-8", "replace"), password.decode("utf-8", "replace"), session.channel.source
        )
    except LoginFailed:
        session.count_failed_login()
        raise
    session.log_in(account)
    return ok("Logged in", b"CAPABILITY " + session.capabilities)
