"""HTML as plain text (O10): for mails that have no text part, never for showing.

A tree is prepared with lxml (links and pictures become text, quotes become `> ` lines) and rendered by inscriptis. What
is too large, too deep or comes out blank goes through a plain tag stripper: markup with text never becomes nothing.
"""

import html as entities
import re
from urllib.parse import unquote

import lxml.html
from inscriptis.css_profiles import STRICT_CSS_PROFILE
from inscriptis.html_engine import Inscriptis
from inscriptis.model.config import ParserConfig
from lxml import etree

from bmgate.mail.size import check_source
from bmgate.mail.tables import flatten_tables
from bmgate.mail.text import clean_line, normal_body

MAX_MARKUP = 2 * 1024 * 1024  # characters
MAX_CELLS = 10_000
MAX_ELEMENTS = 30_000
MAX_DEPTH = 100  # inscriptis recurses
MAX_QUOTED = 6 * 1024 * 1024  # characters; text is rendered once for each quote around it

_CELL = re.compile(r"<t[dh][\s>/]", re.IGNORECASE)
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_SPACES = re.compile(r"[ \t\r]{2,}")
_BLANK_LINES = re.compile(r"\n{3,}")
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # XML's rule, which lxml enforces
_NBSP = "\xa0"
_KEPT_SPACE = "\ufdd0"  # stands for NBSP, which inscriptis would take for a blank it may drop
_END_OF_PAGE = re.compile(r"(?:</(?:html|body)[ \t\r\n]*>)+", re.IGNORECASE)
_DROPPED = ("head", "script", "style", "title", "template")
_UNSEEN = re.compile(r"<(?:!--|(script|style|title)\b)", re.IGNORECASE | re.ASCII)
_LONGEST_UNSEEN = len("<script")
_ENDS = {name: re.compile(rf"</{name}\s*>", re.IGNORECASE | re.ASCII) for name in ("script", "style", "title")}
_BREAKING = re.compile(r"</?(?:p|div|br|li|tr|h[1-6]|blockquote|table|ul|ol|pre|hr)\b[^>]*>", re.IGNORECASE)
_CHUNK = 256 * 1024  # characters looked through at once, to save memory
_TAG = re.compile(r"<[/!?a-z][^>]*>", re.IGNORECASE)
_PIXEL = re.compile(r"\s*0*[01](?:px)?\s*", re.IGNORECASE)
_CID = re.compile(r"""\bcid:([^\s"'<>()]{1,250})""", re.IGNORECASE)


def html_to_text(markup: str, quick: bool = False) -> str:
    """The visible text of an HTML document in the normal form of a body; links as `text <target>`.

    `quick` only strips the tags, as is done by itself for a document beyond the limits. Raises TooLarge when the text
    is far too much.
    """
    text = (not quick and _rendered(markup)) or _stripped(markup)
    check_source(len(text))
    lines = [line.rstrip() for line in text.replace(_NBSP, " ").split("\n")]
    return normal_body(_BLANK_LINES.sub("\n\n", normal_body("\n".join(lines))).strip("\n"))


def referenced_ids(markup: str) -> frozenset[str]:
    """The Content-IDs that `cid:` URLs in the markup name."""
    return frozenset(unquote(match[1]) for match in _CID.finditer(entities.unescape(markup)))


def _rendered(markup: str) -> str:
    """The text by inscriptis; empty when there is none or the document is beyond the limits."""
    if len(markup) > MAX_MARKUP or len(_CELL.findall(markup)) > MAX_CELLS:
        return ""
    tree = _read_tree(markup)
    if tree is None or not _is_within_limits(tree, MAX_QUOTED // len(markup)):
        return ""
    _prepare(tree)
    flatten_tables(tree)
    _quote(tree)
    text = _render(tree).replace(_KEPT_SPACE, _NBSP)
    return text if text.strip() else ""


def _read_tree(markup: str) -> lxml.html.HtmlElement | None:
    """The tree of a document with all that stands behind its end, where list servers put their footers."""
    parser = lxml.html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True)
    data = _END_OF_PAGE.sub("<br>", _legal(markup)).replace(_KEPT_SPACE, " ").encode("utf-8")
    try:
        return lxml.html.document_fromstring(data, parser=parser, ensure_head_body=True)
    except etree.LxmlError:  # nothing in it, or nothing libxml2 can make sense of
        return None


def _is_within_limits(tree: lxml.html.HtmlElement, quotes_allowed: int) -> bool:
    depth = count = quotes = 0
    for event, element in etree.iterwalk(tree, events=("start", "end")):
        step = 1 if event == "start" else -1
        depth, count = depth + step, count + 1
        quotes += step if element.tag == "blockquote" else 0
        if depth > MAX_DEPTH or quotes > quotes_allowed or count > 2 * MAX_ELEMENTS:
            return False
    return True


