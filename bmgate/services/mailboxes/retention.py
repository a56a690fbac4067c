"""Retention: chan posts that their reader does not want to keep any longer are removed, once a day."""

import logging
from functools import partial

from bmgate.domain.chan import ChanId, Membership
from bmgate.domain.mailbox import Flags
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Clock
from bmgate.errors import Unavailable
from bmgate.services.events import MailboxEvents
from bmgate.services.policies import Policies
from bmgate.units import DAY

PORTION = 1_000  # messages removed in one transaction

log = logging.getLogger(__name__)


class Retention:
    """Follows the option `keep` of every membership. `run` lives as long as the gateway."""

    def __init__(self, database: Database, events: MailboxEvents, clock: Clock, policies: Policies) -> None:
        self._database, self._events, self._clock, self._policies = database, events, clock, policies

    async def run(self) -> None:
        """Now and every day, until cancelled."""
        while True:
            try:
                await self.remove_old()
            except Unavailable as error:
                log.warning("old chan posts stay for another day: %s", error)
            await self._clock.sleep(DAY)

    async def remove_old(self) -> int:
        """Remove what is too old in all chans; how many messages."""
        removed = 0
        for chan in await self._database.read(lambda store: store.chans.receiving()):
            for member, before in await self._database.read(partial(self._limits, chan=chan)):
                while expunged := await self._database.transact(partial(_expunge, member=member, before=before)):
                    removed += expunged
                    self._events.changed([member.mailbox])
        return removed

    def _limits(self, store: Store, chan: ChanId) -> list[tuple[Membership, int]]:
        """Who keeps posts for a time, and before when they came that go now."""
        limits: list[tuple[Membership, int]] = []
        for member in store.chans.members(chan):
            keep = self._policies.of(store.account(member.account), membership=member.id).keep
            if keep:
                limits.append((member, self._clock.now() - keep))
        return limits


def _expunge(store: Store, member: Membership, before: int) -> int:
    """How many went; what is flagged stays."""
    mine = store.account(member.account)
    old = [row.uid for row in mine.messages.rows(member.mailbox) if _is_old(row.internaldate, row.flags, before)]
    return len(mine.messages.expunge(member.mailbox, old[:PORTION]))


def _is_old(internaldate: int, flags: Flags, before: int) -> bool:
    return internaldate < before and not flags & Flags.FLAGGED
