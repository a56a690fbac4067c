"""KeySet as Python sees it, for each kernel that this processor runs: finds what coincurve finds, at every place."""

import ctypes
import ctypes.util
import hashlib
import platform
import threading
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trial_points import (
    GENERATOR,
    N,
    P,
    Sealed,
    adversarial_keys,
    encoded,
    point_of,
    random_keys,
    seal,
    shared_x,
    split,
)

from bmgate.native import Buffer

pytest.importorskip("bmgate.native._native", reason="the native extension was not built")
from bmgate.native._native import KeySet, Table, trial_kernels

KERNELS = trial_kernels()
BATCH = 2048  # keys that share an inversion
MARGIN = 8192  # a key is not for a batch where the odd one of k and n - k is nearer to the order
SHAPES = [*((width, True) for width in range(4, 8)), *((width, False) for width in range(4, 13))]
USUAL = [(7, True), (8, False), (10, False)]
VERSION_MAX = 4
MATHS = ctypes.CDLL(ctypes.util.find_library("m"))
every_kernel = pytest.mark.parametrize("kernel", KERNELS)
every_shape = pytest.mark.parametrize(("width", "constant_time"), SHAPES)
usual_shapes = pytest.mark.parametrize(("width", "constant_time"), USUAL)
POINT = point_of(0xC0FFEE << 200 | 12345)


def is_servable(key: int) -> bool:
    """Whether a batch may hold the key: of it and n - key, which have one X, the odd one counts."""
    return (key if key % 2 else N - key) < N - MARGIN


def key_set(kernel: str, width: int, constant_time: bool, keys: list[int]) -> KeySet:
    keys_of = KeySet(kernel, width, constant_time)
    keys_of.add(encoded(keys))
    return keys_of


def candidates(
    keys: KeySet, table: Table, sealed: Sealed, begin: int = 0, end: int | None = None, stop: Buffer | None = None
) -> list[tuple[int, bytes]]:
    end = len(keys) if end is None else end
    flag = bytearray(1) if stop is None else stop
    return keys.candidates(table, sealed.iv, sealed.first, sealed.last_two, VERSION_MAX, begin, end, flag)


def openers(keys: KeySet, table: Table, sealed: Sealed, begin: int = 0, end: int | None = None) -> list[int]:
    """The keys whose candidate passes the MAC: wrong candidates are rare, and no fault."""
    return [index for index, digest in candidates(keys, table, sealed, begin, end) if sealed.opens(digest)]


@every_kernel
@every_shape
def test_x_of_random_and_adversarial_keys_is_that_of_coincurve(kernel: str, width: int, constant_time: bool) -> None:
    adversarial = list(filter(is_servable, adversarial_keys(width)))
    chosen = Random(width).sample(adversarial, 200) + random_keys(100)
    keys = key_set(kernel, width, constant_time, chosen)
    assert split(keys.shared_x(keys.table(POINT))) == [shared_x(key, POINT) for key in chosen]
    assert keys.zero_guards == 0


@pytest.fixture(params=[0x400, 0x800, 0xC00], ids=["down", "up", "to zero"])
def rounding(request: pytest.FixtureRequest) -> Iterator[int]:
    """Has this thread round doubles otherwise than to nearest; the numbers are those of x86-64."""
    if platform.machine() != "x86_64":
        pytest.skip("other processors number their roundings otherwise")
    mode: int = request.param
    assert MATHS.fesetround(mode) == 0
    yield mode
    assert MATHS.fesetround(0) == 0


@every_kernel
@usual_shapes
def test_whatever_rounding_a_thread_has_x_is_right_and_the_rounding_stays(
    kernel: str, width: int, constant_time: bool, rounding: int
) -> None:
    chosen = random_keys(40)
    keys = key_set(kernel, width, constant_time, chosen)
    found = keys.shared_x(keys.table(POINT))
    assert MATHS.fegetround() == rounding
    assert split(found) == [shared_x(key, POINT) for key in chosen]


@every_kernel
@pytest.mark.nightly
@every_shape
def test_x_of_all_adversarial_keys_and_points(kernel: str, width: int, constant_time: bool) -> None:
    chosen = list(filter(is_servable, adversarial_keys(width)))
    for point in (POINT, GENERATOR, point_of(N - 1), point_of(chosen[500])):
        keys = key_set(kernel, width, constant_time, chosen)
        assert split(keys.shared_x(keys.table(point))) == [shared_x(key, point) for key in chosen]


@every_kernel
@usual_shapes
@given(seed=st.integers(0, 2**64), point=st.integers(1, N - 1), count=st.integers(1, 40))
def test_x_of_any_keys_and_any_point(
    kernel: str, width: int, constant_time: bool, seed: int, point: int, count: int
) -> None:
    chosen, encoded_point = random_keys(count, seed), point_of(point)
    keys = key_set(kernel, width, constant_time, chosen)
    assert split(keys.shared_x(keys.table(encoded_point))) == [shared_x(key, encoded_point) for key in chosen]