def _prepare(tree: lxml.html.HtmlElement) -> None:
    """Leave only elements that inscriptis may lay out, without attributes: a margin of 1e6 em is cheap to write."""
    for element in list(tree.iter()):
        if not isinstance(element.tag, str) or element.tag in _DROPPED or _HIDDEN.search(element.get("style", "")):
            if element.getparent() is not None:
                element.drop_tree()
        elif element.tag == "img":
            _put_text(element, _picture(element))
        elif element.tag == "a":
            element.tail = _legal(_target(element) + (element.tail or ""))
        elif element.tag == "hr":
            _put_text(element, "---")
            element.tag = "div"
    for element in tree.iter():
        element.attrib.clear()
        element.text = _escaped(_legal(element.text or "").replace(_NBSP, _KEPT_SPACE))
        element.tail = _escaped(_legal(element.tail or "").replace(_NBSP, _KEPT_SPACE))


def _picture(image: lxml.html.HtmlElement) -> str:
    if any(_PIXEL.fullmatch(image.get(side, "")) for side in ("width", "height")):
        return ""
    name = clean_line(image.get("alt", ""))
    if name:
        return f"[image: {name}]"
    return "[image]" if image.get("src", "").strip().lower().startswith("cid:") else ""


def _target(link: lxml.html.HtmlElement) -> str:
    """` <target>` for a link whose text says something else."""
    target = clean_line(link.get("href", ""))
    scheme, _, address = target.partition(":")
    if scheme.lower() not in ("http", "https", "mailto"):
        return ""
    shown = clean_line(link.text_content()).rstrip("/").casefold()
    plain = address.removeprefix("//").rstrip("/").casefold()
    if shown in ("", target.rstrip("/").casefold(), plain):
        return f" <{target}>" if not shown and link.find(".//img[@alt]") is not None else ""
    return f" <{target}>"


def _put_text(element: lxml.html.HtmlElement, text: str) -> None:
    """Make an empty element an inline one that holds `text`."""
    element.tag = "span"
    element.text = _legal(text)


def _legal(text: str) -> str:
    """What may stand in a tree: character references bring in what the parser would not take as it is."""
    return _ILLEGAL.sub("", text)


def _escaped(text: str) -> str:
    """Text that speaks of `&nbsp;` still does when inscriptis has resolved references, as it does once more."""
    return text.replace("&", "&amp;")


def _quote(tree: lxml.html.HtmlElement) -> None:
    """Replace each blockquote, the innermost first, by its text with `>` before every line."""
    for quote in reversed(list(tree.iter("blockquote"))):
        tail, quote.tail = quote.tail, None
        quote.tag = "div"
        text = _BLANK_LINES.sub("\n\n", "\n".join(line.rstrip() for line in _render(quote).split("\n"))).strip("\n")
        for child in list(quote):
            quote.remove(child)
        quote.tag, quote.tail = "pre", tail
        quote.text = _escaped("\n".join(_quoted(line) for line in text.split("\n")))


def _quoted(line: str) -> str:
    if line.startswith(">"):
        return f">{line}"
    return f"> {line}" if line else ">"


def _render(tree: lxml.html.HtmlElement) -> str:
    return str(Inscriptis(tree, ParserConfig(css=STRICT_CSS_PROFILE)).get_text())


def _stripped(markup: str) -> str:
    """The text between the tags; every step takes time in proportion to the markup."""
    text = _SPACES.sub(" ", _without_unseen(markup).replace("\n", " "))
    pieces: list[str] = []
    while (end := text.find(">", _CHUNK) + 1) > 0:
        pieces.append(_without_tags(text[:end]))
        text = text[end:]
    return "".join([*pieces, _without_tags(text)])


def _without_unseen(markup: str) -> str:
    """Less comments, scripts, styles and titles.

    These are looked for piece by piece: one search through megabytes would hold up every other thread.
    """
    pieces: list[str] = []
    start = at = 0
    while at < len(markup):
        found = _UNSEEN.search(markup, at, at + _CHUNK + _LONGEST_UNSEEN)
        if found is None or found.start() >= at + _CHUNK:
            at += _CHUNK
            continue
        pieces.append(markup[start : found.start()])
        start = at = _end_of_unseen(markup, found)
    return "".join([*pieces, markup[start:]])


def _end_of_unseen(markup: str, begun: re.Match[str]) -> int:
    """Where a comment or an element ends; at the end of everything when nothing closes it."""
    if begun[1] is None:
        end = markup.find("-->", begun.end())
        return len(markup) if end < 0 else end + len("-->")
    closing = _ENDS[begun[1].lower()].search(markup, begun.end())
    return len(markup) if closing is None else closing.end()


def _without_tags(text: str) -> str:
    tagged, closing, rest = text.rpartition(">")  # behind the last ">" no tag ends: every "<" there is text
    tagged = _TAG.sub(_in_place_of_tag, tagged + closing)
    return _unescaped(tagged + rest)


def _in_place_of_tag(tag: re.Match[str]) -> str:
    return "\n" if _BREAKING.match(tag[0]) else ""


def _unescaped(text: str) -> str:
    """Character references resolved, piece by piece; none reaches over the next `&`."""
    pieces: list[str] = []
    while (end := text.find("&", _CHUNK)) > 0:
        pieces.append(entities.unescape(text[:end]))
        text = text[end:]
    return "".join([*pieces, entities.unescape(text)])
