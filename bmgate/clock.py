"""Time as a value that is handed in."""

import asyncio
import time


class SystemClock:
    """The machine's own clock; the `Clock` port of `domain.ports`."""

    def now(self) -> int:
        """Unix seconds: for protocol facts that leave this process."""
        return int(time.time())

    def monotonic(self) -> float:
        """Seconds that never go back: for timeouts and rates."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Give the loop away for `seconds`."""
        await asyncio.sleep(seconds)
