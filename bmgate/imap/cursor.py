"""A reading position in one command, and the smallest words of the grammar (RFC 9051 section 9)."""

import re

from bmgate.errors import ProtocolError
from bmgate.mail.octets import Octets

_ATOM = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")
_ASTRING = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+")
_LIST_MAILBOX = re.compile(rb"[!#$%&'*+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+")
_QUOTED = re.compile(rb'"([^"\\\r\n\0]*(?:\\["\\][^"\\\r\n\0]*)*)"')
_ESCAPED = re.compile(rb"\\(.)")
_NUMBER = re.compile(rb"[0-9]{1,20}")
_TAG = re.compile(rb"[!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+")
MAX_TAG = 1024


class BadSyntax(ProtocolError):
    """A command that does not follow the grammar; the text may be shown to the client."""


class Cursor:
    """Reads the pieces of a command from left to right; every method raises BadSyntax when its word is not there."""

    def __init__(self, pieces: tuple[Octets, ...], utf8: bool = False) -> None:
        self.utf8 = utf8  # mailbox names are UTF-8 and nothing else (RFC 6855)
        self._pieces = pieces
        self._go_to(0)

    def _go_to(self, index: int) -> None:
        text = self._pieces[index]
        assert isinstance(text, bytes)
        self._text, self._index, self._at = text, index, 0

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self._at == len(self._text) and self._index == len(self._pieces) - 1

    def finish(self) -> None:
        """Nothing may be left."""
        if not self.at_end:
            raise BadSyntax("Unexpected words at the end of the command")

    def skip_all(self) -> None:
        """Move to the end of the command."""
        self._go_to(len(self._pieces) - 1)
        self._at = len(self._text)

    def peek(self) -> bytes:
        """The next octet of the text, or nothing in front of a literal or the end."""
        return self._text[self._at : self._at + 1]

    def match(self, pattern: re.Pattern[bytes], what: str) -> re.Match[bytes]:
        """Move over `pattern`, which is called `what` in the complaint."""
        found = pattern.match(self._text, self._at)
        if found is None:
            raise BadSyntax(f"Expected {what}")
        self._at = found.end()
        return found

    def skip(self, octets: bytes) -> bool:
        """Move over `octets` if they come next."""
        if not self._text.startswith(octets, self._at):
            return False
        self._at += len(octets)
        return True

    def skip_word(self, word: bytes) -> bool:
        """Move over `word`, in any case, if it comes next with a space behind it; the space stays."""
        end = self._at + len(word)
        if self._text[self._at : end].upper() != word or self._text[end : end + 1] != b" ":
            return False
        self._at = end
        return True

    def expect(self, octets: bytes) -> None:
        """Move over `octets`."""
        if not self.skip(octets):
            raise BadSyntax(f"Expected {octets.decode('ascii')!r}")

    def space(self) -> None:
        """Move over one space."""
        if not self.skip(b" "):
            raise BadSyntax("Expected a space")

    def tag(self) -> bytes:
        """The tag of the command."""
        tag = self.match(_TAG, "a tag")[0]
        if len(tag) > MAX_TAG:
            raise BadSyntax("Tag too long")
        return tag

    def atom(self) -> bytes:
        """An atom."""
        return self.match(_ATOM, "an atom")[0]

    def word(self) -> str:
        """An atom, upper case: a command, key or option."""
        return self.atom().decode("ascii").upper()

    def modseq(self) -> int:
        """A mod-sequence; 0 is taken, as some programs send it."""
        return self.number(0x7FFFFFFFFFFFFFFF)

    def number(self, limit: int = 0xFFFFFFFF) -> int:
        """Digits up to `limit`."""
        value = int(self.match(_NUMBER, "a number")[0])
        if value > limit:
            raise BadSyntax("Number too large")
        return value

    def has_literal(self) -> bool:
        """Whether a literal comes next."""
        return self._at == len(self._text) and self._index < len(self._pieces) - 1

    def mail(self) -> Octets:
        """A literal that may be too large for memory."""
        if not self.has_literal():
            raise BadSyntax("Expected a literal")
        data = self._pieces[self._index + 1]
        self._go_to(self._index + 2)
        return data

    def literal(self) -> bytes:
        """A literal."""
        data = self.mail()
        if not isinstance(data, bytes):
            raise BadSyntax("Literal too long")
        return data

    def string(self) -> bytes:
        """A quoted string or a literal."""
        if self.peek() != b'"':
            return self.literal()
        quoted = self.match(_QUOTED, "a quoted string")[1]
        return _ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted

    def astring(self) -> bytes:
        """An atom, quoted string or literal."""
        if self.peek() == b'"' or self.has_literal():
            return self.string()
        return self.match(_ASTRING, "an atom or string")[0]

    def list_mailbox(self) -> bytes:
        """A name with wildcards."""
        if self.peek() == b'"' or self.has_literal():
            return self.string()
        return self.match(_LIST_MAILBOX, "a mailbox pattern")[0]

    def nstring(self) -> bytes | None:
        """A string or NIL."""
        if self.peek() == b'"' or self.has_literal():
            return self.string()
        if self.word() != "NIL":
            raise BadSyntax("Expected a string or NIL")
        return None
