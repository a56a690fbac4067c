"""One limiter of failed logins for all doors (T7, I9).

Per source (IPv4 /32, IPv6 /64) ten failures a minute and fifty a day, three times that for its /24 or /48; the reply
to a failure is delayed a little longer each time. Loopback is delayed at most 2 s and never banned; over our onion
service failures are counted by the name that is tried, which is delayed at most 15 s and never locked (E10).
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from bmgate.domain.ports.world import Clock
from bmgate.domain.sources import is_banned_for_failures
from bmgate.errors import LimitReached
from bmgate.units import DAY

DELAYS = (0.0, 0.0, 1.0, 2.0, 4.0, 8.0, 15.0)
LOOPBACK_DELAY = 2.0
AGGREGATE = 3
MAX_SOURCES = 10_000


@dataclass(frozen=True, slots=True)
class LoginLimits:
    """Failures that one source may give; its network may give three times as many."""

    per_minute: int = 10
    per_day: int = 50


@dataclass(slots=True)
class _Record:
    """Failures of one source: times on the monotonic clock, and fingerprints of the wrong passwords."""

    times: deque[float] = field(default_factory=deque)
    guesses: set[bytes] = field(default_factory=set)


class LoginLimiter:
    """Counts failures by source; remembers the 10,000 most recent sources."""

    def __init__(self, clock: Clock, limits: LoginLimits) -> None:
        self._clock, self._limits = clock, limits
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def check(self, source: str) -> None:
        """Raises LimitReached while `source` (an IP address) has failed too often."""
        if not is_banned_for_failures(source):
            return
        now = self._clock.monotonic()
        for key, factor in _keys(source):
            times = self._record(key).times
            while times and times[0] < now - DAY:
                times.popleft()
            recent = sum(1 for moment in times if moment > now - 60)
            if recent >= self._limits.per_minute * factor or len(times) >= self._limits.per_day * factor:
                raise LimitReached("too many failed logins from here; wait a minute")

    def failed(self, source: str, guess: bytes) -> float:
        """Record a failure and return the seconds to wait before it is answered; the same guess counts once."""
        now = self._clock.monotonic()
        delay = 0.0
        for key, factor in _keys(source):
            record = self._record(key)
            if guess not in record.guesses:
                record.times.append(now)
                if len(record.guesses) >= self._limits.per_day * AGGREGATE:
                    record.guesses.clear()
                record.guesses.add(guess)
            if factor == 1:
                delay = DELAYS[min(max(len(record.times), 1), len(DELAYS)) - 1]
        return min(delay, LOOPBACK_DELAY) if _is_loopback(source) else delay

    def succeeded(self, source: str) -> None:
        """A right password forgives what came before it."""
        for key, _ in _keys(source):
            self._records.pop(key, None)

    def _record(self, key: str) -> _Record:
        record = self._records.setdefault(key, _Record())
        self._records.move_to_end(key)
        if len(self._records) > MAX_SOURCES:
            self._records.popitem(last=False)
        return record


def _address(source: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(source)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _is_loopback(source: str) -> bool:
    address = _address(source)
    return address is not None and address.is_loopback


def _keys(source: str) -> tuple[tuple[str, int], ...]:
    address = _address(source)
    if address is None:
        return ((source, 1),)
    own, around = (32, 24) if address.version == 4 else (64, 48)
    return (
        (str(ip_network(f"{address}/{own}", strict=False)), 1),
        (str(ip_network(f"{address}/{around}", strict=False)), AGGREGATE),
    )
