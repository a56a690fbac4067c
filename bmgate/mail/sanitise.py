"""Markup of strangers as HTML that can do nothing (P35, V25): rebuilt from an allow-list, nothing in it loads anything.

Where there is any doubt (too much, too deep, nothing to see, or no markup at all) there is no HTML, only the text.
"""

import re

import nh3

MAX_MARKUP = 512 * 1024  # characters
MAX_TAGS = 10_000
MAX_DEPTH = 100

_MARKS = {"a", "abbr", "b", "br", "cite", "code", "del", "em", "i", "ins", "kbd", "q", "s", "samp", "small", "span"}
_MORE_MARKS = {"strike", "strong", "sub", "sup", "tt", "u", "var"}
_BLOCKS = {"blockquote", "center", "div", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "p", "pre"}
_LISTS = {"dd", "dl", "dt", "li", "ol", "ul"}
_TABLES = {"caption", "table", "tbody", "td", "tfoot", "th", "thead", "tr"}
_TAGS = _MARKS | _MORE_MARKS | _BLOCKS | _LISTS | _TABLES
_ATTRIBUTES = {"a": {"href"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"}, "ol": {"start"}}
_DROPPED_WHOLE = {"iframe", "math", "object", "script", "select", "style", "svg", "template", "textarea", "title"}
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)(?=[\s/>])[^<>]*>", re.IGNORECASE)
_BLOCK = re.compile(r"<(?:p|div|br|table|ul|ol|li|blockquote|pre|h[1-6])(?=[\s/>])[^<>]*>", re.IGNORECASE)
_DOCUMENT = re.compile(r"<(?:!doctype\s+html|html|body)\b", re.IGNORECASE)
_NUMBER = re.compile(r"[1-9][0-9]?")
_REL = "noopener noreferrer nofollow"
_VALUES = {  # of attributes
    "rel": re.compile(_REL),
    "href": re.compile(r"(?:https?://|mailto:)[^\s]{1,2000}", re.IGNORECASE),
    "colspan": _NUMBER,
    "rowspan": _NUMBER,
    "start": _NUMBER,
}
_ANY_TAG = re.compile(r"<[^<>]*>")


def sanitised(markup: str) -> str:
    """A whole page of harmless HTML; empty where only the text should be shown."""
    if len(markup) > MAX_MARKUP or not _is_markup(markup) or not _is_modest(markup):
        return ""
    if not _BLOCK.search(markup):  # a text with some marks in it: its lines are meant
        markup = markup.replace("\n", "<br>\n")
    cleaned = nh3.clean(
        markup,
        tags=_TAGS,
        clean_content_tags=_DROPPED_WHOLE,
        attributes=_ATTRIBUTES,
        attribute_filter=_allowed,
        url_schemes={"http", "https", "mailto"},
        link_rel=_REL,
        strip_comments=True,
    ).strip()
    if not _ANY_TAG.search(cleaned) or not _ANY_TAG.sub("", cleaned).replace("&nbsp;", "").strip():
        return ""
    return (
        f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title></title></head>\n<body>\n{cleaned}\n</body></html>'
    )


def _is_markup(markup: str) -> bool:
    """A document, an element that is opened and closed, or two line breaks: other text may be *about* markup."""
    if _DOCUMENT.search(markup):
        return True
    opened: set[str] = set()
    for tag in _TAG.finditer(markup):
        name = tag[2].lower()
        if name in opened and (tag[1] or name == "br"):
            return True
        if not tag[1]:
            opened.add(name)
    return False


def _is_modest(markup: str) -> bool:
    """Whether it has few tags, and few open at once: parsers of HTML pay for both."""
    depth = 0
    for count, tag in enumerate(_TAG.finditer(markup)):
        if tag[2].lower() not in _VOID:
            depth += -1 if tag[1] else 1
        if depth > MAX_DEPTH or count == MAX_TAGS:
            return False
    return markup.count("<") <= 2 * MAX_TAGS


def _allowed(_tag: str, attribute: str, value: str) -> str | None:
    pattern = _VALUES.get(attribute)  # also asked of what nh3 drops, or adds by itself
    return value if pattern is not None and pattern.fullmatch(value) else None
