"""What a table of methods is made of, for every family of them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bmgate.domain.account import Account
from bmgate.errors import Missing, ProtocolError

REQUIRED = object()


class FindAccount(Protocol):
    """The account of a name; with no name the only one there is. `how` says how people give one."""

    def __call__(self, name: str, how: str = "--account") -> Awaitable[Account]: ...


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of a method. Without a default it must be given."""

    name: str
    kind: type[str] | type[int] | type[bool] | type[list[Any]]
    default: object = REQUIRED


@dataclass(frozen=True, slots=True)
class Method:
    """What answers a call, and the parameters it takes as keyword arguments; `tells` progress, which it is given
    first.
    """

    answer: Callable[..., Awaitable[Any]]
    params: tuple[Param, ...] = ()
    tells: bool = False


ACCOUNT = Param("account", str, "")
IF_MISSING = Param("if_missing", bool, False)
IF_PRESENT = Param("if_present", bool, False)


async def ended(ending: Awaitable[dict[str, Any]], if_present: bool) -> dict[str, Any]:
    """What was ended; with `if_present` also whether it was there: it was `removed`, or was `gone` before."""
    if not if_present:
        return await ending
    try:
        return {**await ending, "is": "removed"}
    except Missing:
        return {"is": "gone"}


def checked(method: str, expected: tuple[Param, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters of a method with their values; raises ProtocolError."""
    names = [param.name for param in expected]
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise ProtocolError(f"{method} takes no {unknown[0]}; it takes {', '.join(names) or 'nothing'}")
    return {param.name: _value(method, param, given) for param in expected}


def _value(method: str, param: Param, given: Mapping[str, Any]) -> object:
    value = given.get(param.name, param.default)
    if value is REQUIRED:
        raise ProtocolError(f"{method} needs {param.name}")
    if type(value) is not param.kind:  # True is an int, but no version
        raise ProtocolError(f"{method}: {param.name} is a {type(value).__name__}, hoped for {param.kind.__name__}")
    return value
