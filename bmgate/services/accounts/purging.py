"""What was deleted long enough ago is taken out for good: addresses with their keys, accounts with all they have."""

import logging
from collections.abc import Callable
from functools import partial

from bmgate.domain.account import AccountId
from bmgate.domain.identity import IdentityId
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Clock
from bmgate.errors import Unavailable

LOOK_SECONDS = 3_600.0

log = logging.getLogger(__name__)


class Purging:
    """`run` lives as long as the gateway. `keep_seconds` is how long what was deleted can be brought back.

    `changed` is called when keys went: an account takes along those of chans in which nobody else takes part.
    """

    def __init__(self, database: Database, clock: Clock, keep_seconds: int, changed: Callable[[], None]) -> None:
        self._database, self._clock, self._keep, self._changed = database, clock, keep_seconds, changed

    async def run(self) -> None:
        """Now and every hour, until cancelled."""
        while True:
            try:
                await self.purge()
            except Unavailable as error:
                log.warning("what was deleted stays a while longer: %s", error)
            await self._clock.sleep(LOOK_SECONDS)

    async def purge(self) -> int:
        """Take out whatever is due; how many addresses and accounts."""
        now = self._clock.now()
        before, purged = now - self._keep, 0
        for identity in await self._database.read(lambda store: store.identities.deleted_before(before)):
            purged += await self._database.transact(partial(_purge_identity, identity=identity))
        accounts = await self._database.read(lambda store: store.accounts.deleted())
        for account, deleted_at in accounts:
            if deleted_at >= before:
                break
            while not await self._database.transact(partial(_purge_account, account=account.id, now=now)):
                pass
            purged += 1
        if purged:
            self._changed()
        return purged


def _purge_identity(store: Store, identity: IdentityId) -> bool:
    return store.identities.purge(identity)


def _purge_account(store: Store, account: AccountId, now: int) -> bool:
    return store.accounts.purge(account, now)
