"""Whoever asked for a change may go away while it is committed: what follows from it is done all the same (C1)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from gateway_folders import PASSWORD

from bmgate.app import Gateway
from bmgate.cli.composition import methods_of
from bmgate.control.protocol import untold
from bmgate.domain.ports.database import Store
from bmgate.errors import LoginFailed
from bmgate.services.finishing import finished
from bmgate.services.status import LoopLag

Break = Callable[[str, dict[str, Any]], Awaitable[None]]


@pytest.fixture
def break_off(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Break:
    """Calls a method and goes away when its change is on disk, before anybody in the loop knows of it."""
    methods, transact = methods_of(gateway, LoopLag(gateway.clock), serving=False), gateway.database.transact

    async def call(method: str, params: dict[str, Any]) -> None:
        committed, gone = asyncio.Event(), asyncio.Event()

        async def slowly(work: Callable[[Store], Any]) -> Any:
            result = await transact(work)
            committed.set()
            await gone.wait()
            return result

        monkeypatch.setattr(gateway.database, "transact", slowly)
        calling = asyncio.ensure_future(methods.call(method, params, untold))
        await committed.wait()
        calling.cancel()
        gone.set()
        with pytest.raises(asyncio.CancelledError):
            await calling
        monkeypatch.setattr(gateway.database, "transact", transact)

    return call


@pytest.mark.parametrize(
    ("method", "params", "whose"),
    [
        ("address.new", {}, "identities"),
        ("address.new_all", {"entries": [{"line": 1, "label": "shop"}]}, "identities"),
        ("chan.join", {"passphrase": "general"}, "chans"),
        ("chan.join_all", {"entries": [{"line": 1, "passphrase": "general"}]}, "chans"),
        ("subscription.add", {"address": "BM-2cUsSYDv4n7b5H7qC2V21jQdLLqmYAZ8LR"}, "subscriptions"),
    ],
)
async def test_new_keys_are_looked_at_though_nobody_waits_for_them(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, break_off: Break, method: str, params: dict[str, Any], whose: str
) -> None:
    await methods_of(gateway, LoopLag(gateway.clock), serving=False).call(
        "account.add", {"name": "anna", "password": PASSWORD, "address": True}, untold
    )
    changes: list[str] = []
    monkeypatch.setattr(getattr(gateway, whose), "changed", lambda: changes.append(method))
    await break_off(method, params)
    assert changes == [method]


async def test_the_old_password_is_forgotten_though_nobody_waits_for_it(gateway: Gateway, break_off: Break) -> None:
    await methods_of(gateway, LoopLag(gateway.clock), serving=False).call(
        "account.add", {"name": "anna", "password": PASSWORD, "address": False}, untold
    )
    await gateway.accounts.login("anna", PASSWORD, "127.0.0.1")
    await break_off("account.passwd", {"name": "anna", "password": "another one, long"})
    with pytest.raises(LoginFailed):
        await gateway.accounts.login("anna", PASSWORD, "127.0.0.1")


async def test_what_fails_fails_for_the_caller_who_is_there() -> None:
    async def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await finished(fail())


async def test_a_caller_who_went_away_is_cancelled_when_the_work_has_ended() -> None:
    steps: list[str] = []
    begun, go = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await go.wait()
        steps.append("done")

    caller = asyncio.ensure_future(finished(work()))
    await begun.wait()
    caller.cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert steps == ["done"]
