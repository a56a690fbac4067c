"""Opening a gateway over a data folder, and ending one."""

import asyncio
import logging
import os
import signal
from contextlib import ExitStack

from bmgate.app.gateway import Gateway
from bmgate.bm.node.node import Trace, not_traced
from bmgate.config import Config
from bmgate.datafolder import DataFolder
from bmgate.domain.ports.database import Failpoints
from bmgate.errors import ConfigError
from bmgate.storage.database import open_database
from bmgate.storage.failpoints import NoFailpoints, read_failpoint
from bmgate.storage.masterkey import read_master_key
from bmgate.storage.vault import Vault

log = logging.getLogger(__name__)


def open_gateway(folder: DataFolder, config: Config, purpose: str, trace: Trace = not_traced) -> Gateway:
    """The services over `folder`, which is locked for `purpose` until `close`. Blocks; needs a running loop.

    Raises ConfigError, and FolderHeld (Unavailable) when another process works there.
    """
    folder.check()
    with ExitStack() as resources:
        resources.enter_context(folder.locked(purpose))
        folder.check_sealed()
        vault = Vault(read_master_key(folder.master_key), os.urandom)
        failpoints = _failpoints(config)
        database = open_database(folder.database, vault, config.node.network, failpoints, _storage_failed, create=False)
        gateway = Gateway(folder, config, database, vault, failpoints, trace)
        gateway.hold(resources.pop_all())
    return gateway


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGTERM and Ctrl-C set `stop`; one is enough."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


def _failpoints(config: Config) -> Failpoints:
    text = os.environ.get("BMGATE_FAILPOINT", "")
    if not text:
        return NoFailpoints()
    if config.node.network == "main":
        raise ConfigError("BMGATE_FAILPOINT is set: failpoints are refused on the main network")
    return read_failpoint(text)


def _storage_failed(failure: Exception) -> None:
    """Fail-stop: what the disk did not take was not promised, and a clean start looks at what is there (D2)."""
    log.critical("%s; the gateway ends here, start it again when the disk is well", failure)
    os._exit(1)
