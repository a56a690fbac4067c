"""What is held against whom: points that fade, a day's refusal when they are too many, and the operator's own bans.

Counted for a source of connections (an IPv4 address, an IPv6 /64, a name), so that a new connection does not wash
anybody clean, nor does a restart: all of it is stored (P6, P7, P10, P16-P18). Refuses nobody itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum

from bmgate.domain.peers import FOR_EVER, Standing
from bmgate.domain.sources import source_group
from bmgate.units import DAY

THRESHOLD = 100
FADE_SECONDS = 360  # one point goes in this time: ten an hour
MAX_SOURCES = 10_000
SAVED_AT_ONCE = 500


class Offence(IntEnum):
    """Points. Ten objects without their work in an hour are too many (P16)."""

    BAD_OBJECT = 1  # expired, of another stream, unreadable (P17, P18)
    FLOOD = 5  # of addresses (P13)
    BAD_WORK = 11
    VIOLATION = 20  # the connection was closed for it
    UNHELPFUL = 34  # a hundred announced objects never came (P10)


@dataclass(frozen=True, slots=True)
class BanChanges:
    """What storage does not know yet."""

    changed: tuple[Standing, ...]
    gone: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.changed or self.gone)


class Bans:
    """The standing of every source that has one; when there are too many, those longest untouched go. `now` is Unix
    seconds.
    """

    def __init__(self) -> None:
        self._standings: dict[str, Standing] = {}
        self._changed: set[str] = set()
        self._gone: set[str] = set()

    def load(self, stored: Iterable[Standing], now: int) -> None:
        """What an earlier run held against whom."""
        for standing in stored:
            if _is_clean(standing, now):
                self._gone.add(standing.source)
            else:
                self._standings[standing.source] = standing

    def charge(self, host: str, offence: Offence, now: int) -> bool:
        """Add to the score; whether the source is refused from now on."""
        source = source_group(host)
        old = self._standings.get(source, Standing(source))
        new = with_points(old, offence, now)
        if new.score < THRESHOLD:
            self._save(new)
            return self.is_refused(host, now)
        self.discourage(host, offence.name.lower().replace("_", " "), now)
        return True

    def discourage(self, host: str, reason: str, now: int) -> None:
        """Refuse the source for a day."""
        source = source_group(host)
        old = self._standings.get(source, Standing(source))
        until = max(old.until, now + DAY) if old.by_operator else now + DAY
        self._save(Standing(source, 0, now, until, reason, old.by_operator))

    def ban(self, host: str, now: int, seconds: int | None = None) -> Standing:
        """By the operator; for ever unless `seconds` are given."""
        until = FOR_EVER if seconds is None else now + seconds
        standing = Standing(source_group(host), 0, now, until, "banned by the operator", by_operator=True)
        self._save(standing)
        return standing

    def unban(self, host: str) -> bool:
        """Forget all that is held against the source; whether there was anything."""
        source = source_group(host)
        if self._standings.pop(source, None) is None:
            return False
        self._forgotten(source)
        return True

    def is_refused(self, host: str, now: int) -> bool:
        """Whether no connection to or from this host is wanted."""
        standing = self._standings.get(source_group(host))
        if standing is None or standing.until <= now:
            return False
        return standing.by_operator or standing.until <= now + DAY  # a clock that went back binds nobody longer

    def is_banned(self, host: str, now: int) -> bool:
        """Whether the operator does not want it."""
        standing = self._standings.get(source_group(host))
        return standing is not None and standing.by_operator and standing.until > now

    def refused(self, now: int) -> list[Standing]:
        """All that are refused, the operator's first."""
        found = [standing for standing in self._standings.values() if standing.until > now]
        return sorted(found, key=lambda each: (not each.by_operator, each.source))

    def forget_clean(self, now: int) -> None:
        """Let go of what has faded."""
        for source in [source for source, standing in self._standings.items() if _is_clean(standing, now)]:
            del self._standings[source]
            self._forgotten(source)

    def take_changes(self) -> BanChanges:
        """A portion of what is to be stored; `put_back` it when that fails."""
        changed = [self._changed.pop() for _ in range(min(SAVED_AT_ONCE, len(self._changed)))]
        gone = [self._gone.pop() for _ in range(min(SAVED_AT_ONCE, len(self._gone)))]
        return BanChanges(tuple(self._standings[source] for source in changed), tuple(gone))

    def put_back(self, changes: BanChanges) -> None:
        self._changed.update(each.source for each in changes.changed if each.source in self._standings)
        self._gone.update(source for source in changes.gone if source not in self._standings)

    def _save(self, standing: Standing) -> None:
        self._standings.pop(standing.source, None)
        self._standings[standing.source] = standing
        self._changed.add(standing.source)
        self._gone.discard(standing.source)
        if len(self._standings) > MAX_SOURCES:
            oldest = next((each for each in self._standings.values() if not each.by_operator), None)
            if oldest is not None:
                del self._standings[oldest.source]
                self._forgotten(oldest.source)

    def _forgotten(self, source: str) -> None:
        self._changed.discard(source)
        self._gone.add(source)


def with_points(standing: Standing, offence: Offence, now: int) -> Standing:
    """One offence more on what has not faded yet."""
    return replace(standing, score=_score(standing, now) + offence, scored_at=now)


def _score(standing: Standing, now: int) -> int:
    """What has not faded yet."""
    return max(0, standing.score - max(0, now - standing.scored_at) // FADE_SECONDS)


def _is_clean(standing: Standing, now: int) -> bool:
    return standing.until <= now and _score(standing, now) == 0
