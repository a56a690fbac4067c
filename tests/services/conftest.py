"""Stations for the tests of the services: real databases, a clock that stands still, no network."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes import FakeClock, FakeSolver, WatchedThreads
from stations import MakeStation, Settings, Station
from storage_fixtures import NOW


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> WatchedThreads:
    watched = WatchedThreads()
    monkeypatch.setattr(asyncio, "to_thread", watched.to_thread)
    return watched


@pytest.fixture
async def make_station(tmp_path: Path, clock: FakeClock, threads: WatchedThreads) -> AsyncIterator[MakeStation]:
    """Makes started stations, and closes them after the test."""
    stations: list[Station] = []

    async def make(settings: Settings | None = None, solver: FakeSolver | None = None) -> Station:
        folder = tmp_path / f"station{len(stations)}"
        folder.mkdir()
        stations.append(Station(folder, clock, threads, settings, solver))
        return await stations[-1].start()

    yield make
    for station in stations:
        await station.close()


@pytest.fixture
async def station(make_station: MakeStation) -> Station:
    return await make_station()
