"""The MIME parts of a mail as offsets: a tree found in one linear descent, whatever the bytes.

A delimiter of an outer multipart ends every inner one, so each level looks only inside its parent: the cost is at most
the depth times the size. Beyond the limits the rest is one opaque part. Sources: RFC 2046 5.1, RFC 2045 5.2.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bmgate.mail.fields import Header, media_type, parameters, scan_header
from bmgate.mail.octets import Octets, find_all

MAX_DEPTH = 50
MAX_PARTS = 1000
MAX_HEADERS = 8 * 1024 * 1024  # octets of all headers that are looked into
MAX_INNER_FIELDS = 100  # of a part that are kept; of more only those that tell something of it
MAX_PADDING = 998  # blanks behind a delimiter: RFC 5322 2.1.1 allows no longer line

TEXT_PLAIN = (b"text", b"plain")
MESSAGE = (b"message", b"rfc822")
OPAQUE = (b"application", b"octet-stream")

_CONTENT = {f"content-{what}" for what in ("type", "id", "description", "transfer-encoding", "md5", "disposition")}
_CONTENT |= {"content-language", "content-location"}
_ENVELOPE = {"date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id"}
_TELLING = frozenset(_CONTENT | _ENVELOPE)


@dataclass(frozen=True, slots=True)
class Node:
    """A part: its header, its media type as we treat it, the bytes `start:end` of its body, and what is inside.

    A multipart has children; a message/rfc822 has one child, the message inside, whose header begins at `start`.
    """

    media: tuple[bytes, bytes]
    header: Header
    header_start: int
    end: int
    children: tuple["Node", ...] = ()

    @property
    def start(self) -> int:
        """Where the body begins."""
        return self.header.end

    @property
    def is_multipart(self) -> bool:
        return self.media[0] == b"multipart"

    @property
    def is_message(self) -> bool:
        return self.media == MESSAGE


class _Budget:
    """How many parts, and octets of headers, may still be looked into."""

    def __init__(self, parts: int, headers: int) -> None:
        self.parts, self.headers = parts, headers

    def spend(self) -> bool:
        self.parts -= 1
        return self.parts > 0 and self.headers > 0


def scan_tree(raw: Octets) -> Node:
    """The tree of a whole mail."""
    return _scan(raw, 0, len(raw), TEXT_PLAIN, MAX_DEPTH, _Budget(MAX_PARTS, MAX_HEADERS))


def _scan(raw: Octets, start: int, end: int, default: tuple[bytes, bytes], depth: int, budget: _Budget) -> Node:
    header = scan_header(raw, start, end)
    budget.headers -= header.end - start
    if depth < MAX_DEPTH:
        header = _telling(header)
    content_type = header.value(raw, "content-type")
    media = default if content_type is None else media_type(content_type) or TEXT_PLAIN
    if media[0] != b"multipart" and media != MESSAGE:
        return Node(media, header, start, end)
    if depth == 0 or (media == MESSAGE and not budget.spend()):
        return Node(OPAQUE, header, start, end)
    if media == MESSAGE:
        inside = _scan(raw, header.end, end, TEXT_PLAIN, depth - 1, budget)
        return Node(media, header, start, end, (inside,))
    child_default = MESSAGE if media[1] == b"digest" else TEXT_PLAIN
    children: list[Node] = []
    for child_start, child_end in _split(raw, header.end, end, dict(parameters(content_type)).get(b"boundary", b"")):
        if not budget.spend():
            children.append(_opaque(raw, child_start, end))
            break
        children.append(_scan(raw, child_start, child_end, child_default, depth - 1, budget))
    if not children:
        return Node(TEXT_PLAIN, header, start, end)
    return Node(media, header, start, end, tuple(children))


def _opaque(raw: Octets, start: int, end: int) -> Node:
    return Node(OPAQUE, _telling(scan_header(raw, start, end)), start, end)


def _telling(header: Header) -> Header:
    if len(header.fields) <= MAX_INNER_FIELDS:
        return header
    return Header(tuple([field for field in header.fields if field[0] in _TELLING][:MAX_INNER_FIELDS]), header.end)


def _split(raw: Octets, start: int, end: int, boundary: bytes) -> Iterator[tuple[int, int]]:
    """The ranges between the delimiter lines of `boundary`; the line end before a delimiter belongs to it."""
    boundary = boundary.rstrip()
    if not boundary or start == 0:
        return
    delimiter = re.compile(rb"\n--" + re.escape(boundary) + rb"(--)?[ \t]{0,%d}+\r?(?:(?=\n)|\Z)" % MAX_PADDING)
    longest = len(boundary) + MAX_PADDING + 8  # with dashes and line ends
    part_start = -1
    for found in find_all(delimiter, raw, start - 1, end, longest):
        if part_start >= 0:
            line_end = found.start - (raw[found.start - 1 : found.start] == b"\r")
            yield part_start, max(part_start, line_end)
        if found.group:
            return
        part_start = min(found.end + 1, end)
    if part_start >= 0:
        yield part_start, end
