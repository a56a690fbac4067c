"""The first line of an HTML text, where it says its words and nothing else.

Elsewhere links, pictures, quotes and tables become text (`html`): good for readers, wrong for a passphrase.
"""

import re
from html import unescape
from html.parser import HTMLParser

MAX_MARKUP = 64 * 1024  # characters; the parser is slow with what is broken

_BLANKS = " \t\r\n\f"
_BREAKING = frozenset({"html", "head", "body", "div", "p", "br"})
_HARMLESS = frozenset(
    {"span", "font", "b", "strong", "i", "em", "u", "small", "big", "o:p", "meta", "link", "base"}  # o:p is Outlook's
)
_UNSEEN = frozenset({"style", "title", "script"})
_CHANGING = re.compile(r"(?<![\w-])(?:display|visibility|white-space|text-transform)\s*:", re.IGNORECASE)
_SPACED = re.compile(r"[\t\r\n\f\xa0]|  ")


def first_line(markup: str) -> str | None:
    """The text of the first block that has any; None where it may be shown otherwise than it is written."""
    if len(markup) > MAX_MARKUP:
        return None
    reader = _FirstBlock()
    reader.feed(markup)
    reader.close()
    reader.end_block()
    return None if reader.is_unsure or _SPACED.search(reader.line) else reader.line


class _FirstBlock(HTMLParser):
    """Gathers it; what comes behind is passed over."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.line = ""
        self.is_unsure = False
        self._text = self._unseen = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.line:
            return
        if tag in _BREAKING:
            self.end_block()
        if tag in _UNSEEN:
            self._unseen = tag
        elif not self.line and (tag not in _BREAKING | _HARMLESS or _changes_text(attrs)):
            self.is_unsure = True

    def handle_endtag(self, tag: str) -> None:
        if tag == self._unseen:
            self._unseen = ""
        elif tag in _BREAKING:
            self.end_block()

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self._text += data

    def handle_entityref(self, name: str) -> None:
        self._refer(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._refer(f"&#{name};")

    def _refer(self, reference: str) -> None:
        """A character that is named; what stands for none is left out elsewhere."""
        character = unescape(reference)
        if (not character.isprintable() and character != "\xa0") or character in ("", reference):
            self.is_unsure = self.is_unsure or not self.line
        self.handle_data(character)

    def end_block(self) -> None:
        """What was gathered is the line, unless it is blank."""
        if not self.line and self._text.strip(_BLANKS + "\xa0"):
            self.line = self._text.strip(_BLANKS)
        self._text = ""


def _changes_text(attrs: list[tuple[str, str | None]]) -> bool:
    return any(name == "hidden" or (name == "style" and _CHANGING.search(value or "")) for name, value in attrs)
