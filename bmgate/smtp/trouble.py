"""Errors become replies; what is no ordinary refusal goes into the log: where it happened, never with what (S12)."""

import logging
import traceback

from bmgate.errors import GatewayError
from bmgate.smtp.replies import TROUBLE, Reply, Stage, reply_for

log = logging.getLogger(__name__)

MAX_FRAMES = 8


def answer(error: Exception, stage: Stage) -> Reply:
    """The reply to a client whose command ended in `error`."""
    reply = reply_for(error, stage)
    if isinstance(error, GatewayError):
        if reply is TROUBLE:
            log.warning("put off at %s: %s", stage.name, type(error).__name__)
    else:
        frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
        places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        log.error("a command failed at %s: %s in %s", stage.name, type(error).__name__, "; ".join(places))
    return reply
