"""Large mail on its way in: a nameless file of sealed chunks, whose key is nowhere but in memory.

The file has no name in its folder, so whatever ends the process also removes it. A thread seals and writes; whoever
brings octets faster than the disk takes them is told to wait. All spools together, and those of one account, have a
bound (I2, D1).
"""

import asyncio
import errno
import os
import struct
import tempfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from bmgate.bm.keys import Entropy
from bmgate.domain.account import AccountId
from bmgate.errors import StorageFull, Unavailable
from bmgate.mail.octets import LargeMail
from bmgate.storage.sealing import KEY_SIZE, NONCE_SIZE, TAG_SIZE, open_sealed, seal

CHUNK = 256 * 1024  # octets of plaintext
SPOOLED_OCTETS = 1024 * 1024 * 1024  # of all spools together
_SEALED = 1 + NONCE_SIZE + CHUNK + TAG_SIZE
_MOST_WAITING = 2  # chunks on their way to the file, from which on the client waits
_NUMBER = struct.Struct(">Q")
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NAMES = "incoming-"  # of files where the system knows none without a name


class FileSpools:
    """The spools of one gateway, in a folder of its own that is made when it is needed.

    `check_room` raises StorageFull when there is no room for so many octets in the database and so many beside it.
    """

    def __init__(
        self, folder: Path, entropy: Entropy, check_room: Callable[[int, int], None], limit: int = SPOOLED_OCTETS
    ) -> None:
        self._folder, self._entropy, self._check_room, self._limit = folder, entropy, check_room, limit
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._reserved: dict[AccountId, int] = {}

    def open(self, account: AccountId, on_room: Callable[[], None]) -> "FileSpool":
        """A new one. Raises Unavailable."""
        try:
            descriptor = _nameless_file(self._folder)
        except OSError as error:
            raise _refusal(error) from error
        return FileSpool(self, account, descriptor, self._entropy, self._thread, on_room)

    def reserve(self, account: AccountId, size: int) -> None:
        """As much as an account has is left to others, whoever has the rest. Raises Unavailable."""
        own = self._reserved.get(account, 0)
        if own + size > self._limit - self.reserved_octets - size:
            raise Unavailable("too many large mails are on their way; try again later")
        all_of_it = self.reserved_octets + size  # none of which may have been written
        self._check_room(all_of_it, 2 * all_of_it)  # where it is stored; here, and in the log of the database
        self._reserved[account] = own + size

    @property
    def reserved_octets(self) -> int:
        """By all spools that are open."""
        return sum(self._reserved.values())

    def release(self, account: AccountId, size: int) -> None:
        """What was reserved is not needed any more."""
        left = self._reserved.pop(account, 0) - size
        if left:
            self._reserved[account] = left

    def close(self) -> None:
        """End the thread when it has written what it was given."""
        self._thread.shutdown(wait=False)


class FileSpool:
    """One nameless file. Belongs to the loop; what it holds may be read in any thread."""

    def __init__(
        self,
        spools: FileSpools,
        account: AccountId,
        descriptor: int,
        entropy: Entropy,
        thread: ThreadPoolExecutor,
        on_room: Callable[[], None],
    ) -> None:
        self._spools, self._account, self._thread, self._on_room = spools, account, thread, on_room
        self._loop = asyncio.get_running_loop()
        self._file = _SealedFile(descriptor, entropy)
        self._tail = bytearray()
        self._size = 0
        self._waiting = 0  # chunks given to the thread
        self._chunks = 0
        self._failure: BaseException | None = None
        self._settled = asyncio.Event()
        self._settled.set()
        self._is_closed = False
        self.reserved = 0

    @property
    def is_behind(self) -> bool:
        """Whether the disk has not taken what it was given."""
        return self._waiting >= _MOST_WAITING

    def reserve(self, size: int) -> None:
        """Raises Unavailable."""
        self._spools.reserve(self._account, size)
        self.reserved += size

    def write(self, data: bytes) -> None:
        """What belongs to a whole chunk goes to the thread."""
        self._size += len(data)
        assert self._size <= self.reserved
        self._tail += data
        while len(self._tail) >= CHUNK:
            self._hand_on(bytes(self._tail[:CHUNK]))
            del self._tail[:CHUNK]

    def last(self, size: int) -> LargeMail:
        """The mail that was written last."""
        return _Part(self._file, self._size - size, self._size)

    async def settled(self) -> None:
        """The octets behind the last whole chunk stay in memory. Raises Unavailable."""
        await self._settled.wait()
        if isinstance(self._failure, OSError):
            raise _refusal(self._failure) from self._failure
        if self._failure is not None:
            raise self._failure
        self._file.tail = bytes(self._tail)

    def close(self) -> None:
        """The file goes when the thread has done with it."""
        if self._is_closed:
            return
        self._is_closed = True
        self._spools.release(self._account, self.reserved)
        self._tail.clear()
        if not self._waiting:
            self._file.close()

    def _hand_on(self, chunk: bytes) -> None:
        if self._failure is not None or self._is_closed:
            return
        number, self._chunks = self._chunks, self._chunks + 1
        self._waiting += 1
        self._settled.clear()
        writing = self._thread.submit(self._file.write, number, chunk)
        writing.add_done_callback(self._tell)

    def _tell(self, done: "Future[None]") -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._written, done)

    def _written(self, done: "Future[None]") -> None:
        was_behind, self._waiting = self.is_behind, self._waiting - 1
        self._failure = self._failure or done.exception()
        if not self._waiting:
            self._settled.set()
            if self._is_closed:
                self._file.close()
        if was_behind and not (self.is_behind or self._is_closed):
            self._on_room()


