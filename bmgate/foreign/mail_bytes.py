"""What mail of any file must be before it is stored: CRLF, no NUL, keywords that IMAP can say."""

import re
from collections.abc import Iterable

MAX_MAIL = 100 * 1024 * 1024  # bytes, what IMAP takes too
MAX_KEYWORDS = 64

_KEYWORD = re.compile(r"""[^\x00-\x20\x7f-\U0010ffff(){%*"\\\]]{1,64}""")


def crlf_of(raw: bytes) -> bytes:
    """The mail with CRLF line ends, and without NUL, which no mail may hold."""
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").replace(b"\0", b"")


def usable_keywords(words: Iterable[str]) -> tuple[str, ...]:
    """Those that are IMAP keywords, each once."""
    found = dict.fromkeys(word for word in words if _KEYWORD.fullmatch(word))
    return tuple(found)[:MAX_KEYWORDS]
