"""Every class of error a door may meet, and one of each."""

from collections.abc import Iterator

from bmgate.errors import Ambiguous, BadAddress, BatchRefused, GatewayError
from bmgate.services.outbound.senders import OneOffWanted


def tree(root: type[GatewayError], foreign: tuple[str, ...] = ()) -> Iterator[type[GatewayError]]:
    """`root` and what comes from it, without the own words of other doors: the packages `foreign`."""
    yield root
    for child in root.__subclasses__():
        if not child.__module__.startswith(foreign):
            yield from tree(child, foreign)


def made(cls: type[GatewayError]) -> GatewayError:
    """One of this class, with a text."""
    if issubclass(cls, BadAddress):
        return cls("checksumfailed", "text")
    if issubclass(cls, Ambiguous):
        return cls("text", ("a", "b"))
    if issubclass(cls, BatchRefused):
        return cls("text", ((1, "text"),))
    if issubclass(cls, OneOffWanted):
        return cls()
    return cls("text")
