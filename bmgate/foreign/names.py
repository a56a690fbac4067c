"""Mailbox names as file names that lead nowhere else, and back.

Letters, digits, blank, `-` and `_` stay; everything else is written as `%` and two hex digits a byte, the dot and the
slash among them. A name too long for a file system is cut, and a hash keeps it apart from others.
"""

import hashlib
from urllib.parse import unquote_to_bytes

MAX_BYTES = 180
_KEPT = frozenset(" -_")


def file_name(level: str) -> str:
    """One level of a mailbox name."""
    written = "".join(character if _stays(character) else _escaped(character) for character in level)
    if len(written.encode()) <= MAX_BYTES:
        return written
    digest = hashlib.sha256(level.encode(errors="replace")).hexdigest()[:8]
    return written.encode()[: MAX_BYTES - 9].decode(errors="ignore").rpartition("%")[0] + f"~{digest}"


def mailbox_of(name: str) -> str:
    """The level of a mailbox name that a file name means; what cannot stand in one becomes `_`."""
    text = unquote_to_bytes(name.encode(errors="replace")).decode("utf-8", "replace")
    return "".join("_" if character in '/*%\\"' or not character.isprintable() else character for character in text)


def _stays(character: str) -> bool:
    return character.isalnum() or character in _KEPT


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode(errors="replace"))
