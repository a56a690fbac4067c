"""Methods on the node, and those that only show that somebody is there.

What would touch others is not done: the gateway serves more than this caller.
"""

import math

from bmgate.api.faults import Fault
from bmgate.api.ports import ApiServices
from bmgate.api.table import Method, Table
from bmgate.api.values import Wire
from bmgate.domain.account import AccountId
from bmgate.services.status import PeerView

SOFTWARE = "bmgate"


class NodeMethods:
    """What the node does, told in few figures."""

    def __init__(self, services: ApiServices) -> None:
        self._node, self._processed, self._version = services.node, services.processed, services.version
        self._is_operator = services.is_operator

    def table(self) -> Table:
        """Each under its name."""
        return {
            "helloWorld": Method(self._hello, 2, 2, "joins two words"),
            "add": Method(self._add, 2, 2, "adds two numbers"),
            "statusBar": Method(self._done_nothing, 1, 1, "there is no status bar: text"),
            "clientStatus": Method(self._status, 0, 0, "connections and software"),
            "listConnections": Method(self._connections, 0, 0, "the connections; with whom is told to the operator"),
            "deleteAndVacuum": Method(self._nothing_to_do, 0, 0, "not needed; does nothing"),
            "shutdown": Method(self._nothing_to_do, 0, 0, "not by an account; does nothing"),
        }

    async def _hello(self, _account: AccountId, first: Wire, second: Wire) -> Wire:
        return f"{first}-{second}"

    async def _add(self, _account: AccountId, first: Wire, second: Wire) -> Wire:
        if not isinstance(first, int | float) or not isinstance(second, int | float):
            raise Fault("Unexpected API Failure - two numbers are expected")
        try:
            added = first + second
            fits = math.isfinite(added)
        except OverflowError:
            fits = False
        if not fits:
            raise Fault("Unexpected API Failure - the sum is too large")
        return added

    async def _done_nothing(self, _account: AccountId, _text: Wire) -> Wire:
        return "success"

    async def _nothing_to_do(self, _account: AccountId) -> Wire:
        return "done"

    async def _status(self, _account: AccountId) -> Wire:
        node, processed = self._node(), self._processed()
        peers = [peer for peer in node.peers() if peer.established] if node is not None else []
        network = "notConnected"
        if peers:
            network = "connectedButHaveNotReceivedIncomingConnections"
        if any(peer.inbound for peer in peers):
            network = "connectedAndReceivingIncomingConnections"
        return {
            "networkConnections": len(peers),
            "numberOfMessagesProcessed": processed.msgs,
            "numberOfBroadcastsProcessed": processed.broadcasts,
            "numberOfPubkeysProcessed": processed.pubkeys,
            "pendingDownload": node.state.pending_downloads if node is not None else 0,
            "networkStatus": network,
            "softwareName": SOFTWARE,
            "softwareVersion": self._version,
        }

    async def _connections(self, account: AccountId) -> Wire:
        """One entry for each connection; with whom is told to the operator alone."""
        node = self._node()
        peers = node.peers() if node is not None else ()
        told = _connection if await self._is_operator(account) else _nameless
        return {
            "inbound": [told(peer) for peer in peers if peer.inbound],
            "outbound": [told(peer) for peer in peers if not peer.inbound],
        }


def _nameless(peer: PeerView) -> dict[str, Wire]:
    return {"host": "", "port": 0, "fullyEstablished": peer.established, "userAgent": ""}


def _connection(peer: PeerView) -> dict[str, Wire]:
    return {
        "host": peer.host,
        "port": peer.port,
        "fullyEstablished": peer.established,
        "userAgent": peer.user_agent,
    }
