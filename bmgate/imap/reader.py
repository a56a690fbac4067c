"""The client's byte stream cut into commands, literals included (RFC 9051 sections 2.2.1 and 4.3, RFC 7888).

Knows lines and literals and nothing else; `grammar` tells what they mean. The outcome does not depend on how the
bytes were portioned. What is refused is swallowed, so that it can never be taken for a command (F1, I2). Mail that is
too large for memory is announced, and goes where its reader is told to put it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from bmgate.imap.limits import ReaderLimits
from bmgate.mail.octets import LargeMail, Octets

_TAG = re.compile(rb"([!#$&',\-./0-9:-@A-Z\[\]^_`a-z|}~]{1,64}) ")
_APPEND = re.compile(rb"[^ ]+ APPEND ", re.IGNORECASE)
_LITERAL_TAIL = 64  # octets of a swallowed line kept to see the literal at its end
_DIGITS = b"0123456789"
_LONGEST_NUMBER = 18  # digits; whatever is longer is too large for any limit
_HUGE = 10**_LONGEST_NUMBER


@dataclass(frozen=True, slots=True)
class RawCommand:
    """One command: text and literals in turn, beginning and ending with text; line ends and `{n}` are taken off."""

    pieces: tuple[Octets, ...]

    @property
    def size(self) -> int:
        """Octets held in memory by this command."""
        return sum(len(piece) for piece in self.pieces if isinstance(piece, bytes))


@dataclass(frozen=True, slots=True)
class Rejected:
    """A command that was swallowed: what to answer, and whether the connection ends then."""

    tag: bytes
    word: bytes  # NO or BAD
    code: bytes
    text: bytes
    fatal: bool


@dataclass(frozen=True, slots=True)
class Announced:
    """Mail too large for memory is about to come: nothing is read on before `accept` or `refuse` was called."""

    size: int


class Sink(Protocol):
    """Takes large literals."""

    def write(self, data: bytes) -> None:
        """The next octets."""
        ...

    def last(self, size: int) -> LargeMail:
        """What the last `size` octets are from now on."""
        ...


Outcome = RawCommand | Rejected | Announced


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
        self._pieces: list[Octets] = []
        self._front: bytes | None = None  # the first piece
        self._text_size = self._literal_sum = self._held = 0
        self._literal: int | None = None
        self._announced: _Announcement | None = None
        self._sink: Sink | None = None  # of the literal that comes
        self._sunk = 0
        self._refused: Rejected | None = None  # by `refuse`, ready to be told
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

    def accept(self, sink: Sink) -> None:
        """Let the announced literal come, and put it there."""
        announced, self._announced = self._announced, None
        assert announced is not None
        self._sink, self._sunk, self._literal = sink, 0, announced.size
        if announced.waits:
            self._ask()

    def refuse(self, word: bytes, code: bytes, text: bytes) -> None:
        """Have none of the announced literal; where it comes anyway and is much, that is the end."""
        announced, self._announced = self._announced, None
        assert announced is not None
        self._refuse(b"", word, code, text)
        assert self._refusal is not None
        if not announced.waits and announced.size > self.limits.swallow:
            self._refused = replace(self._refusal, fatal=True)
        else:
            self._refused = self._swallow_on(announced)

    def next_command(self) -> Outcome | None:
        """The next whole command, refusal or announcement, or None when more bytes are needed."""
        if self._announced is not None:
            return None
        outcome = self._refused or self._read_on()
        if outcome is not None and not isinstance(outcome, Announced):
            self._begin()
        return outcome

    def _read_on(self) -> Outcome | None:
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
        if size is not None and self._sink is not None:
            return self._sink_literal(self._sink, size)
        if size is None or len(self._tail) < size:
            return False
        with memoryview(self._tail) as view:
            self._pieces.append(bytes(view[:size]))
        del self._tail[:size]
        self._literal = None
        return True

    def _sink_literal(self, sink: Sink, size: int) -> bool:
        cut = min(size - self._sunk, len(self._tail))
        with memoryview(self._tail) as view:
            sink.write(bytes(view[:cut]))
        del self._tail[:cut]
        self._sunk += cut
        if self._sunk < size:
            return False
        self._pieces.append(sink.last(size))
        self._sink = self._literal = None
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

    def _end_of_line(self, line: bytes) -> Outcome | None:
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
        if self._front is None:
            self._front = text
        self._pieces.append(text)
        self._text_size += len(text)
        self._literal_sum += literal.size
        if self._held + literal.size > self.limits.held:
            self._announced = literal
            return Announced(literal.size)
        self._held += literal.size
        self._literal = literal.size
        if literal.waits:
            self._ask()
        return None

    def _literal_problem(self, line: bytes, size: int) -> tuple[bytes, bytes, bytes] | None:
        """Word, code and text of the refusal, or None when the literal is welcome."""
        limits = self.limits
        is_append = _APPEND.match(line if self._front is None else self._front) is not None
        is_mail = is_append and not limits.refusal_is_fatal
        if size > (limits.append_literal if is_append else limits.literal):
            return (b"NO" if is_mail else b"BAD"), b"TOOBIG", b"Literal too long"
        is_full = self._literal_sum + size > (limits.literal_sum if is_append else limits.held)
        if is_mail and is_full:  # APPENDLIMIT speaks of one message, not of all that MULTIAPPEND brings (RFC 7889)
            return b"NO", b"LIMIT", b"Too much for one command: append these messages one by one"
        if is_full or len(self._pieces) >= 2 * limits.literals:
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
        tag = _TAG.match(line if self._front is None else self._front)
        self._pieces = []
        self._refusal = Rejected(tag[1] if tag else b"*", word, code, text, self.limits.refusal_is_fatal)

    def _too_much(self) -> Rejected:
        """The refusal, and the end: there is more behind it than is thrown away."""
        assert self._refusal is not None
        return replace(self._refusal, fatal=True)
