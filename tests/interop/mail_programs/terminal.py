"""A program in a terminal of its own: what it shows is read, keys are typed when it shows what they wait for."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

SECONDS = 30.0
_ADOPT = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
_CONTROL = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>78]|\][^\x07]*\x07)|[\x00-\x08\x0b-\x1f]")


class Terminal:
    """The keyboard and the screen, as a stream of text."""

    def __init__(self, process: "subprocess.Popen[bytes]", master: int) -> None:
        self._process, self._master, self._seen = process, master, ""

    def expect(self, text: str) -> None:
        """Wait until it has shown `text` since the last keys."""
        deadline = time.monotonic() + SECONDS
        while text not in self._seen:
            if time.monotonic() > deadline or not self._read():
                raise AssertionError(f"waited in vain for {text!r}; seen: {self._seen[-2000:]}")

    def type(self, keys: str) -> None:
        """Press keys."""
        self._seen = ""
        os.write(self._master, keys.encode())

    def wait(self) -> int:
        """Its exit code."""
        deadline = time.monotonic() + SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            self._read()
        return self._process.wait(1)

    def _read(self) -> bool:
        """Whether it may show more."""
        ready, _, _ = select.select([self._master], [], [], 0.1)
        if not ready:
            return self._process.poll() is None
        try:
            data = os.read(self._master, 65536)
        except OSError:  # it has closed its end
            return False
        self._seen += _CONTROL.sub("", data.decode("utf-8", "replace"))
        return bool(data)


@contextmanager
def terminal(command: Sequence[str], environ: Mapping[str, str]) -> Iterator[Terminal]:
    """Run a program until the end of the block."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _ADOPT, *command],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm", "LINES": "40", "COLUMNS": "160", **environ},
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        process.kill()
        process.wait()
        os.close(master)
