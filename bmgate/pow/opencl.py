"""Searching for nonces on a graphics processor, by OpenCL; the extra `opencl` brings pyopencl.

The engine of `pow.local` takes over, loudly, where no device answers, fails its known-answer test or breaks later.
Devices that are processors are taken only by name: the native kernel is faster there.
"""

import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from bmgate.errors import Unavailable
from bmgate.native import NONCE_END, Buffer, passes_known_answer
from bmgate.pow.local import Engine, Trials

SOURCE = Path(__file__).with_name("search.cl")
BATCH_SECONDS = 0.004  # one run of the kernel: how long a stop may take
CHUNK_BATCHES = 12
START_SECONDS = 60.0  # some drivers compile for minutes
LEAST_BATCH, LARGEST_BATCH = 1 << 12, 1 << 28  # nonces; offsets have 32 bits
VECTOR_LANES = 8
GROUP = 64  # work items; left to the driver, PoCL compiles anew for each number of items
NOT_FOUND = 0xFFFFFFFF

log = logging.getLogger(__name__)


class Device:
    """One OpenCL device, ready to search. `wanted` is `auto` (any graphics processor) or part of a device's name.

    Raises Unavailable where there is none, and where it does not find the known nonce.
    """

    def __init__(self, wanted: str) -> None:
        try:
            import numpy
            import pyopencl
        except ImportError as error:
            raise Unavailable(f"pyopencl cannot be loaded ({error}); install bmgate[opencl]") from error
        self._cl, self._np = pyopencl, numpy
        try:
            chosen = _choose(pyopencl, wanted)
            self.name = str(chosen.name).strip()
            self._build(chosen)
            if not passes_known_answer(self.search):
                raise Unavailable(f"{self.name} failed its known-answer test")
        except pyopencl.Error as error:
            raise Unavailable(f"OpenCL: {error}") from error

    def _build(self, device: Any) -> None:
        cl = self._cl
        self._lanes = 1 if device.type & cl.device_type.GPU else VECTOR_LANES
        word = "ulong" if self._lanes == 1 else f"ulong{self._lanes}"
        source = SOURCE.read_text(encoding="ascii")
        self._context = cl.Context([device])
        self._queue = cl.CommandQueue(self._context)
        program = cl.Program(self._context, source).build([f"-DWORD={word}", f"-DLANES={self._lanes}"])
        self._kernel = cl.Kernel(program, "search")
        self._hash = cl.Buffer(self._context, cl.mem_flags.READ_ONLY, 64)
        self._found = cl.Buffer(self._context, cl.mem_flags.READ_WRITE, 4)
        self.batch = LEAST_BATCH

    def measure(self) -> float:
        """Trials per second; afterwards a batch takes about as long as a stop may."""
        while True:
            begun = time.perf_counter()
            self.search(bytes(64), 0, 0, self.batch, bytearray(1))
            elapsed = time.perf_counter() - begun
            if elapsed >= BATCH_SECONDS / 2 or self.batch >= LARGEST_BATCH:
                break
            self.batch *= 2
        begun = time.perf_counter()
        self.search(bytes(64), 0, 0, self.batch * CHUNK_BATCHES, bytearray(1))
        return self.batch * CHUNK_BATCHES / (time.perf_counter() - begun)

    def search(self, initial_hash: bytes, target: int, start: int, count: int, stop: Buffer) -> tuple[int | None, int]:
        """As every search of `bmgate.native`: the first nonce, and the first one not tried."""
        cl, np = self._cl, self._np
        try:
            words = np.frombuffer(initial_hash, ">u8").astype(np.uint64)
            cl.enqueue_copy(self._queue, self._hash, words)
            end = min(start + count, NONCE_END)
            while start < end and not stop[0]:
                tried = min(self.batch, end - start)
                offset = self._run(target, start, tried)
                if offset < tried:
                    return start + offset, start + offset + 1
                start += tried
        except cl.Error as error:
            raise Unavailable(f"OpenCL: {error}") from error
        return None, start

    def _run(self, target: int, start: int, tried: int) -> int:
        """Offset of the first hit among the nonces tried, or a large one; a few behind the last may be tried too."""
        cl, np = self._cl, self._np
        found = np.array([NOT_FOUND], np.uint32)
        cl.enqueue_copy(self._queue, self._found, found, is_blocking=False)
        self._kernel.set_args(self._hash, np.uint64(target), np.uint64(start), self._found)
        groups = -(-tried // (self._lanes * GROUP))
        cl.enqueue_nd_range_kernel(self._queue, self._kernel, (groups * GROUP,), (GROUP,))
        cl.enqueue_copy(self._queue, found, self._found)
        return int(found[0])


class OpenclEngine:
    """One lane on an OpenCL device, and the engine that stands in for it."""

    def __init__(self, wanted: str, stand_in: Engine) -> None:
        self._wanted, self._stand_in = wanted, stand_in
        self._device: Device | None = None
        self._broken = False
        self._chunk = LEAST_BATCH
        self._flag = bytearray(1)
        self._thread = ThreadPoolExecutor(1, "opencl")

    @property
    def lanes(self) -> int:
        """One on the device: it needs no more."""
        return self._stand_in.lanes if self._device is None else 1

    @property
    def chunk(self) -> int:
        """Trials of a call, about a twentieth of a second."""
        return self._stand_in.chunk if self._device is None or self._broken else self._chunk

    def estimate(self) -> float:
        """That of the stand-in: to ask a device takes seconds."""
        return self._stand_in.estimate()

    async def start(self) -> float:
        """Build the kernel and measure; the stand-in starts either way."""
        rate = await self._stand_in.start()
        try:
            async with asyncio.timeout(START_SECONDS):
                device, measured = await _opened(self._wanted)
        except (Unavailable, TimeoutError) as error:
            why = str(error) or f"not ready after {START_SECONDS:.0f} s"
            log.warning("[pow] opencl = %s: %s; proof of work is done without it", self._wanted, why)
            return rate
        self._device, self._chunk = device, device.batch * CHUNK_BATCHES
        log.info("proof of work is done by %s, %.1f million trials a second", device.name, measured / 1e6)
        return measured

    async def search(self, lane: int, initial_hash: bytes, target: int, start: int, count: int) -> Trials:
        """On the device, while it works."""
        if self._device is None or self._broken:
            return await self._stand_in.search(lane, initial_hash, target, start, count)
        self._flag[0] = 0
        loop, begun = asyncio.get_running_loop(), time.perf_counter()
        try:
            nonce, next_untried = await loop.run_in_executor(
                self._thread, self._device.search, initial_hash, target, start, count, self._flag
            )
        except Unavailable as error:
            log.error("%s broke: %s; one processor works on, restart the gateway to use all", self._device.name, error)
            self._broken = True
            return await self._stand_in.search(lane, initial_hash, target, start, count)
        return Trials(nonce, next_untried, time.perf_counter() - begun)

    def stop(self, lane: int) -> None:
        """End what the lane is searching."""
        self._flag[0] = 1
        self._stand_in.stop(lane)

    async def close(self) -> None:
        """Stop everything and wait until no thread is left."""
        self._flag[0] = 1
        await asyncio.to_thread(self._thread.shutdown)
        await self._stand_in.close()


async def _opened(wanted: str) -> tuple[Device, float]:
    """The device and its trials per second; raises Unavailable. A driver that never answers keeps no process alive."""
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[tuple[Device, float]] = loop.create_future()

    def settle(result: tuple[Device, float] | Unavailable) -> None:
        if opened.done():
            return
        if isinstance(result, Unavailable):
            opened.set_exception(result)
        else:
            opened.set_result(result)

    def open_device() -> None:
        result: tuple[Device, float] | Unavailable
        try:
            device = Device(wanted)
            result = device, device.measure()
        except Unavailable as error:
            result = error
        with suppress(RuntimeError):  # the loop is closed: it came too late
            loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=open_device, name="opencl-start", daemon=True).start()
    return await opened


def _choose(cl: Any, wanted: str) -> Any:
    """The device to use; raises Unavailable, which names those there are."""
    devices = [device for platform in cl.get_platforms() for device in platform.get_devices()]
    for device in devices:
        is_gpu = bool(device.type & cl.device_type.GPU)
        if is_gpu if wanted == "auto" else wanted.lower() in str(device.name).lower():
            return device
    names = ", ".join(str(device.name).strip() for device in devices) or "none"
    raise Unavailable(f"no such device; there are: {names}")
