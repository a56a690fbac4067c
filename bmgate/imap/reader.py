"""The client's byte stream cut into commands, literals included (RFC 9051 sections 2.2.1 and 4.3, RFC 7888).

Knows lines and literals and nothing else; `grammar` tells what they mean. The outcome does not depend on how the
bytes were portioned. What is refused is swallowed, so that it can never be taken for a command (F1, I2).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from bmgate.imap.limits import ReaderLimits

_TAG = re.compile(rb"([!#$&',\-./0-9:-@A-Z\[\]^_`a-z|}~]{1,64}) ")
_APPEND = re.compile(rb"[^ ]+ APPEND ", re.IGNORECASE)
_LITERAL_TAIL = 64  # octets of a swallowed line kept to see the literal at its end
_DIGITS = b"0123456789"
_LONGEST_NUMBER = 18  # digits; whatever is longer is too large for any limit
_HUGE = 10**_LONGEST_NUMBER


@dataclass(frozen=True, slots=True)
class RawCommand:
    """One command: text and literals in turn, beginning and ending with text; line ends and `{n}` are taken off."""

    pieces: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """Octets held by this command."""
        return sum(map(len, self.pieces))


@dataclass(frozen=True, slots=True)
class Rejected:
    """A command that was swallowed: what to answer, and whether the connection ends then."""

    tag: bytes
    word: bytes  # NO or BAD
    code: bytes
    text: bytes
    fatal: bool


class _Announcement(NamedTuple):
    """A `{n}` or `{n+}` at the end of a line."""

    size: int
    waits: bool  # for our `+`
    length: int  # octets of its own text


def _announcement(line: bytes) -> _Announcement | None:
    """The literal announced at the end of `line`, of which the beginning may be missing."""
    if not line.endswith(b"}"):
        return None
    number = line[:-1].removesuffix(b"+")
    head = number.rstrip(_DIGITS)
    count = len(number) - len(head)
    is_cut = count > _LITERAL_TAIL // 2
    if not count or not (head.endswith(b"{") or is_cut):
        return None
    size = int(number[-count:]) if count <= _LONGEST_NUMBER else _HUGE
    return _Announcement(size, not line.endswith(b"+}"), len(line) - len(head) + 1)


class CommandReader:
    """Turns bytes into commands; `ask` is called when a synchronizing literal may come.

    `limits` may be exchanged between two commands.
    """

    def __init__(self, limits: ReaderLimits, ask: Callable[[], None]) -> None:
        self.limits, self._ask = limits, ask
        self._tail = bytearray()
        self._begin()

    def _begin(self) -> None:
        self._pieces: list[bytes] = []
        self._text_size = self._literal_sum = 0
        self._literal: int | None = None
        self._refusal: Rejected | None = None
        self._skip = self._swallowed = self._scanned = 0

    @property
    def buffered(self) -> int:
        """Octets taken in and not yet handed out."""
        return len(self._tail)

    def feed(self, data: bytes) -> None:
        """Take in a portion of the stream."""
        self._tail += data

    def clear(self) -> None:
        """Forget everything that came (STARTTLS)."""
        self._tail.clear()
        self._begin()

    def next_line(self) -> bytes | Rejected | None:
        """The next bare line, for the continuations of AUTHENTICATE and IDLE; None when more bytes are needed."""
        end = self._tail.find(b"\n")
        if (len(self._tail) if end < 0 else end) > self.limits.line:
            return Rejected(b"*", b"BAD", b"TOOBIG", b"Line too long", fatal=True)
        if end < 0:
            return None
        return self._cut_line(end)

    def next_command(self) -> RawCommand | Rejected | None:
        """The next whole command or refusal, or None when more bytes are needed."""
        while True:
            if self._skip and not self._skip_literal():
                return None
            if self._literal is not None and not self._take_literal():
                return None
            end = self._tail.find(b"\n", self._scanned)
            if end < 0:
                return self._unfinished_line()
            outcome = self._end_of_line(self._cut_line(end))
            if outcome is not None:
                self._begin()
                return outcome

    def _cut_line(self, end: int) -> bytes:
        line = bytes(self._tail[:end])
        del self._tail[: end + 1]
        self._scanned = 0
        return line.removesuffix(b"\r")

    def _skip_literal(self) -> bool:
        cut = min(self._skip, len(self._tail))
        del self._tail[:cut]
        self._skip -= cut
        return self._skip == 0

    def _take_literal(self) -> bool:
        size = self._literal
        if size is None or len(self._tail) < size:
            return False
        with memoryview(self._tail) as view:
            self._pieces.append(bytes(view[:size]))
        del self._tail[:size]
        self._literal = None
        return True

    def _unfinished_line(self) -> Rejected | None:
        """Keep waiting, but hold no more than a line may have."""
        self._scanned = len(self._tail)
        if self._refusal is None and self._text_size + len(self._tail) > self.limits.line + 1:  # 1: the CR
            self._refuse(bytes(self._tail[:100]), b"BAD", b"TOOBIG", b"Command line too long")
        if self._refusal is None:
            return None
        surplus = len(self._tail) - _LITERAL_TAIL
        if surplus > 0:
            del self._tail[:surplus]
            self._scanned = len(self._tail)
            self._swallowed += surplus
        return self._too_much() if self._swallowed > self.limits.swallow else None

    def _end_of_line(self, line: bytes) -> RawCommand | Rejected | None:
        """What a finished line makes of the command; None when a literal and another line follow."""
        if self._refusal is None and self._text_size + len(line) > self.limits.line:
            self._refuse(line, b"BAD", b"TOOBIG", b"Command line too long")
        literal = _announcement(line)
        if self._refusal is not None:
            self._swallowed += len(line)
            return self._swallow_on(literal)
        if literal is None:
            return RawCommand((*self._pieces, line))
        problem = self._literal_problem(line, literal.size)
        if problem is not None:
            self._refuse(line, *problem)
            return self._swallow_on(literal)
        text = line[: -literal.length]
        self._pieces.append(text)
        self._text_size += len(text)
        self._literal_sum += literal.size
        self._literal = literal.size
        if literal.waits:
            self._ask()
        return None

    def _literal_problem(self, line: bytes, size: int) -> tuple[bytes, bytes, bytes] | None:
        """Word, code and text of the refusal, or None when the literal is welcome."""
        limits = self.limits
        is_append = _APPEND.match(self._pieces[0] if self._pieces else line) is not None
        if size > (limits.append_literal if is_append else limits.literal):
            is_mail = is_append and not limits.refusal_is_fatal
            return (b"NO" if is_mail else b"BAD"), b"TOOBIG", b"Literal too long"
        if len(self._pieces) >= 2 * limits.literals or self._literal_sum + size > limits.literal_sum:
            return b"BAD", b"TOOBIG", b"Too many literals"
        return None

    def _swallow_on(self, literal: _Announcement | None) -> Rejected | None:
        """Go on behind a swallowed line: into the octets that come anyway, or to the refusal itself."""
        if self._swallowed > self.limits.swallow:
            return self._too_much()
        if literal is None or literal.waits or (self._refusal is not None and self._refusal.fatal):
            return self._refusal
        self._skip = literal.size
        self._swallowed += self._skip
        if self._swallowed > self.limits.swallow:
            return self._too_much()
        return None

    def _refuse(self, line: bytes, word: bytes, code: bytes, text: bytes) -> None:
        tag = _TAG.match(self._pieces[0] if self._pieces else line)
        self._pieces = []
        self._refusal = Rejected(tag[1] if tag else b"*", word, code, text, self.limits.refusal_is_fatal)

    def _too_much(self) -> Rejected:
        refused = self._refusal
        tag = refused.tag if refused else b"*"
        return Rejected(tag, b"BAD", b"TOOBIG", b"Too much to throw away", fatal=True)
