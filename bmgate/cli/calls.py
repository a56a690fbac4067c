"""How a command reaches the methods: through the socket of the running gateway, else in this process under the lock."""

from typing import Any

from bmgate.cli.options import Place, check_text, place
from bmgate.control.client import ControlClient
from bmgate.control.protocol import Progress
from bmgate.errors import Unavailable


def call(method: str, **params: Any) -> Any:
    """The result of `method` of the gateway that the command line names."""
    return call_telling(method, lambda _: None, **params)


def call_telling(method: str, progress: Progress, **params: Any) -> Any:
    """The same, with what is told on the way."""
    _check_texts(params)
    where = place()
    try:
        client = ControlClient(where.folder.socket)
    except Unavailable:
        where.folder.check()  # not before: root may speak to a gateway whose folder is another user's (E7)
        import asyncio

        return asyncio.run(_call_here(where, method, params, progress))
    with client:
        return client.call(method, params, progress)


def follow(method: str, progress: Progress, **params: Any) -> Any:
    """The same of a method that only a running gateway has; raises Unavailable without one."""
    _check_texts(params)
    where = place()
    try:
        client = ControlClient(where.folder.socket)
    except Unavailable as error:
        where.folder.check()
        raise Unavailable(f"{error}; start it: bmgate serve") from error
    with client:
        return client.call(method, params, progress)


def _check_texts(params: dict[str, Any]) -> None:
    """Raises BadText for what no line of the protocol can carry."""
    for name, value in params.items():
        if isinstance(value, str):
            check_text(name, value)


async def _call_here(where: Place, method: str, params: dict[str, Any], progress: Progress) -> Any:
    from bmgate.app import open_gateway
    from bmgate.cli.composition import methods_of
    from bmgate.services.status import LoopLag

    async def tell(value: Any) -> None:
        progress(value)

    gateway = open_gateway(where.folder, where.config(), f"bmgate {method.replace('.', ' ')}")
    try:
        return await methods_of(gateway, LoopLag(gateway.clock), serving=False).call(method, params, tell)
    finally:
        await gateway.close()
