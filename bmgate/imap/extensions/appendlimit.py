"""APPENDLIMIT: how large a mail may be, the same for every mailbox (RFC 7889)."""

from bmgate.imap.extension import Extension
from bmgate.imap.status_items import StatusItem

APPENDLIMIT = Extension(
    "APPENDLIMIT={append_limit}",
    status_items=(StatusItem("APPENDLIMIT", lambda _, limits: limits.append_limit),),
)