class _SealedFile:
    """Chunks of one size, each sealed with its number, and the octets behind the last of them."""

    def __init__(self, descriptor: int, entropy: Entropy) -> None:
        self._descriptor, self._entropy = descriptor, entropy
        self._key = entropy(KEY_SIZE)
        self._lines: list[int] = []  # LFs in each chunk
        self._opened = (-1, b"")  # the chunk that was read last
        self.tail = b""

    def write(self, number: int, chunk: bytes) -> None:
        """The next chunk. Raises OSError."""
        data, at = seal(self._key, chunk, _NUMBER.pack(number), self._entropy), number * _SEALED
        while data:
            written = os.pwrite(self._descriptor, data, at)
            data, at = data[written:], at + written
        self._lines.append(chunk.count(b"\n"))

    def chunk(self, number: int) -> bytes:
        """Raises Unavailable, or Damaged when it is not what was written."""
        if number == len(self._lines):
            return self.tail
        last, chunk = self._opened
        if last != number:
            chunk = open_sealed(self._key, self._pread(number), _NUMBER.pack(number))
            self._opened = number, chunk
        return chunk

    def _pread(self, number: int) -> bytes:
        try:
            return os.pread(self._descriptor, _SEALED, number * _SEALED)
        except OSError as error:
            raise _refusal(error) from error

    def read(self, start: int, end: int) -> bytes:
        """The octets between two offsets."""
        first, at = divmod(start, CHUNK)
        if end <= (first + 1) * CHUNK:
            return self.chunk(first)[at : at + end - start] if end > start else b""
        last = (end - 1) // CHUNK
        pieces = [self.chunk(number) for number in range(first, last + 1)]
        pieces[0] = pieces[0][at:]
        pieces[-1] = pieces[-1][: end - last * CHUNK]
        return b"".join(pieces)

    def lines_before(self, offset: int) -> int:
        """The LFs before an offset."""
        number, at = divmod(offset, CHUNK)
        return sum(self._lines[:number]) + (self.chunk(number).count(b"\n", 0, at) if at else 0)

    def close(self) -> None:
        os.close(self._descriptor)


class _Part:
    """The octets of one mail in a file."""

    def __init__(self, file: _SealedFile, start: int, end: int) -> None:
        self._file, self._start, self._end = file, start, end

    @property
    def window(self) -> int:
        """Octets to be looked at in one go."""
        return CHUNK

    def __len__(self) -> int:
        return self._end - self._start

    def __getitem__(self, place: slice) -> bytes:
        start, end, step = place.indices(len(self))
        assert step == 1
        return self._file.read(self._start + start, self._start + end)

    def count_lines(self, start: int, end: int) -> int:
        """The LFs between two offsets."""
        return self._file.lines_before(self._start + end) - self._file.lines_before(self._start + start)


def _nameless_file(folder: Path) -> int:
    """A descriptor. Raises OSError."""
    if not folder.exists():
        folder.mkdir(mode=0o700, exist_ok=True)
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            raise
    for left in folder.glob(_NAMES + "*"):  # of a process that was killed between the next two lines
        left.unlink(missing_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=_NAMES, dir=folder)
    os.unlink(name)
    return descriptor


def _refusal(error: OSError) -> Unavailable:
    if error.errno in _NO_SPACE:
        return StorageFull("this server's disk is full; try again later")
    return Unavailable(f"a large mail found no place: {error.strerror}")
