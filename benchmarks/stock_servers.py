"""What the stock servers of Twisted need around them: one user who may log in, a port, and an end.

The port is printed; the server ends when its standard input does.
"""

import sys
from collections.abc import Callable
from typing import Any

from clients import PASSWORD, USER
from twisted.cred import checkers, portal
from twisted.internet import protocol
from twisted.internet import reactor as global_reactor
from zope.interface import implementer


@implementer(portal.IRealm)
class Realm:
    """The same mail for everybody, seen through `interface`."""

    def __init__(self, interface: Any, mail: Any) -> None:
        self._interface, self._mail = interface, mail

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:  # noqa: N802, N803 - Twisted's names
        return self._interface, self._mail, lambda: None


def serve(make: Callable[[], Any], interface: Any, mail: Any) -> None:
    """Until the end of standard input; `make` makes a connection's protocol."""
    reactor: Any = global_reactor  # a module with no types
    passwords = checkers.InMemoryUsernamePasswordDatabaseDontUse(**{USER: PASSWORD.encode()})
    entrance = portal.Portal(Realm(interface, mail), [passwords])

    def server(_: object) -> Any:
        made = make()
        made.portal = entrance
        return made

    factory: Any = protocol.ServerFactory()
    factory.buildProtocol = server
    print(reactor.listenTCP(0, factory, interface="127.0.0.1").getHost().port, flush=True)
    reactor.callInThread(stop_with_input, reactor)
    reactor.run()


def stop_with_input(reactor: Any) -> None:
    """Runs in a thread."""
    sys.stdin.read()
    reactor.callFromThread(reactor.stop)
