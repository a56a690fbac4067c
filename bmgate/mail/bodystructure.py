"""BODY and BODYSTRUCTURE of IMAP from the tree of parts.

Sources: RFC 3501 7.4.2 and the grammar in section 9 (`body`), the same in RFC 9051.
"""

from collections.abc import Mapping

from bmgate.mail.envelope import MAX_INNER_ADDRESSES, render_envelope
from bmgate.mail.fields import media_type, parameters, token, without_comments
from bmgate.mail.imaptext import NIL, nstring, parenthesised, string
from bmgate.mail.mimetree import OPAQUE, Node
from bmgate.mail.octets import Octets, count_lines

_DEFAULT_CHARSET = ((b"charset", b"us-ascii"),)  # RFC 2045 5.2
_MAX_LANGUAGES = 20


def inner_envelopes(raw: Octets, node: Node) -> dict[int, bytes]:
    """The envelopes of all messages inside a part, by the offset of their headers: the dear bit of both renderings."""
    found: dict[int, bytes] = {}
    for child in node.children:
        if node.is_message:
            found[child.header_start] = render_envelope(raw, child.header, MAX_INNER_ADDRESSES)
        found |= inner_envelopes(raw, child)
    return found


def render_body(raw: Octets, node: Node, envelopes: Mapping[int, bytes], *, extended: bool) -> bytes:
    """BODY, or BODYSTRUCTURE when `extended`, of a part of `raw`, ready to send; needs its `inner_envelopes`."""
    if node.is_multipart:
        inside = b"".join(render_body(raw, child, envelopes, extended=extended) for child in node.children)
        items = [inside, string(node.media[1])]
        if extended:
            items.append(_parameters(node.header.value(raw, "content-type")))
    else:
        items = _single(raw, node, envelopes, extended=extended)
        if extended:
            items.append(nstring(node.header.value(raw, "content-md5")))
    if extended:
        items += [_disposition(raw, node), _language(raw, node), nstring(node.header.value(raw, "content-location"))]
    return b"(%b)" % b" ".join(items)


def _single(raw: Octets, node: Node, envelopes: Mapping[int, bytes], *, extended: bool) -> list[bytes]:
    content_type = node.header.value(raw, "content-type")
    items = [
        string(node.media[0]),
        string(node.media[1]),
        _content_parameters(node, content_type),
        nstring(node.header.value(raw, "content-id")),
        nstring(node.header.value(raw, "content-description")),
        string(token(node.header.value(raw, "content-transfer-encoding")) or b"7bit"),
        b"%d" % (node.end - node.start),
    ]
    if node.is_message:
        inside = node.children[0]
        items += [envelopes[inside.header_start], render_body(raw, inside, envelopes, extended=extended)]
    if node.is_message or node.media[0] == b"text":
        items.append(b"%d" % count_lines(raw, node.start, node.end))
    return items


def _content_parameters(node: Node, content_type: bytes | None) -> bytes:
    """The parameters as written, or those of the default where the type was absent or not understood."""
    if media_type(content_type) == node.media or node.media == OPAQUE or node.is_message:
        return _parameters(content_type)
    return _pairs(_DEFAULT_CHARSET)


def _parameters(value: bytes | None) -> bytes:
    return _pairs(parameters(value))


def _pairs(pairs: tuple[tuple[bytes, bytes], ...]) -> bytes:
    return parenthesised([string(text) for pair in pairs for text in pair])


def _disposition(raw: Octets, node: Node) -> bytes:
    value = node.header.value(raw, "content-disposition")
    kind = token(value)
    return b"(%b %b)" % (string(kind), _parameters(value)) if kind else NIL


def _language(raw: Octets, node: Node) -> bytes:
    value = without_comments(node.header.value(raw, "content-language") or b"")
    tags = [tag.strip() for tag in value.split(b",", _MAX_LANGUAGES)[:_MAX_LANGUAGES]]
    return parenthesised([string(tag) for tag in tags if tag])
