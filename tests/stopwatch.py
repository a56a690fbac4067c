"""How long something takes by itself, whatever else runs on the machine."""

import os
import time
from contextlib import suppress
from pathlib import Path


class Stopwatch:
    """Runs from the moment it is made, and stands still while a thread is ready and has no processor.

    That goes for the threads of this process and those of `pids`. Where the kernel does not tell, it never stands
    still. Source: Linux, Documentation/scheduler/sched-stats.rst, "/proc/<pid>/schedstat".
    """

    def __init__(self, *pids: int) -> None:
        self._pids = (os.getpid(), *pids)
        self._waits = self._told()
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """So far."""
        passed, waits = time.monotonic() - self._begun, self._told()
        return passed - sum(wait - self._waits.get(thread, 0) for thread, wait in waits.items()) / 1e9

    def _told(self) -> dict[Path, int]:
        """Nanoseconds that each thread has waited in its life for a processor."""
        waits = {}
        for thread in (path for pid in self._pids for path in Path(f"/proc/{pid}/task").glob("*/schedstat")):
            with suppress(OSError):  # it has ended
                waits[thread] = int(thread.read_text(encoding="ascii").split()[1])
        return waits
