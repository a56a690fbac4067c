"""The OpenCL engine: on the processor through PoCL where that is installed, and its stand-in everywhere."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bmgate.errors import Unavailable
from bmgate.native import NONCE_END, choose_backend, hashlib_search
from bmgate.pow import opencl
from bmgate.pow.local import LocalEngine, Trials
from bmgate.pow.opencl import Device, OpenclEngine

HASH = bytes(range(64))
EASY = (1 << 64) // 300
RARE = (1 << 64) // 5000


def stand_in(lanes: int = 2) -> LocalEngine:
    return LocalEngine(choose_backend(), lanes, nice=0)


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Device:
    """A processor as OpenCL device, by PoCL (Debian: pocl-opencl-icd)."""
    pyopencl = pytest.importorskip("pyopencl", reason="pyopencl is not installed", exc_type=ImportError)
    try:
        found = [device for platform in pyopencl.get_platforms() for device in platform.get_devices()]
    except pyopencl.Error as error:
        pytest.skip(f"no OpenCL platform: {error}")
    processors = [each.name for each in found if each.type & pyopencl.device_type.CPU]
    if not processors:
        pytest.skip("no OpenCL device that is a processor; Debian has one in pocl-opencl-icd")
    return Device(processors[0])


@pytest.fixture
async def engine(device: Device) -> AsyncIterator[OpenclEngine]:
    engine = OpenclEngine(device.name, stand_in())
    assert await engine.start() > 0
    yield engine
    await engine.close()


def test_a_device_finds_the_same_nonces_as_hashlib(device: Device) -> None:
    start = 0
    for _ in range(20):
        expected = hashlib_search(HASH, EASY, start, 100_000, bytearray(1))
        assert device.search(HASH, EASY, start, 100_000, bytearray(1)) == expected
        start = expected[1]


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 63, 64, 65, 511, 513])
def test_a_device_stays_within_its_range(device: Device, count: int) -> None:
    nonce, _ = hashlib_search(HASH, RARE, 0, 100_000, bytearray(1))
    assert nonce is not None
    assert nonce > count, "nothing hits before it"
    assert device.search(HASH, RARE, nonce - count, count, bytearray(1)) == (None, nonce)
    assert device.search(HASH, RARE, nonce - count + 1, count, bytearray(1)) == (nonce, nonce + 1)


def test_a_device_ends_where_nonces_do(device: Device) -> None:
    assert device.search(HASH, 0, NONCE_END - 5, 100, bytearray(1)) == (None, NONCE_END)
    assert device.search(HASH, NONCE_END - 1, NONCE_END - 5, 100, bytearray(1))[0] == NONCE_END - 5


def test_a_device_heeds_the_stop_flag(device: Device) -> None:
    assert device.search(HASH, 0, 7, 1 << 60, bytearray([1])) == (None, 7)


async def test_the_engine_has_one_lane_that_stops_when_told(engine: OpenclEngine) -> None:
    assert engine.lanes == 1
    nonce, next_untried = hashlib_search(HASH, EASY, 5, 10_000, bytearray(1))
    trials = await engine.search(0, HASH, EASY, 5, 10_000)
    assert (trials.nonce, trials.next_untried) == (nonce, next_untried)
    endless = asyncio.ensure_future(engine.search(0, HASH, 0, 0, 1 << 60))
    await asyncio.sleep(0)
    engine.stop(0)
    assert (await endless).nonce is None


async def test_a_device_that_breaks_is_replaced_loudly(
    engine: OpenclEngine, device: Device, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: object) -> None:
        raise Unavailable("OpenCL: out of resources")

    monkeypatch.setattr(Device, "search", breaks)
    expected = hashlib_search(HASH, EASY, 0, 100_000, bytearray(1))
    for _ in range(2):
        trials = await engine.search(0, HASH, EASY, 0, 100_000)
        assert (trials.nonce, trials.next_untried) == expected
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.mark.parametrize("wanted", ["auto", "no such device"])
async def test_without_a_device_the_processors_work_and_a_warning_says_why(
    wanted: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opencl, "_choose", lambda _cl, _wanted: missing())
    await check_stand_in(wanted)
    assert "proof of work is done without it" in caplog.records[-1].getMessage()


async def test_a_driver_that_never_answers_holds_nothing_up(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def hang(_wanted: str) -> None:
        release.wait()
        raise Unavailable("too late")

    monkeypatch.setattr(opencl, "START_SECONDS", 0.0)
    monkeypatch.setattr(opencl, "Device", hang)
    try:
        await check_stand_in("auto")
    finally:
        release.set()
    assert "not ready" in caplog.records[-1].getMessage()


async def test_without_pyopencl_the_extra_is_named(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyopencl", None)
    await check_stand_in("auto")
    assert "bmgate[opencl]" in caplog.records[-1].getMessage()


async def test_a_device_that_answers_wrongly_is_not_used(
    device: Device, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Device, "search", lambda *_: (1, 2))
    await check_stand_in(device.name)
    assert "known-answer test" in caplog.records[-1].getMessage()


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [("auto", "GeForce"), ("geforce", "GeForce"), ("EPYC", "pthread-EPYC"), ("arc", None)],
)
def test_processors_are_chosen_by_name_only(wanted: str, chosen: str | None) -> None:
    cl = FakePlatform([("pthread-EPYC", 2), ("GeForce", 4)])
    if chosen is None:
        with pytest.raises(Unavailable, match="pthread-EPYC, GeForce"):
            opencl._choose(cl, wanted)
    else:
        assert opencl._choose(cl, wanted).name == chosen


def test_the_kernel_is_part_of_the_package() -> None:
    assert "bmgate.pow = *.cl" in (Path(__file__).parents[2] / "setup.cfg").read_text()


class FakePlatform:
    """As much of pyopencl as it takes to choose a device."""

    class device_type:  # noqa: N801 - the name in pyopencl
        GPU = 4

    def __init__(self, devices: list[tuple[str, int]]) -> None:
        self._devices = [type("FakeDevice", (), {"name": name, "type": kind}) for name, kind in devices]

    def get_platforms(self) -> list["FakePlatform"]:
        return [self]

    def get_devices(self) -> list[Any]:
        return list(self._devices)


def missing() -> None:
    raise Unavailable("no such device")


async def check_stand_in(wanted: str) -> None:
    engine = OpenclEngine(wanted, stand_in(lanes=2))
    try:
        assert await engine.start() > 0
        assert engine.lanes == 2
        trials: Trials = await engine.search(1, HASH, EASY, 0, 100_000)
        assert trials.nonce == hashlib_search(HASH, EASY, 0, 100_000, bytearray(1))[0]
    finally:
        await engine.close()
