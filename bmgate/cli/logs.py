"""Where the log goes: to people, or as one JSON object a line.

Everybody logs through the standard library, structlog renders. Our modules log facts without secrets (E3); libraries
that log what they carry are kept quiet.
"""

import logging
import os
import sys
from typing import Literal

import structlog
from twisted.logger import STDLibLogObserver, globalLogBeginner

QUIET = ("mail.log", "mail.debug", "asyncio", "twisted", "alembic")  # only what goes wrong


def set_up_logs(level: str, style: Literal["console", "json"], file: str) -> None:
    """All logs of this process from now on; `file` "" is standard error. Raises OSError."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = _handler(file)
    render: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if style == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=not file and sys.stderr.isatty(),
                exception_formatter=structlog.dev.plain_traceback,  # the others show variables, passwords among them
            )
        ]
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    globalLogBeginner.beginLoggingTo([STDLibLogObserver("twisted")], redirectStandardIO=False)


def _handler(file: str) -> logging.Handler:
    if not file:
        return logging.StreamHandler(sys.stderr)
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    return logging.FileHandler(file, encoding="utf-8")
