"""What mail of any file must be before it is stored: CRLF, no NUL."""

MAX_MAIL = 100 * 1024 * 1024  # bytes, what IMAP takes too


def crlf_of(raw: bytes) -> bytes:
    """The mail with CRLF line ends, and without NUL, which no mail may hold."""
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").replace(b"\0", b"")