@every_kernel
@usual_shapes
def test_special_points_are_no_special_case(kernel: str, width: int, constant_time: bool) -> None:
    chosen = random_keys(20)
    chosen += [chosen[0], N - chosen[1], chosen[2]]
    keys = key_set(kernel, width, constant_time, chosen)
    short_x = next(point_of(key) for key in range(1, 2000) if point_of(key)[0] == 0)
    short_y = next(point_of(key) for key in range(1, 2000) if point_of(key)[32] == 0)
    for point in (GENERATOR, point_of(N - 1), point_of(chosen[3]), point_of(N - chosen[0]), short_x, short_y):
        assert split(keys.shared_x(keys.table(point))) == [shared_x(key, point) for key in chosen]


def on_the_twist() -> bytes:
    """A point of y^2 = x^3 + c for another c: adding needs no c, so only the check keeps it from the keys."""
    x, y = 5, 9
    assert (y * y - x**3 - 7) % P != 0
    return x.to_bytes(32) + y.to_bytes(32)


@every_kernel
@pytest.mark.parametrize(
    "point",
    [
        bytes(64),
        on_the_twist(),
        GENERATOR[:32] + (P - 1).to_bytes(32),
        GENERATOR[:63] + bytes([GENERATOR[63] ^ 1]),
        (P + 1).to_bytes(32) + point_of(1)[32:],
        GENERATOR[:32] + b"\xff" * 32,
        b"\xff" * 64,
        GENERATOR[:63],
        GENERATOR + b"\0",
        b"",
    ],
    ids=["zero", "twist", "another y", "a bit off", "x above p", "y above p", "ones", "short", "long", "empty"],
)
def test_what_is_no_point_on_the_curve_is_refused(kernel: str, point: bytes) -> None:
    keys = key_set(kernel, 7, True, random_keys(3))
    with pytest.raises(ValueError, match="no point"):
        keys.table(point)


