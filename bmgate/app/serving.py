"""A gateway that lives: solver, node, workers, doors and the control socket, started in order and ended in reverse."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from bmgate.app.gateway import Gateway
from bmgate.config.sections.doors import ApiSection
from bmgate.control.server import ControlServer
from bmgate.doors import Doors, Listener
from bmgate.errors import CannotListen
from bmgate.metrics.server import MetricsServer

if TYPE_CHECKING:  # imported with its libraries only where it is on
    from bmgate.api.server import ApiServer

log = logging.getLogger(__name__)

STOP_SECONDS = 5.0


async def serve(
    gateway: Gateway,
    control: ControlServer | None,
    metrics: MetricsServer | None,
    ready: Callable[[], None],
    stop: asyncio.Event,
    api: "ApiServer | None" = None,
) -> None:
    """The gateway lives until `stop` is set; `ready` is called once everything listens.

    Stops within five seconds: doors first, so that nobody is promised anything any more.
    """
    _tell_kernels(gateway)
    doors = Doors(
        gateway.config,
        gateway.folder,
        gateway.accounts,
        gateway.mailboxes,
        gateway.maildrops,
        gateway.submissions,
        gateway.spools,
    )
    await gateway.outbox.prepare_accounts()
    await gateway.receiving.load()
    await gateway.identities.show_behavior()
    async with asyncio.TaskGroup() as tasks, AsyncExitStack() as running:
        await gateway.solver.start()
        running.push_async_callback(gateway.solver.close)
        parts = (
            gateway.receiving,
            gateway.sending,
            gateway.pubkeys,
            gateway.onion_peers,
            gateway.held_acks,
            gateway.retention,
            gateway.purging,
        )
        workers = [tasks.create_task(part.run()) for part in parts]
        workers.append(tasks.create_task(gateway.imports.sweep()))
        running.push_async_callback(_cancel, workers)
        try:
            await gateway.node.start(tasks)
        except OSError as error:
            raise CannotListen(f"[node] listen: {error.strerror or error}; is another node running?") from error
        running.push_async_callback(gateway.node.stop)
        running.push_async_callback(doors.close)
        gateway.listeners = (*await doors.open(), *_node_listeners(gateway))
        if api is not None:
            running.push_async_callback(api.close)
            gateway.listeners += await _api_listeners(gateway.config.api, api)
        if metrics is not None:
            running.push_async_callback(metrics.close)
            gateway.listeners += await _metrics_listeners(gateway.config.metrics.listener, metrics)
        names = gateway.hidden.start(tasks, gateway.accept, gateway.named, gateway.node.listening, gateway.listeners)
        running.push_async_callback(_cancel, names)
        if control is not None:
            await control.start(gateway.folder.socket)
            running.push_async_callback(control.close)
        ready()
        await stop.wait()
        log.info("stopping")


def _tell_kernels(gateway: Gateway) -> None:
    if gateway.backend.lacking:
        log.warning("%s; slower than they could be: %s", gateway.kernels, gateway.backend.lacking)
    else:
        log.info("%s", gateway.kernels)


def _node_listeners(gateway: Gateway) -> tuple[Listener, ...]:
    return tuple(Listener("bitmessage", bound.host, bound.port) for bound in gateway.node.listening)


async def _metrics_listeners(place: tuple[str, int] | None, metrics: MetricsServer) -> tuple[Listener, ...]:
    if place is None:
        return ()
    try:
        return (Listener("metrics", place[0], await metrics.start(*place)),)
    except OSError as error:
        raise CannotListen(f"[metrics] listen: {error.strerror or error}") from error


async def _api_listeners(section: ApiSection, api: "ApiServer") -> tuple[Listener, ...]:
    try:
        return (Listener("api", section.listen, await api.start(section.listen, section.port or 0)),)
    except OSError as error:
        raise CannotListen(f"[api] listen: {error.strerror or error}; set another port") from error


async def _cancel(workers: list[asyncio.Task[None]]) -> None:
    for worker in workers:
        worker.cancel()
    if workers:
        await asyncio.wait(workers, timeout=STOP_SECONDS)
