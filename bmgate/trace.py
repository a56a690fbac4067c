"""What passes through a gateway, for whoever asked to see it: in the log (`serve --trace`), or as files that can be
replayed (`serve --capture`).

Both show values, never keys, passwords or texts: what peers say to each other is public.
"""

import logging
import re
from collections.abc import Callable
from pathlib import Path

from bmgate.bm.captures import Said, encode_head, encode_said, packet_of, summary
from bmgate.bm.commands import Command, VersionCommand
from bmgate.bm.conversation import Direction
from bmgate.bm.network import NetworkParameters
from bmgate.domain.ports.world import Clock

MAX_CAPTURED = 256 * 1024 * 1024  # bytes of all files together: strangers could fill the disk

Trace = Callable[[str, Direction, Command], None]

log = logging.getLogger(__name__)


def trace_peers(peer: str, direction: Direction, command: Command) -> None:
    """One line for each command that a peer and we exchange."""
    arrow = "<-" if direction == "in" else "->"
    log.info("%s %s %s", arrow, peer, summary(command))


class CaptureFiles:
    """A trace that writes a capture of each connection into `folder`, until it has written enough."""

    def __init__(self, folder: Path, network: NetworkParameters, clock: Clock, most: int = MAX_CAPTURED) -> None:
        self._folder, self._network, self._clock = folder, network, clock
        self._left, self._count = most, 0
        self._open: dict[str, tuple[Path, float, bool]] = {}  # by peer: file, monotonic begin, whether we said version
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def __call__(self, peer: str, direction: Direction, command: Command) -> None:
        """Append what was said."""
        packet = packet_of(command, self._network)
        if packet is None or self._left <= 0:
            return
        try:
            self._append(peer, direction, command, packet)
        except OSError as error:
            self._left = 0
            log.warning("nothing more is captured: %s", error)

    def _append(self, peer: str, direction: Direction, command: Command, packet: bytes) -> None:
        is_ours = direction == "out" and isinstance(command, VersionCommand)
        path, began, introduced = self._open.get(peer) or self._begin(peer)
        if is_ours and introduced:  # the same place, dialled again
            path, began, _ = self._begin(peer)
        self._open[peer] = path, began, introduced or is_ours
        self._write(path, encode_said(Said(self._clock.monotonic() - began, direction, packet)))
        if self._left <= 0:
            log.warning("nothing more is captured: that was enough")

    def _begin(self, peer: str) -> tuple[Path, float, bool]:
        self._count += 1
        path = self._folder / f"{self._count:05}-{re.sub(r'[^0-9A-Za-z.-]', '_', peer)}.capture"
        path.unlink(missing_ok=True)
        self._write(path, encode_head(self._network, peer, self._clock.now()))
        return path, self._clock.monotonic(), False

    def _write(self, path: Path, line: str) -> None:
        self._left -= len(line)
        with path.open("a", encoding="ascii") as file:
            file.write(line)


def both(first: Trace, second: Trace) -> Trace:
    """Tell two traces."""

    def tell(peer: str, direction: Direction, command: Command) -> None:
        first(peer, direction, command)
        second(peer, direction, command)

    return tell
