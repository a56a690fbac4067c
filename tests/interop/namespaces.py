"""Tests that run once more where there is nothing but loopback: no route, no DNS, every address and port free."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 600


def is_cut_off() -> bool:
    """Whether this process is in such a place."""
    return [name for _, name in socket.if_nameindex()] == ["lo"]


def passes_when_cut_off(tests: Path) -> None:
    """Run the one test of `tests` with `inside` in its name in a network namespace; skips where none can be made."""
    again = f"{sys.executable} -m pytest -q -p no:cacheprovider --nightly {tests} -k inside"
    run = subprocess.run(
        ["unshare", "-n", "sh", "-c", f"ip link set lo up && {again}"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if "Operation not permitted" in run.stderr:
        pytest.skip("no network namespace can be made here")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout
