"""The stock Twisted POP3 class over a maildrop in memory, with TCP_NODELAY, to compare with.

`peer_pop3.py COUNT SIZE` prints its port; it ends when its standard input does. One user may log in.
"""
# ruff: noqa: N802 - the interfaces are Twisted's

import sys
from io import BytesIO
from typing import Any

from mails import mail
from stock_servers import serve
from twisted.mail import pop3
from zope.interface import implementer


@implementer(pop3.IMailbox)
class Maildrop:
    """Mails with LF, as the stock class wants them."""

    def __init__(self, mails: list[bytes]) -> None:
        self._mails = mails

    def listMessages(self, index: int | None = None) -> Any:
        sizes = [len(each) for each in self._mails]
        return sizes if index is None else sizes[index]

    def getMessage(self, index: int) -> BytesIO:
        return BytesIO(self._mails[index])

    def getUidl(self, index: int) -> bytes:
        return b"%d" % index

    def deleteMessage(self, index: int) -> None:
        """Never asked for."""

    def undeleteMessages(self) -> None:
        """Never asked for."""

    def sync(self) -> None:
        """Nothing is deleted."""


def main(count: int, size: int) -> None:
    stock: Any = pop3  # it has no types

    class Server(stock.POP3):  # type: ignore[misc] # Any, see above
        """With the option that the stock class lacks."""

        def connectionMade(self) -> None:
            self.transport.setTcpNoDelay(True)
            super().connectionMade()

    mails = [mail(number, size).replace(b"\r\n", b"\n") for number in range(1, count + 1)]
    serve(Server, stock.IMailbox, Maildrop(mails))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
