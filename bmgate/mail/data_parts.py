"""Pictures and files written into a text as `data:` URLs (I9), as PyBitmessage shows them: they become attachments.

A picture is believed to be one by its first bytes only. What is damaged, or one too many, stays in the text.
"""

import base64
import html
import re
from dataclasses import replace

from bmgate.bm.encodings import File
from bmgate.mail.filenames import OCTET_STREAM, clean_file_name, numbered_name
from bmgate.mail.reading import Manner, Reading
from bmgate.mail.text import clean_line

MAX_DATA_PARTS = 20

_MAGIC: dict[str, re.Pattern[bytes]] = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}
_TAG = re.compile(r"<(img|a)(?=[\s/])((?:[^<>\"']|\"[^\"<>]*\"|'[^'<>]*')*+)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""(?<![a-z-])([a-z-]++)\s*+=\s*+(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+))""", re.IGNORECASE)
_DATA_URL = re.compile(r"\s*data:\s*([a-z0-9.+-]+/[a-z0-9.+-]+)?(?:;[a-z0-9=.+-]*)*?;\s*base64\s*,(.*)", re.I | re.S)
_LINK_END = re.compile(r"([^<>]*)</a\s*>", re.IGNORECASE)
_BLANKS = re.compile(r"\s+")


def is_picture(media_type: str, data: bytes) -> bool:
    """Whether the bytes begin as those of a png, jpeg, gif or webp do, and the type says so too."""
    magic = _MAGIC.get(media_type)
    return magic is not None and magic.match(data) is not None


def data_parts(reading: Reading, _manner: Manner) -> Reading:
    """I9; the same reading where there are none."""
    pieces, files, counts, end = list[str](), list[File](), {"image": 0, "file": 0}, 0
    for tag in _TAG.finditer(reading.body):
        if len(files) == MAX_DATA_PARTS:
            break
        if tag.start() < end or (found := _file(tag[1].lower(), tag[2])) is None:
            continue
        word = "image" if is_picture(found.media_type, found.data) else "file"
        counts[word] += 1
        name = found.name or numbered_name(counts[word], found.media_type).replace("attachment", word, 1)
        files.append(replace(found, name=name))
        text, behind = _link_text(reading.body, tag) if tag[1].lower() == "a" else ("", tag.end())
        pieces.append(f"{reading.body[end : tag.start()]}{text}[{word} {counts[word]}: {name}]")
        end = behind
    if not files:
        return reading
    body = "".join((*pieces, reading.body[end:]))
    return replace(reading, body=body, files=(*reading.files, *files), raw=body.encode(errors="replace"))


def _file(element: str, source: str) -> File | None:
    """What a tag carries, its name perhaps empty; None where it carries nothing readable."""
    attributes = {match[1].lower(): match[2] or match[3] or match[4] or "" for match in _ATTRIBUTE.finditer(source)}
    url = _DATA_URL.fullmatch(attributes.get("src" if element == "img" else "href", ""))
    if url is None:
        return None
    media_type = (url[1] or OCTET_STREAM).lower()
    if element == "img" and not media_type.startswith("image/"):
        return None
    try:
        data = base64.b64decode(_padded(_BLANKS.sub("", url[2])), validate=True)
    except ValueError:  # no base64, or not even ASCII
        return None
    name = clean_file_name(html.unescape(attributes.get("alt" if element == "img" else "download", "")))
    if element == "img" and not is_picture(media_type, data):
        media_type = OCTET_STREAM
    place = "inline" if is_picture(media_type, data) else "attachment"
    return File(name, data, media_type, place) if data else None


def _padded(text: str) -> str:
    """Browsers do without the `=` at the end, and so do those who write for them."""
    bare = text.rstrip("=")
    return bare + "=" * (-len(bare) % 4)


def _link_text(body: str, tag: re.Match[str]) -> tuple[str, int]:
    """The words of a link that holds nothing else, and where it ends."""
    found = _LINK_END.match(body, tag.end())
    if found is None:
        return "", tag.end()
    words = clean_line(html.unescape(found[1]))
    return (f"{words} " if words else ""), found.end()
