"""Other nodes on disk: round trips on both databases."""

from dataclasses import replace

from bmgate.domain.peers import KnownPeer, Standing
from bmgate.domain.ports.database import Store
from bmgate.storage.database import SealedDatabase

ONE = KnownPeer("1.2.3.4", 8444, "5.6.0.0/16", True, 10, 1, 2, 3, 4, True)
OTHER = KnownPeer("2a00:1450::1", 8444, "5.6.0.0/16")


async def test_known_nodes_are_kept_by_host_and_port(database: SealedDatabase) -> None:
    await database.transact(lambda store: store.peers.save_known([ONE, OTHER], []))
    changed, neighbour = replace(ONE, rating=-10), replace(ONE, port=8445)

    def work(store: Store) -> None:
        assert {peer.host: peer for peer in store.peers.known()} == {ONE.host: ONE, OTHER.host: OTHER}
        store.peers.save_known([changed, neighbour], [(OTHER.host, OTHER.port), ("9.9.9.9", 1)])
        assert set(store.peers.known()) == {changed, neighbour}
        store.peers.save_known([], [])

    await database.transact(work)
    assert set(await database.read(lambda store: store.peers.known())) == {changed, neighbour}


async def test_standings_are_kept_by_source(database: SealedDatabase) -> None:
    first = Standing("1.2.3.4", 30, 5, 0, "", False)
    second = Standing("2a00:1450::/64", 0, 0, 1 << 62, "banned", True)
    await database.transact(lambda store: store.peers.save_standings([first, second], []))
    await database.transact(lambda store: store.peers.save_standings([replace(first, score=40)], [second.source]))
    assert await database.read(lambda store: store.peers.standings()) == [replace(first, score=40)]


async def test_the_key_of_the_buckets_belongs_to_the_data_folder(database: SealedDatabase) -> None:
    key = await database.read(lambda store: store.peers.bucket_key())
    assert len(key) == 32
    assert key == await database.read(lambda store: store.peers.bucket_key())
