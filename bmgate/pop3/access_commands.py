"""The commands of any state and of the login: CAPA, USER, PASS, AUTH, STLS, UTF8, NOOP, QUIT.

Sources: RFC 1939, 2449 (CAPA), 2595 (STLS), 5034 (AUTH), 6856 (UTF8).
"""

import binascii
import hmac
from base64 import b64decode, b64encode

from bmgate.errors import LoginFailed
from bmgate.pop3.replies import Refusal
from bmgate.pop3.session import Session, State
from bmgate.tcp.channel import HangUp

MECHANISMS = ("PLAIN", "LOGIN")


def capabilities(session: Session) -> list[str]:
    """What is announced in the present state; announced anew after STLS (I11)."""
    words = ["TOP", "UIDL", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE", "EXPIRE NEVER", "UTF8 USER"]
    if session.may_log_in:
        words += ["USER", "SASL " + " ".join(MECHANISMS)]
    if session.state is State.AUTHORIZATION and session.channel.can_start_tls:
        words.append("STLS")
    return [*words, "IMPLEMENTATION bmgate"]


async def capa(session: Session, _: bytes) -> None:
    """CAPA."""
    session.ok("What I can do")
    _write_list(session, capabilities(session))


async def noop(session: Session, _: bytes) -> None:
    """NOOP."""
    session.ok("Done")


async def utf8(session: Session, _: bytes) -> None:
    """UTF8: nothing changes, for mail is sent as it was stored, whatever it holds."""
    session.ok("UTF-8 it is")


async def stls(session: Session, _: bytes) -> None:
    """STLS; octets behind it in clear end the connection (F1). The connection does the rest after the answer."""
    if not session.channel.can_start_tls:
        raise Refusal("TLS cannot be started here")
    if session.channel.has_input:
        raise HangUp("Octets behind STLS")
    session.ok("Begin TLS now")


async def user(session: Session, argument: bytes) -> None:
    """USER: welcome, whether there is such an account or not (I18)."""
    _require_tls(session)
    if not argument.strip():
        raise Refusal("USER name", is_bad=True)
    session.name = argument.strip()
    session.ok("Your password, please")


async def password(session: Session, argument: bytes) -> None:
    """PASS: the rest of the line, blanks included."""
    _require_tls(session)
    name, session.name = session.name, None
    if name is None:
        raise Refusal("USER first", is_bad=True)
    await _log_in(session, name, argument)


async def auth(session: Session, argument: bytes) -> None:
    """AUTH PLAIN and LOGIN, each with and without initial response; alone, or with a blank, it lists them (Outlook)."""
    mechanism, _, initial = argument.strip().partition(b" ")
    if not mechanism:
        session.ok("Mechanisms")
        _write_list(session, MECHANISMS if session.may_log_in else ())
        return
    _require_tls(session)
    given = initial.strip() or None
    match mechanism.upper():
        case b"PLAIN":
            name, secret = _plain(await _response(session, given, b""))
        case b"LOGIN":
            name = await _response(session, given, b"Username:")
            secret = await _response(session, None, b"Password:")
        case _:
            raise Refusal("PLAIN or LOGIN", is_bad=True)
    await _log_in(session, name, secret)


async def quit_(session: Session, _: bytes) -> None:
    """QUIT: what was deleted goes now, all of it or nothing (C1)."""
    session.is_over = True
    if session.opened is not None and session.opened.deleted:
        await session.services.maildrops.remove(session.opened.shown, session.opened.doomed)
    session.release()
    session.ok("Bye")


def _write_list(session: Session, lines: tuple[str, ...] | list[str]) -> None:
    session.channel.write("".join(f"{line}\r\n" for line in [*lines, "."]).encode("ascii"))


def _require_tls(session: Session) -> None:
    if not session.may_log_in:
        raise Refusal("Passwords only after STLS")


async def _response(session: Session, initial: bytes | None, prompt: bytes) -> bytes:
    """What the client answers to `prompt`, or has answered already."""
    if initial is None:
        session.channel.write(b"+ " + b64encode(prompt) + b"\r\n")
        await session.channel.drain()
        line = await session.channel.read_line()
    else:
        line = b"" if initial == b"=" else initial
    if line == b"*":
        raise Refusal("Given up")
    try:
        return b64decode(line, validate=True)
    except binascii.Error as error:
        raise Refusal("Not base64", is_bad=True) from error


def _plain(response: bytes) -> tuple[bytes, bytes]:
    """User and password of SASL PLAIN (RFC 4616); an authorization identity must be the user."""
    parts = response.split(b"\0")
    if len(parts) != 3:
        raise Refusal("Not a response of PLAIN", is_bad=True)
    identity, name, secret = parts
    if identity and not hmac.compare_digest(identity, name):
        raise Refusal("Only your own mail can be fetched", b"AUTH")
    return name, secret


async def _log_in(session: Session, name: bytes, secret: bytes) -> None:
    try:
        account = await session.services.accounts.login(
            name.decode("utf-8", "replace"), secret.decode("utf-8", "replace"), session.channel.source
        )
    except LoginFailed:
        session.count_failed_login()
        raise
    session.log_in(await session.services.maildrops.open(account))
    session.ok(f"{len(session.drop.shown.uids)} messages")
