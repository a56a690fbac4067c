"""Houses for the tests of the API."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from api.house import HOST, House, MakeHouse
from gateway_folders import PASSWORD, copy_template, make_template

from bmgate.api.formats import Variant
from bmgate.api.server import ApiServer
from bmgate.app import open_gateway
from bmgate.cli.api import services_of
from bmgate.domain.ports.world import Clock
from bmgate.services.identities import AddressRequest


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_template(tmp_path_factory.mktemp("template") / "data")


@pytest.fixture
async def make_house(template: Path, tmp_path: Path) -> AsyncIterator[MakeHouse]:
    """Opens houses, with the variant and the clock that are wished for."""
    houses: list[House] = []

    async def make(variant: Variant = "legacy", clock: Clock | None = None, connections: int = 20) -> House:
        place = copy_template(template, tmp_path / f"data{len(houses)}")
        gateway = open_gateway(place.folder, place.config(), "a test")
        account = await gateway.accounts.add("anna", PASSWORD)
        identity = await gateway.identities.new(account.id, AddressRequest(label="Anna"))
        services = services_of(gateway, lambda: None)
        server = ApiServer(gateway.accounts, services, variant, connections, clock or gateway.clock)
        port = await server.start(HOST, 0)
        houses.append(House(gateway, account, str(identity.address), server, port))
        return houses[-1]

    yield make
    for house in houses:
        await house.server.close()
        await house.gateway.close()


@pytest.fixture
async def house(make_house: MakeHouse) -> House:
    return await make_house()
