"""What a mail to one recipient will cost before it is accepted, and the words for one that costs too much (3.6)."""

from dataclasses import dataclass

from bmgate.bm.network import NetworkParameters
from bmgate.domain.outbox import Kind
from bmgate.errors import TooLarge
from bmgate.mail.causes import duration_words
from bmgate.mail.size import MAX_TEXT
from bmgate.mail.text import size_in_words
from bmgate.mail.wishes import HOUR, MIN_TTL
from bmgate.services.objects.keys import Demand
from bmgate.services.objects.pricing import Pricing
from bmgate.units import DAY

_LEAST_TEXT = 14  # bytes of an empty message


@dataclass(frozen=True, slots=True)
class Estimate:
    """The msg for one recipient and the ack inside it; `size` is that of the message bytes.

    Mail to the account's own addresses is free: it needs no object (M9).
    """

    size: int
    ttl_seconds: int
    ack_data: bytes
    demand: Demand
    is_free: bool = False
    kind: Kind = Kind.MSG


@dataclass(frozen=True, slots=True)
class Estimates:
    """Expectations on this machine: `rate` in trials per second, `max_seconds` what one recipient may cost."""

    network: NetworkParameters
    rate: float
    max_seconds: int

    def seconds(self, of: Estimate) -> float:
        """Expected work for both objects."""
        return 0.0 if of.is_free else self._seconds(of, of.size, of.ttl_seconds)

    def check(self, of: Estimate) -> None:
        """Raise TooLarge where it would take longer than allowed, with what would not."""
        seconds = self.seconds(of)
        if seconds <= self.max_seconds:
            return
        times = of.demand.times_minimum(self.network)
        demanding = f" (the recipient demands {times:.3g} times the usual work)" if times > 1 else ""
        options = [*self._smaller(of), *self._shorter(of)]
        hint = f"within the limit are {', or '.join(options)}" if options else "no text is short enough"
        raise TooLarge(f"would take about {duration_words(round(seconds))}{demanding}; {hint}")

    def _smaller(self, of: Estimate) -> list[str]:
        """The largest text for the same TTL."""
        fits, too_large = _LEAST_TEXT, min(of.size, MAX_TEXT)
        if self._seconds(of, fits, of.ttl_seconds) > self.max_seconds:
            return []
        while too_large - fits > 1:
            middle = (fits + too_large) // 2
            if self._seconds(of, middle, of.ttl_seconds) <= self.max_seconds:
                fits = middle
            else:
                too_large = middle
        return [f"{size_in_words(fits)} at this TTL"]

    def _shorter(self, of: Estimate) -> list[str]:
        """The longest TTL, in whole days or hours, for the same text."""
        days = range(of.ttl_seconds // DAY * DAY, 0, -DAY)
        hours = range(min(DAY, of.ttl_seconds) // HOUR * HOUR, MIN_TTL - 1, -HOUR)
        for ttl in (*days, *hours):
            if ttl < of.ttl_seconds and self._seconds(of, of.size, ttl) <= self.max_seconds:
                return [f"a TTL of {ttl // DAY} d" if ttl % DAY == 0 else f"a TTL of {ttl // HOUR} h"]
        return []

    def _seconds(self, of: Estimate, size: int, ttl_seconds: int) -> float:
        return Pricing(self.network).before(size, of.ack_data, ttl_seconds, of.demand, of.kind).trials / self.rate
