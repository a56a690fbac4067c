"""Errors become replies; what is no ordinary refusal goes into the log: where it happened, never with what (S12)."""

import traceback

import structlog

from bmgate.errors import GatewayError
from bmgate.smtp.replies import TROUBLE, Reply, Stage, reply_for

_log = structlog.get_logger("smtp")
MAX_FRAMES = 8


def answer(error: Exception, stage: Stage) -> Reply:
    """The reply to a client whose command ended in `error`."""
    reply = reply_for(error, stage)
    if isinstance(error, GatewayError):
        if reply is TROUBLE:
            _log.warning("mail put off", stage=stage.name, reason=type(error).__name__)
    else:
        frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
        places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        _log.error("smtp command failed", stage=stage.name, error=type(error).__name__, places=places)
    return reply
