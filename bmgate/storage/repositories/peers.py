"""Other nodes: where they are, and who misbehaved."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import bindparam, delete, insert, select

from bmgate.domain.peers import KnownPeer, Standing
from bmgate.storage.repositories.scope import GatewayScope
from bmgate.storage.schema import peer as peers
from bmgate.storage.schema import peer_standing as standings

_FORGET_PEER = delete(peers).where(peers.c.host == bindparam("old_host"), peers.c.port == bindparam("old_port"))
_FORGET_STANDING = delete(standings).where(standings.c.source == bindparam("old_source"))


@dataclass(frozen=True, slots=True)
class PeerRepository:
    """Rows as the node keeps them in memory; it writes what changed, and bounds their number."""

    scope: GatewayScope

    def bucket_key(self) -> bytes:
        """32 secret bytes that are always the same in one data folder."""
        return self.scope.vault.tag(b"peer buckets", b"")

    def known(self) -> list[KnownPeer]:
        """All of them."""
        return [KnownPeer(**row) for row in self.scope.connection.execute(select(peers)).mappings()]

    def save_known(self, changed: Collection[KnownPeer], gone: Collection[tuple[str, int]]) -> None:
        """Put these in place of what was known of the same host and port, and forget others."""
        places = {*gone, *((peer.host, peer.port) for peer in changed)}
        self._run(_FORGET_PEER, ({"old_host": host, "old_port": port} for host, port in places))
        self._run(insert(peers), map(asdict, changed))

    def standings(self) -> list[Standing]:
        return [Standing(**row) for row in self.scope.connection.execute(select(standings)).mappings()]

    def save_standings(self, changed: Collection[Standing], gone: Collection[str]) -> None:
        sources = {*gone, *(standing.source for standing in changed)}
        self._run(_FORGET_STANDING, ({"old_source": source} for source in sources))
        self._run(insert(standings), map(asdict, changed))

    def _run(self, statement: Any, rows: Iterable[dict[str, Any]]) -> None:
        given = list(rows)
        if given:
            self.scope.connection.execute(statement, given)