def test_coordinates_of_p_and_more_are_refused_even_where_they_stand_for_a_point() -> None:
    x = next(x for x in range(1, 100) if pow(pow(x, 3, P) + 7, (P - 1) // 2, P) == 1)
    y = pow(pow(x, 3, P) + 7, (P + 1) // 4, P)
    keys = KeySet("portable", 5, True)
    keys.table(x.to_bytes(32) + y.to_bytes(32))
    with pytest.raises(ValueError, match="no point"):
        keys.table((x + P).to_bytes(32) + y.to_bytes(32))


SIZES = [1, 2, 7, 8, 9, 15, 16, 17, 1023, 1024, 1025, 2047, 2048, 2049, 2051]


def places(count: int) -> list[int]:
    """Where a key is looked for: everywhere in small sets, around each edge in large ones."""
    edges = [edge + near for edge in (0, 1024, BATCH, count) for near in (-1, 0)]
    return list(range(count)) if count < 20 else sorted({place for place in edges if 0 <= place < count})


@every_kernel
@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize(("width", "constant_time"), USUAL[:2])
def test_a_message_is_found_by_its_key_wherever_that_stands(
    kernel: str, count: int, width: int, constant_time: bool
) -> None:
    chosen = random_keys(count)
    keys = key_set(kernel, width, constant_time, chosen)
    table = keys.table(POINT)
    for place in places(count):
        sealed = seal(shared_x(chosen[place], POINT))
        assert openers(keys, table, sealed) == [place]
        assert openers(keys, table, sealed, place, place + 1) == [place]
        assert openers(keys, table, sealed, max(0, place - 30), place) == []
        assert openers(keys, table, sealed, place + 1, min(place + 30, count)) == []


@every_kernel
@pytest.mark.nightly
@pytest.mark.parametrize("count", SIZES)
def test_a_message_is_found_at_every_single_place(kernel: str, count: int) -> None:
    chosen = random_keys(count)
    keys = key_set(kernel, 7, True, chosen)
    table = keys.table(POINT)
    for place in range(count):
        assert openers(keys, table, seal(shared_x(chosen[place], POINT))) == [place]


@every_kernel
def test_several_keys_that_open_a_message_are_all_found(kernel: str) -> None:
    chosen = random_keys(40)
    chosen[3] = chosen[4] = chosen[17] = N - chosen[39]  # k and n - k share their X
    keys = key_set(kernel, 7, True, chosen)
    found = candidates(keys, keys.table(POINT), sealed := seal(shared_x(chosen[3], POINT)))
    assert [index for index, digest in found if sealed.opens(digest)] == [3, 4, 17, 39]
    assert {digest for _, digest in found} >= {hashlib.sha512(shared_x(chosen[3], POINT)).digest()}


@every_kernel
@pytest.mark.parametrize("size", [0, 1, 13, 14, 15, 16, 17, 250_000])
def test_a_message_of_any_size_is_found_and_a_foreign_one_is_not(kernel: str, size: int) -> None:
    chosen = random_keys(30)
    keys = key_set(kernel, 7, True, chosen)
    table = keys.table(POINT)
    assert openers(keys, table, seal(shared_x(chosen[11], POINT), b"\x03\x01" + bytes(size))) == [11]
    assert openers(keys, table, seal(shared_x(999_999_937, POINT), b"\x03\x01" + bytes(size))) == []


@every_kernel
@every_shape
def test_places_without_a_key_find_nothing(kernel: str, width: int, constant_time: bool) -> None:
    """All-zero digits stand for the key whose digits are all 1: no message to that one is ever found."""
    windows = (256 + width - 1) // width
    stand_in = sum(1 << width * i for i in range(windows))
    keys = key_set(kernel, width, constant_time, random_keys(21))
    keys.remove(20)
    table, sealed = keys.table(POINT), seal(shared_x(stand_in % N, POINT))
    assert openers(keys, table, sealed) == []
    keys.add(encoded([stand_in]))
    assert openers(keys, table, sealed) == [20]


@every_kernel
def test_a_removed_key_leaves_its_place_to_the_last_one(kernel: str) -> None:
    random, chosen = Random(7), random_keys(BATCH + 40)
    keys = key_set(kernel, 5, True, chosen)
    table = keys.table(POINT)
    for index in [0, len(chosen) - 2, *(random.randrange(BATCH) for _ in range(60))]:
        keys.remove(index)
        last = chosen.pop()
        if index < len(chosen):
            chosen[index] = last
    keys.add(encoded([77_777_777]))
    chosen.append(77_777_777)
    assert len(keys) == len(chosen)
    assert split(keys.shared_x(table)) == [shared_x(key, POINT) for key in chosen]


@every_kernel
def test_memory_follows_the_keys(kernel: str) -> None:
    keys = KeySet(kernel, 7, True)
    assert keys.memory == 0
    keys.add(encoded(random_keys(BATCH)))
    one = keys.memory
    assert 37 * BATCH <= one < 41 * BATCH
    keys.add(encoded(random_keys(1)))
    assert keys.memory == 2 * one
    keys.remove(0)
    assert keys.memory == one
    for _ in range(BATCH):
        keys.remove(0)
    assert (len(keys), keys.memory) == (0, 0)


@every_kernel
@pytest.mark.parametrize("constant_time", [True, False])
def test_recoded_keys_are_the_same_in_any_width(kernel: str, constant_time: bool) -> None:
    chosen = random_keys(50)
    keys = key_set(kernel, 5, constant_time, chosen)
    for width, constant in SHAPES:
        if constant == constant_time:
            keys = keys.recoded(width)
            assert keys.width == width
            assert split(keys.shared_x(keys.table(POINT))) == [shared_x(key, POINT) for key in chosen]


@pytest.mark.parametrize("key", [0, 2, 130, MARGIN, N - MARGIN, N - 130, N - 2, N, N + 1, 2**256 - 1])
def test_keys_that_no_batch_may_hold_are_named_and_none_is_added(key: int) -> None:
    keys = key_set("portable", 7, True, random_keys(5))
    with pytest.raises(ValueError, match="key 2 "):
        keys.add(encoded([*random_keys(2), key, *random_keys(2)]))
    assert len(keys) == 5
    nearest = [1, 3, MARGIN - 1, MARGIN + 2, N - MARGIN - 2, N - MARGIN + 1, N - 3, N - 1]
    keys.add(encoded(nearest))
    assert split(keys.shared_x(keys.table(POINT)))[5:] == [shared_x(key, POINT) for key in nearest]


def test_a_set_without_keys_finds_nothing() -> None:
    keys = KeySet("portable", 7, True)
    table, sealed = keys.table(POINT), seal(bytes(32))
    assert candidates(keys, table, sealed) == []
    assert keys.shared_x(table) == b""
    keys.add(b"")
    assert len(keys) == 0


@every_kernel
def test_a_set_stop_flag_ends_the_search_before_its_first_batch(kernel: str) -> None:
    chosen = random_keys(10)
    keys = key_set(kernel, 7, True, chosen)
    table, sealed = keys.table(POINT), seal(shared_x(chosen[0], POINT))
    assert candidates(keys, table, sealed, stop=bytearray(b"\1")) == []
    assert candidates(keys, table, sealed, stop=memoryview(bytearray(b"\1\0"))[1:]) != []


@pytest.mark.parametrize("kernel", KERNELS[:1])
def test_keys_in_use_are_not_changed(kernel: str) -> None:
    """A long search runs in a thread; whoever tries to change the keys meanwhile is told so."""
    keys = key_set(kernel, 5, True, random_keys(BATCH) * 100)
    table, sealed, stop = keys.table(POINT), seal(bytes(32)), bytearray(1)
    thread = threading.Thread(target=candidates, args=(keys, table, sealed, 0, None, stop))
    thread.start()
    refused = 0
    while not refused and thread.is_alive():
        count = len(keys)
        try:
            keys.remove(count - 1)
        except RuntimeError:
            refused += 1
    if refused:
        with pytest.raises(RuntimeError, match="in use"):
            keys.add(encoded(random_keys(1)))
    stop[0] = 1
    thread.join()
    assert refused
    keys.remove(0)


class ChangesKeys:
    """A width that has another thread add keys before it says how many bits it is."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys
        self.thread = threading.Thread(target=keys.add, args=(encoded(random_keys(100)) * 2000,))

    def __index__(self) -> int:
        self.thread.start()
        while self.thread.is_alive():
            try:
                self._keys.remove(-1)
            except RuntimeError:
                break  # that thread is in the middle of it now
            except IndexError:
                continue
        return 6


def test_keys_that_begin_to_change_while_arguments_are_read_are_not_recoded() -> None:
    keys = key_set("portable", 7, True, random_keys(3))
    width = ChangesKeys(keys)
    with pytest.raises(RuntimeError, match="being changed"):
        keys.recoded(width)  # type: ignore[arg-type]  # anything with __index__ is a number to C
    width.thread.join()
    assert len(keys) == 200_003
    keys.remove(0)


@every_kernel
def test_threads_share_a_table_and_find_the_same(kernel: str) -> None:
    chosen = random_keys(300)
    keys = key_set(kernel, 7, True, chosen)
    table, expected = keys.table(POINT), [shared_x(key, POINT) for key in chosen]
    results: list[list[bytes]] = []
    threads = [threading.Thread(target=lambda: results.append(split(keys.shared_x(table)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


def test_a_shape_that_no_kernel_has_is_refused() -> None:
    for width, constant_time in [(3, True), (8, True), (3, False), (13, False), (-1, True), (2**31 - 1, False)]:
        with pytest.raises(ValueError, match="width"):
            KeySet("portable", width, constant_time)
    for kernel in ("", "warp", "coincurve"):
        with pytest.raises(ValueError, match="no kernel"):
            KeySet(kernel, 7, True)


def test_a_table_of_another_shape_is_refused() -> None:
    keys, sealed = key_set("portable", 7, True, random_keys(3)), seal(bytes(32))
    for other in (KeySet("portable", 6, True), KeySet("portable", 7, False)):
        with pytest.raises(ValueError, match="another width"):
            candidates(keys, other.table(POINT), sealed)
        with pytest.raises(ValueError, match="another width"):
            keys.shared_x(other.table(POINT))
    with pytest.raises(TypeError):
        type(keys.table(POINT))()


def test_lengths_and_ranges_are_checked() -> None:
    keys = key_set("portable", 7, True, random_keys(3))
    table, block, flag = keys.table(POINT), bytes(16), bytearray(1)
    for iv, first, last_two, stop in [
        (bytes(15), block, bytes(32), flag),
        (block, bytes(17), bytes(32), flag),
        (block, block, bytes(16), flag),
        (block, block, bytes(32), bytearray(2)),
    ]:
        with pytest.raises(ValueError, match="bytes"):
            keys.candidates(table, iv, first, last_two, 4, 0, 3, stop)
    for begin, end in [(-1, 3), (2, 1), (0, 4), (4, 4), (0, 2**62)]:
        with pytest.raises(IndexError):
            keys.candidates(table, block, block, bytes(32), 4, begin, end, flag)
    for version_max in (-1, 253, 2**31 - 1):
        with pytest.raises(ValueError, match="version_max"):
            keys.candidates(table, block, block, bytes(32), version_max, 0, 3, flag)
    for index in (-1, 3, 2**62):
        with pytest.raises(IndexError):
            keys.remove(index)
    with pytest.raises(ValueError, match="whole number"):
        keys.add(bytes(33))


ANYTHING = st.one_of(
    st.none(),
    st.integers(),
    st.binary(max_size=70),
    st.text(max_size=5),
    st.floats(),
    st.builds(bytearray, st.binary()),
)


@given(st.lists(ANYTHING, max_size=9), st.sampled_from(["add", "remove", "recoded", "table", "candidates", "shared_x"]))
def test_no_arguments_do_worse_than_raise(arguments: list[object], method: str) -> None:
    keys = key_set("portable", 5, True, random_keys(3))
    for given_arguments in (arguments, [keys.table(GENERATOR), *arguments]):
        try:
            getattr(keys, method)(*given_arguments)
        except (TypeError, ValueError, IndexError, OverflowError, BufferError):
            continue
