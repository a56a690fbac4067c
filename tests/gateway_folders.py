"""Data folders of the test network, ready for a gateway: keys and certificate take a second to make, a copy nothing."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

from bmgate.cli.options import Place
from bmgate.datafolder import DataFolder
from bmgate.localnet import prepare_folder

Run = Callable[..., Result]
"""`bmgate` with these arguments, and `stdin` by name."""

HOST = "127.0.0.1"
CHANGES = {("node", "listen"): f"{HOST}:0", ("security", "argon2"): "low_memory"}
PASSWORD = "correct horse battery"


def make_template(folder: Path) -> Path:
    """A data folder to make copies of, with every port a free one."""
    prepare_folder(folder, HOST, CHANGES, int(time.time()))
    return folder


def copy_template(template: Path, folder: Path) -> Place:
    """The copy, at a place that is not there yet."""
    shutil.copytree(template, folder)
    data = DataFolder(folder)
    return Place(data, data.config)
