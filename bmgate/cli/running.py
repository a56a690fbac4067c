"""A gateway in the foreground of this process, until SIGTERM or Ctrl-C."""

import asyncio
import gc
import importlib.util
import os
import sys
from collections.abc import Awaitable, Callable

import click
import sdnotify

from bmgate import __version__
from bmgate.app import Gateway, open_gateway, serve, stop_on_signals
from bmgate.bm.node.node import Trace, not_traced
from bmgate.cli.composition import api_of, methods_of, metrics_of
from bmgate.cli.logs import set_up_logs
from bmgate.cli.output import host_port
from bmgate.config import Config
from bmgate.control.server import ControlServer
from bmgate.datafolder import DataFolder
from bmgate.errors import ConfigError
from bmgate.services.status import LoopLag

Preparation = Callable[[Gateway], Awaitable[bool]]

SWITCH_SECONDS = 0.001  # that a thread keeps the GIL while others want it: at Python's 5 ms the loop waits too long


def run_gateway(folder: DataFolder, config: Config, prepare: Preparation, trace: Trace = not_traced) -> None:
    """Open the gateway, let `prepare` look at it, and where that says so, serve. Returns when told to stop."""
    check_user(config, os.geteuid())
    sys.setswitchinterval(SWITCH_SECONDS)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_run(folder, config, prepare, trace))


async def _run(folder: DataFolder, config: Config, prepare: Preparation, trace: Trace) -> None:
    gateway = open_gateway(folder, config, "bmgate serve", trace)
    try:
        if await prepare(gateway):
            await _serve(gateway)
    finally:
        await gateway.close()


async def _serve(gateway: Gateway) -> None:
    section = gateway.config.log
    set_up_logs(section.level, section.format, section.file)
    stop = asyncio.Event()
    stop_on_signals(stop)
    lag = LoopLag(gateway.clock)
    watching = asyncio.create_task(lag.watch())
    control = ControlServer(methods_of(gateway, lag, serving=True).call, __version__)
    metrics = metrics_of(gateway, lag)
    try:
        await serve(gateway, control, metrics, lambda: _tell_ready(gateway), stop, api_of(gateway))
    finally:
        watching.cancel()
        sdnotify.SystemdNotifier().notify("STOPPING=1")


def _tell_ready(gateway: Gateway) -> None:
    gc.collect()
    gc.freeze()  # what is there now stays; looking through it again held the loop for 75 ms each time
    click.echo(f"bmgate {__version__} runs; stop it with Ctrl-C.")
    for listener in gateway.listeners:
        click.echo(f"  {listener.name:<13} {host_port(listener.host, listener.port)}")
    sdnotify.SystemdNotifier().notify("READY=1")


def check_user(config: Config, user_id: int) -> None:
    """E9: root runs a gateway at home only, and is warned; raises ConfigError."""
    if user_id != 0:
        return
    if config.gateway.user:
        raise ConfigError(f"[gateway] user = {config.gateway.user}: start bmgate as that user, not as root")
    if config.gateway.profile == "service":
        raise ConfigError("[gateway] profile = service does not run as root; start bmgate as a user of its own")
    click.echo("bmgate: warning: running as root; a user of its own is safer", err=True)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The faster loop, where the extra `fast` is installed."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop

    return uvloop.new_event_loop
