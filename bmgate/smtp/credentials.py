"""What AUTH PLAIN and AUTH LOGIN bring (RFC 4616, RFC 4954): base64 to a name and a password."""

import base64
import binascii
from dataclasses import dataclass

from bmgate.errors import LoginFailed, ProtocolError


@dataclass(frozen=True, slots=True)
class Credentials:
    """A claim, not yet verified."""

    name: str
    password: str

    def __repr__(self) -> str:
        return "Credentials(...)"


def decode_response(encoded: str) -> str:
    """One response of the client; `=` stands for an empty one. Raises ProtocolError."""
    if encoded == "=":
        return ""
    try:
        return base64.b64decode(encoded.encode("ascii"), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeError) as error:
        raise ProtocolError("no base64 of UTF-8") from error


def read_plain(message: str) -> Credentials:
    """`authzid NUL authcid NUL password`; acting for somebody else is a failed login (S15)."""
    parts = message.split("\0")
    if len(parts) != 3:
        raise ProtocolError("PLAIN is: authorization identity, NUL, user name, NUL, password")
    authzid, name, password = parts
    if authzid not in ("", name):
        raise LoginFailed("wrong user name or password")
    return Credentials(name, password)
