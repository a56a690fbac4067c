"""THREADID: mails that answer each other share one (RFC 8474 section 5.2).

It is made of the first Message-ID that a mail refers to, or else of its own. So it never changes, is the same in all
mailboxes, and nothing but the mail itself is read for it. Mails whose references were cut off stand apart.
"""

from hashlib import blake2b

from bmgate.mail.headers import message_ids_in
from bmgate.mail.structure import MessageIndex

_SIZE = 16  # octets
_ROOTS = ("references", "in-reply-to", "message-id")  # the first that names a mail


def thread_id_of(header: bytes, index: MessageIndex) -> bytes | None:
    """None for a mail without any Message-ID."""
    for name in _ROOTS:
        found = message_ids_in(index.value(header, name) or b"")
        if found:
            return b"T" + blake2b(found[0].encode(), digest_size=_SIZE).hexdigest().encode("ascii")
    return None
