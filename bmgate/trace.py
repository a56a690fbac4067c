"""What passes through a gateway, written to the log for whoever asked to see it (`serve --trace`).

A trace shows values, never keys, passwords or texts: what peers say to each other is public.
"""

import logging

from bmgate.bm.commands import Command, ObjectCommand
from bmgate.bm.conversation import Direction
from bmgate.bm.hashes import inventory_vector

MAX_CHARACTERS = 300

log = logging.getLogger(__name__)


def trace_peers(peer: str, direction: Direction, command: Command) -> None:
    """One line for each command that a peer and we exchange."""
    if isinstance(command, ObjectCommand):
        text = f"object {inventory_vector(command.encoded).hex()}, {len(command.encoded)} bytes"
    else:
        text = repr(command)
    arrow = "<-" if direction == "in" else "->"
    log.info("%s %s %s", arrow, peer, text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}…")
