"""A gateway with one account is ready in under two seconds and idles in little memory; commands answer at once.

Ready means that the control socket answers, which it does once everything listens; it is asked every 50 ms. `--help`
is timed in turns with an empty Python program.
"""

import statistics
import subprocess
import sys
import time
from functools import partial

from clients import PASSWORD, USER
from common import (
    Figure,
    Must,
    Options,
    cpu_seconds,
    in_turns,
    median_ratio,
    megabytes,
    read_options,
    report,
    scratch,
    seconds,
)

from bmgate.localnet import GatewayProcess, prepare_folder

OWN_HOST = "127.1.77.1"  # where no local network begins while the gateway is away between two starts
SETTLE_SECONDS = 1.0
EMPTY = "an empty Python program"


def main() -> None:
    options = read_options(__doc__)
    report(options, "Start: until ready, and at rest", measure(options))


def measure(options: Options) -> list[Figure]:
    """The gateway first, then the command line."""
    starts, idle_seconds = options.pick(7, 2, 1), options.pick(20.0, 3.0, 0.2)
    return [*gateway_figures(starts, idle_seconds), *command_figures(options.pick(21, 5, 1))]


def gateway_figures(starts: int, idle_seconds: float) -> list[Figure]:
    """Several starts over one data folder, and a rest after the last."""
    ready = []
    with scratch() as folder:
        own = folder / "gateway"
        prepare_folder(own, OWN_HOST, {}, int(time.time()))
        with GatewayProcess(own) as gateway:
            gateway.start()
            gateway.add_account(USER, PASSWORD)
            for _ in range(starts):
                gateway.stop()
                ready.append(seconds(gateway.start))
            time.sleep(SETTLE_SECONDS)
            before = cpu_seconds(gateway.pid)
            time.sleep(idle_seconds)
            busy = (cpu_seconds(gateway.pid) - before) / idle_seconds
            memory = megabytes(gateway.pid, "VmRSS")
            stopping = seconds(gateway.stop)
    return [
        Figure(f"serve until ready, {starts} starts", statistics.median(ready), "s", Must(2, at_least=False)),
        Figure("resident memory, idle", memory, "MB", Must(120, at_least=False)),
        Figure(f"processor, idle for {idle_seconds:.0f} s", busy * 100, "%", Must(1, at_least=False)),
        Figure("SIGTERM until gone", stopping, "s", Must(5, at_least=False)),
    ]


def command_figures(rounds: int) -> list[Figure]:
    """Median times of whole processes."""
    commands = {
        "empty": ("-c", "pass"),
        "help": ("-m", "bmgate", "--help"),
        "help of a group": ("-m", "bmgate", "account", "--help"),
        "imports of serve": ("-c", "import bmgate.app"),
    }
    times = in_turns({name: partial(seconds, partial(run, *arguments)) for name, arguments in commands.items()}, rounds)
    musts = {"help": Must(0.1, at_least=False), "help of a group": Must(0.1, at_least=False)}
    return [
        Figure(
            name, statistics.median(times[name]), "s", musts.get(name), EMPTY, median_ratio(times[name], times["empty"])
        )
        for name in commands
        if name != "empty"
    ]


def run(*arguments: str) -> None:
    """A Python process, its output thrown away."""
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
