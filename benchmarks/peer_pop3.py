"""The stock Twisted POP3 class over a maildrop in memory, with TCP_NODELAY, to compare with.

`peer_pop3.py COUNT SIZE` prints its port; it ends when its standard input does. One user may log in.
"""
# ruff: noqa: N802 - the interfaces are Twisted's

import sys
from io import BytesIO
from typing import Any

from clients import PASSWORD, USER
from mails import mail
from twisted.cred import checkers, portal
from twisted.internet import protocol
from twisted.internet import reactor as global_reactor
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


@implementer(portal.IRealm)
class Realm:
    """The same maildrop for everybody."""

    def __init__(self, maildrop: Maildrop) -> None:
        self._maildrop = maildrop

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:  # noqa: N803 - Twisted's too
        return pop3.IMailbox, self._maildrop, lambda: None


def main(count: int, size: int) -> None:
    # Twisted's mail classes have no types, and its reactor is a module: both are Any here.
    stock: Any = pop3
    reactor: Any = global_reactor
    mails = [mail(number, size).replace(b"\r\n", b"\n") for number in range(1, count + 1)]
    passwords = checkers.InMemoryUsernamePasswordDatabaseDontUse(**{USER: PASSWORD.encode()})
    entrance = portal.Portal(Realm(Maildrop(mails)), [passwords])

    class Server(stock.POP3):  # type: ignore[misc] # Any, see above
        """With the option that the stock class lacks."""

        def connectionMade(self) -> None:
            self.transport.setTcpNoDelay(True)
            super().connectionMade()

    def server(_: object) -> Any:
        made = Server()
        made.portal = entrance
        return made

    factory: Any = protocol.ServerFactory()
    factory.buildProtocol = server
    factory.challengers = {}
    print(reactor.listenTCP(0, factory, interface="127.0.0.1").getHost().port, flush=True)
    reactor.callInThread(stop_with_input, reactor)
    reactor.run()


def stop_with_input(reactor: Any) -> None:
    """Runs in a thread."""
    sys.stdin.read()
    reactor.callFromThread(reactor.stop)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
