"""A method of the API, and the table that families of methods fill."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from bmgate.api.faults import Code, Fault
from bmgate.api.values import Wire, shortened
from bmgate.domain.account import AccountId
from bmgate.services.finishing import finished


@dataclass(frozen=True, slots=True)
class Method:
    """`answer` takes the account, and then `least` to `most` parameters as they came; `help` is told to who asks."""

    answer: Callable[..., Awaitable[Wire]]
    least: int
    most: int
    help: str
    searches: bool = False
    """Whether it takes its time, and may be broken off."""

    async def call(self, name: str, account: AccountId, params: tuple[Wire, ...]) -> Wire:
        """Raises Fault for a wrong number of parameters, and what the services raise."""
        if len(params) > self.most:
            raise Fault(
                f"Command {name} takes at most {self.most} parameters ({len(params)} given)", Code.PARAMETER_COUNT
            )
        if len(params) < self.least:
            raise Fault(
                f"Command {name} takes at least {self.least} parameters ({len(params)} given)", Code.PARAMETER_COUNT
            )
        answering = self.answer(account, *params)
        return await (answering if self.searches else finished(answering))


Table: TypeAlias = Mapping[str, Method]


class Methods:
    """All methods there are, by every name they have."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._methods: dict[str, Method] = {
            "system.listMethods": Method(self._list, 0, 0, "the names of all methods"),
            "system.methodHelp": Method(self._help, 1, 1, "what a method takes and does: name"),
            "system.methodSignature": Method(self._signature, 1, 1, "not told"),
        }
        for table in tables:
            self._methods.update(table)

    @property
    def names(self) -> tuple[str, ...]:
        """In alphabetical order."""
        return tuple(sorted(self._methods))

    async def call(self, account: AccountId, name: str, params: tuple[Wire, ...]) -> Wire:
        """The result of a call for this account; raises Fault, and what the services raise."""
        method = self._methods.get(name)
        if method is None:
            raise Fault(f"Invalid method: {shortened(name)}", Code.NO_METHOD)
        return await method.call(name, account, params)

    async def _list(self, _account: AccountId) -> Wire:
        return list(self.names)

    async def _help(self, _account: AccountId, name: Wire) -> Wire:
        found = self._methods.get(name) if isinstance(name, str) else None
        return "" if found is None else found.help

    async def _signature(self, _account: AccountId, _name: Wire) -> Wire:
        return "signatures not supported"
