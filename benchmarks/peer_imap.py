"""The stock Twisted IMAP4Server over a mailbox in memory, to compare with.

`peer_imap.py COUNT SIZE` prints its port; it ends when its standard input does. One user may log in.
"""
# ruff: noqa: N802 - the interfaces are Twisted's

import sys
from collections.abc import Iterator
from email.parser import BytesHeaderParser
from io import BytesIO
from typing import Any

from mails import mail
from stock_servers import serve
from twisted.mail import imap4
from zope.interface import implementer

UIDVALIDITY = 1


@implementer(imap4.IMessage)
class Message:
    """A mail whose header was parsed beforehand."""

    def __init__(self, uid: int, raw: bytes) -> None:
        self._uid, self._size = uid, len(raw)
        header, _, self._body = raw.partition(b"\r\n\r\n")
        parsed = BytesHeaderParser().parsebytes(header)
        self._headers = {name.lower(): str(value) for name, value in parsed.items()}

    def getUID(self) -> int:
        return self._uid

    def getFlags(self) -> list[str]:
        return []

    def getInternalDate(self) -> str:
        return "21-Sep-2026 12:00:00 +0000"

    def getHeaders(self, negate: bool, *names: bytes) -> dict[str, str]:
        wanted = {name.decode("ascii").lower() for name in names}
        return {name: value for name, value in self._headers.items() if (name in wanted) != negate}

    def getBodyFile(self) -> BytesIO:
        return BytesIO(self._body)

    def getSize(self) -> int:
        return self._size

    def isMultipart(self) -> bool:
        return False

    def getSubPart(self, part: int) -> Any:
        raise IndexError(part)


@implementer(imap4.IMailbox)
class Mailbox:
    """Messages in memory, UIDs their sequence numbers."""

    def __init__(self, messages: list[Message]) -> None:
        self._messages = messages

    def getUIDValidity(self) -> int:
        return UIDVALIDITY

    def getUIDNext(self) -> int:
        return len(self._messages) + 1

    def getUID(self, message: int) -> int:
        return message

    def getMessageCount(self) -> int:
        return len(self._messages)

    def getRecentCount(self) -> int:
        return 0

    def getUnseenCount(self) -> int:
        return len(self._messages)

    def getFlags(self) -> list[str]:
        return ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"]

    def getHierarchicalDelimiter(self) -> str:
        return "/"

    def isWriteable(self) -> int:
        return 1

    def destroy(self) -> None:
        """Never asked for."""

    def requestStatus(self, names: Any) -> Any:
        raise imap4.MailboxException("nobody asks here")

    def addListener(self, listener: Any) -> int:
        return 1

    def removeListener(self, listener: Any) -> int:
        return 1

    def addMessage(self, message: Any, flags: Any = (), date: Any = None) -> Any:
        raise imap4.MailboxException("nothing is stored here")

    def expunge(self) -> list[int]:
        return []

    def fetch(self, messages: Any, uid: bool) -> Iterator[tuple[int, Message]]:
        messages.last = len(self._messages)
        return ((number, self._messages[number - 1]) for number in messages)

    def store(self, messages: Any, flags: Any, mode: int, uid: bool) -> dict[int, list[str]]:
        return {}


def main(count: int, size: int) -> None:
    stock: Any = imap4  # it has no types
    account = stock.MemoryAccount("benchmark")
    account.addMailbox("INBOX", Mailbox([Message(number, mail(number, size)) for number in range(1, count + 1)]))
    serve(stock.IMAP4Server, stock.IAccount, account)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
