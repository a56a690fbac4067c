"""What the node knows of others, kept between its runs: read once at the start, written in portions as it changes."""

import logging

from bmgate.bm.node.bans import Bans
from bmgate.bm.node.known_nodes import KnownNodes
from bmgate.domain.peers import KnownPeer, Standing
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Clock
from bmgate.errors import Unavailable

log = logging.getLogger(__name__)

SAVE_SECONDS = 60.0


class PeerMemory:
    """Carries known nodes and bans to the database and back."""

    def __init__(self, database: Database, known: KnownNodes, bans: Bans, clock: Clock) -> None:
        self._database, self._known, self._bans, self._clock = database, known, bans, clock

    async def load(self) -> None:
        """Before any peer is spoken to: who was banned stays so."""

        def read(store: Store) -> tuple[bytes, list[KnownPeer], list[Standing]]:
            return store.peers.bucket_key(), store.peers.known(), store.peers.standings()

        key, known, standings = await self._database.read(read)
        now = self._clock.now()
        self._known.load(key, known, now)
        self._bans.load(standings, now)

    async def run(self) -> None:
        """Write what changed, for ever."""
        while True:
            await self._clock.sleep(SAVE_SECONDS)
            now = self._clock.now()
            self._known.forget_hopeless(now)
            self._bans.forget_clean(now)
            await self.save()

    async def save(self) -> None:
        """Write everything that changed; what cannot be written now waits for the next time."""
        try:
            while await self._save_portion():
                pass
        except Unavailable as error:
            log.warning("known nodes and bans are not saved for now: %s", error)

    async def _save_portion(self) -> bool:
        nodes, standings = self._known.take_changes(), self._bans.take_changes()
        if not nodes and not standings:
            return False

        def write(store: Store) -> None:
            store.peers.save_known(nodes.changed, [(target.host, target.port) for target in nodes.gone])
            store.peers.save_standings(standings.changed, standings.gone)

        try:
            await self._database.transact(write)
        except BaseException:  # also when we are cancelled: nothing that is not written may count as written
            self._known.put_back(nodes)
            self._bans.put_back(standings)
            raise
        return True
