"""To whom TLS is offered: where it failed lately it is not, for a day.

Peers we dial are offered it; those that dial us only where the operator wants it, for their client side rarely works.
Names of anonymous networks need none.
"""

import logging
import ssl

from bmgate.bm.hosts import Reach, reach_of
from bmgate.bm.node.pool import DayNotes
from bmgate.bm.node.targets import PeerTarget
from bmgate.bm.tls import peer_context, tls_works
from bmgate.domain.sources import source_group

log = logging.getLogger(__name__)


class TlsOffers:
    """`now` is monotonic seconds."""

    def __init__(self, inbound: bool) -> None:
        self._inbound = inbound
        self._failed_targets, self._failed_sources = DayNotes(), DayNotes()
        self._contexts: dict[bool, ssl.SSLContext] = {}  # by server_side; empty where TLS does not work

    def start(self) -> None:
        """Find out what the linked library can do."""
        if tls_works():
            self._contexts = {server_side: peer_context(server_side) for server_side in (False, True)}
        else:
            log.warning("the linked %s cannot speak TLS with peers: connections are in clear", ssl.OPENSSL_VERSION)

    def context(self, target: PeerTarget | None, host: str, now: float) -> ssl.SSLContext | None:
        """What to offer the peer at `host`, whom we dialled as `target`, or who dialled us; None for nothing."""
        if target is not None:
            is_wanted = reach_of(target.host) is Reach.CLEARNET and not self._failed_targets.has(str(target), now)
            return self._contexts.get(False) if is_wanted else None
        if not self._inbound or self._failed_sources.has(source_group(host), now):
            return None
        return self._contexts.get(True)

    def failed(self, target: PeerTarget | None, host: str, now: float) -> None:
        """The TLS handshake came to nothing."""
        if target is not None:
            self._failed_targets.add(str(target), now)
        else:
            self._failed_sources.add(source_group(host), now)
