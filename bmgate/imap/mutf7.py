"""Modified UTF-7, the form of mailbox names on the wire (RFC 3501 section 5.1.3)."""

import binascii

from bmgate.imap.cursor import BadSyntax


class BadName(BadSyntax):
    """A name no mailbox can have; the command around it is as it should be."""


def encode_mailbox(name: str) -> bytes:
    """`name` as printable US-ASCII."""
    if name.isascii() and name.isprintable() and "&" not in name:
        return name.encode("ascii")
    out, run = bytearray(), ""
    for char in name:
        if " " <= char <= "~":
            out += _shifted(run)
            run = ""
            out += b"&-" if char == "&" else char.encode("ascii")
        else:
            run += char
    return bytes(out + _shifted(run))


def _shifted(run: str) -> bytes:
    if not run:
        return b""
    data = binascii.b2a_base64(run.encode("utf-16-be", "surrogatepass"), newline=False)
    return b"&" + data.rstrip(b"=").replace(b"/", b",") + b"-"


def decode_mailbox(data: bytes) -> str:
    """The name behind `data`; plain UTF-8 is taken too, as many programs send it. Raises BadName."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadName("Mailbox name is neither modified UTF-7 nor UTF-8") from error
    if not text.isascii() or "&" not in text:
        return _checked(text)
    first, *rest = text.split("&")
    out = [first]
    for part in rest:
        run, dash, plain = part.partition("-")
        if not dash:
            raise BadName("Mailbox name has an unfinished shift")
        out += ["&" if not run else _unshifted(run), plain]
    return _checked("".join(out))


def decode_utf8_mailbox(data: bytes) -> str:
    """The name behind `data` where UTF-8 was agreed on (RFC 6855 3). Raises BadName."""
    try:
        return _checked(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadName("Mailbox name is not UTF-8") from error


def _unshifted(run: str) -> str:
    try:
        data = binascii.a2b_base64(run.replace(",", "/") + "=" * (-len(run) % 4), strict_mode=True)
        return data.decode("utf-16-be")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise BadName("Mailbox name is not modified UTF-7") from error


def _checked(name: str) -> str:
    if any(ord(char) < 32 or ord(char) == 127 for char in name):
        raise BadName("Mailbox name has control characters")
    return name
