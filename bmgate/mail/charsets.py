"""From bytes with a charset label to text, the way mail programs mean it rather than the way labels say it (O8).

Total but for UTF-7, which is refused: it hides markup from every reader that does not expect it.
"""

import codecs
import re

from bmgate.errors import UnsupportedMedia

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:()+-]{0,39}\Z")
_UTF7 = frozenset({"utf-7", "utf7", "unicode-1-1-utf-7", "x-unicode-2-0-utf-7", "csunicode11utf7", "utf-7-imap"})
_LABELS = {  # labels that Python does not know
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8",
    "iso-8859-6-i": "iso8859-6",
    "x-sjis": "cp932",
    "x-gbk": "gb18030",
    "x-euc-jp": "euc_jp",
    "x-mac-roman": "mac_roman",
    "x-macintosh": "mac_roman",
    "x-cp1252": "cp1252",
    "x-windows-949": "cp949",
    "windows-874": "cp874",
}
_WIDER = {  # codecs read by a superset that real senders use under the same label
    "ascii": "utf-8",
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "cp950",
    "tis-620": "cp874",
    "iso2022_jp": "iso2022_jp_ext",
}
_NOT_A_CHARSET = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem", "utf-7"}
)
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decode_text(data: bytes, charset: str = "") -> str:
    """A body's text; UTF-8, else windows-1252, stands in for unknown, failing and missing charsets."""
    if is_utf7(charset):
        raise UnsupportedMedia("text in UTF-7 is not taken, send UTF-8")
    try:
        text = decode_strictly(data, charset or "us-ascii")
    except ValueError:
        text = decode_unlabelled(data)
    return text.removeprefix("\ufeff")


def decode_strictly(data: bytes, charset: str) -> str:
    """Text in exactly this charset (by the table of O8); raises ValueError when the bytes or the name do not fit."""
    name = _codec_name(charset)
    if name in ("utf-16", "utf-32"):
        return _decode_wide(data, name)
    try:
        return data.decode(name)
    except LookupError as error:  # a codec that makes no text, such as base64
        raise ValueError(f"no charset {charset[:40]!r}") from error


def decode_unlabelled(data: bytes) -> str:
    """UTF-8 if it is, else windows-1252 with U+FFFD for what that does not have; any bytes at all."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def is_utf7(charset: str) -> bool:
    """Whether a charset label means UTF-7."""
    return charset.strip().lower().replace("_", "-") in _UTF7


def _codec_name(charset: str) -> str:
    label = charset.strip().lower()
    if not _NAME.match(label) or is_utf7(label):
        raise ValueError(f"no charset {charset[:40]!r}")
    try:
        name = codecs.lookup(_LABELS.get(label, label)).name
    except LookupError as error:
        raise ValueError(f"no charset {charset[:40]!r}") from error
    if name in _NOT_A_CHARSET:
        raise ValueError(f"no charset {charset[:40]!r}")
    return _WIDER.get(name, name)


def _decode_wide(data: bytes, name: str) -> str:
    for mark, codec in _MARKS:
        if data.startswith(mark) and codec.startswith(name):
            return data[len(mark) :].decode(codec)
    little = data[1::2].count(0) >= data[0::2].count(0)
    return data.decode(f"{name}-le" if little else f"{name}-be")
