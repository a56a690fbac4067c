"""With whom the node is connected: counts for everybody, names for the operator."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
from api.house import House
from gateway_folders import PASSWORD

from bmgate.api.node_methods import NodeMethods
from bmgate.cli.api import services_of
from bmgate.domain.account import AccountId
from bmgate.services.status import NodeView


@dataclass(frozen=True, slots=True)
class Peer:
    inbound: bool
    host: str
    established: bool = True
    port: int = 8444
    user_agent: str = "/other:1/"


class Node:
    def peers(self) -> list[Peer]:
        return [Peer(True, "192.0.2.1"), Peer(False, "198.51.100.2"), Peer(False, "198.51.100.3", established=False)]


NAMELESS = {"host": "", "port": 0, "fullyEstablished": True, "userAgent": ""}


def connections_for(house: House, operator: str) -> Callable[[AccountId], Any]:
    async def is_operator(account: AccountId) -> bool:
        return await house.gateway.accounts.is_called(account, operator)

    services = services_of(house.gateway, lambda: cast(NodeView, Node()))
    return NodeMethods(replace(services, is_operator=is_operator)).table()["listConnections"].answer


@pytest.mark.parametrize("operator", ["Anna", " anna ", "desk"])
async def test_the_operator_is_told_with_whom(house: House, operator: str) -> None:
    await house.gateway.identities.add_alias(house.account.id, "desk", house.address)
    told = await connections_for(house, operator)(house.account.id)
    assert told["inbound"] == [{"host": "192.0.2.1", "port": 8444, "fullyEstablished": True, "userAgent": "/other:1/"}]
    assert [each["host"] for each in told["outbound"]] == ["198.51.100.2", "198.51.100.3"]


@pytest.mark.parametrize("operator", ["", "bob", "nobody"])
async def test_others_are_told_how_many(house: House, operator: str) -> None:
    await house.gateway.accounts.add("bob", PASSWORD)
    told = await connections_for(house, operator)(house.account.id)
    assert told == {"inbound": [NAMELESS], "outbound": [NAMELESS, NAMELESS | {"fullyEstablished": False}]}
