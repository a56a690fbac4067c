"""A gateway opened for commands, without listeners and without a network."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gateway_folders import copy_template, make_template

from bmgate.app import Gateway, open_gateway


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_template(tmp_path_factory.mktemp("template") / "data")


@pytest.fixture
async def gateway(template: Path, tmp_path: Path) -> AsyncIterator[Gateway]:
    place = copy_template(template, tmp_path / "data")
    gateway = open_gateway(place.folder, place.config(), "a test")
    yield gateway
    await gateway.close()
