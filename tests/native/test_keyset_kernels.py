"""The kernels of batch trial decryption below Python: keys that the import refuses, the field at its limits, memory
errors, and the promise that neither branches nor addresses depend on a key."""

import ctypes
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from ctypes import c_char_p, c_int, c_size_t, c_ubyte, c_uint, c_uint64, c_void_p
from importlib import resources
from itertools import product
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trial_points import N, P, adversarial_keys, encoded, point_of, random_keys, shared_x, split

from bmgate.native import load_extension

NATIVE = Path(str(resources.files("bmgate.native")))
HERE = Path(__file__).parent
EXTENSION, _fault = load_extension()
KERNELS = EXTENSION.trial_kernels() if EXTENSION else ()
SOURCES = [
    str(path) for path in sorted(NATIVE.glob("*.c")) if path.name not in ("module.c", "keyset.c", "table.c", "pow.c")
]
WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-psabi", f"-I{NATIVE}"]
POINT = point_of(0xBEEF << 220 | 99)
every_kernel = pytest.mark.parametrize("kernel", KERNELS)


def compiled(target: Path, *arguments: str) -> Path:
    """A C program or library for this processor; the test is skipped where there is no compiler."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        pytest.skip("no C compiler")
    done = subprocess.run([compiler, *WARNINGS, *arguments, "-o", str(target)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("trial")
    source = str(HERE / "trial_driver.c")
    library = ctypes.CDLL(str(compiled(folder / "driver.so", "-O1", "-shared", "-fPIC", source, *SOURCES)))
    library.driver_shared_x.argtypes = [c_char_p, c_uint, c_int, c_char_p, c_size_t, c_char_p, c_void_p]
    library.driver_invert.argtypes = [c_void_p, c_uint]
    return library


def x_of(
    driver: ctypes.CDLL, kernel: str, width: int, constant_time: bool, keys: list[int], point: bytes = POINT
) -> tuple[int, list[bytes]]:
    """How often the zero guard struck, and the X that belong to the keys, which nobody checked."""
    shared = (c_ubyte * (32 * len(keys)))()
    struck = driver.driver_shared_x(kernel.encode(), width, constant_time, encoded(keys), len(keys), point, shared)
    return struck, split(bytes(shared))


@every_kernel
@pytest.mark.parametrize(
    ("width", "key", "constant_time"),
    [(6, 2, True), (6, N - 2, True), (6, 2, False), (6, N - 2, False), (8, 130, False), (8, N - 130, False)],
)
def test_equal_points_spoil_no_key_beside_them(
    driver: ctypes.CDLL, kernel: str, width: int, key: int, constant_time: bool
) -> None:
    others = random_keys(48)
    expected = [shared_x(other, POINT) for other in others]
    for place in range(len(others)):
        keys = [*others[:place], key, *others[place + 1 :]]
        struck, found = x_of(driver, kernel, width, constant_time, keys)
        assert struck == 1
        assert found[:place] + found[place + 1 :] == expected[:place] + expected[place + 1 :]


@every_kernel
def test_two_keys_may_meet_equal_points_in_one_batch(driver: ctypes.CDLL, kernel: str) -> None:
    others = random_keys(30)
    struck, found = x_of(driver, kernel, 6, True, [2, *others, N - 2])
    assert (struck, found[1:-1]) == (1, [shared_x(other, POINT) for other in others])


@every_kernel
@pytest.mark.parametrize("width", [4, 5, 7, 9, 10, 11, 12])
def test_other_widths_meet_no_equal_points_whatever_the_key(driver: ctypes.CDLL, kernel: str, width: int) -> None:
    keys = [*Random(width).sample(adversarial_keys(width), 300), 2, N - 2, 130, N - 130, 1, N - 1]
    assert x_of(driver, kernel, width, False, keys) == (0, [shared_x(key, POINT) for key in keys])


LIMB, ONES = (1 << 52) - 1, 2**256 - 1
LIMITS = [
    *(0, 1, 2, P - 2, P - 1, P, P + 1, ONES, ONES - 1, 2**255, 2**256 - P, 2**256 - P - 1, P >> 1),
    *(LIMB << shift & ONES for shift in (0, 52, 104, 156, 208)),
    *(ONES ^ (LIMB << shift & ONES) for shift in (0, 52, 104, 156, 208)),
]
FIELDS = {
    "portable": ("field_portable.h", []),
    "avx2": ("field_avx2.h", ["-mavx2", "-mfma"]),
    "ifma": ("field_ifma.h", ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mavx512ifma", "-mavx512vbmi2"]),
}
Four = tuple[int, int, int, int]


@pytest.fixture(scope="session", params=KERNELS)
def compute(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[Four]], None]:
    """Has a field compute with many fours of numbers and compares with Python."""
    header, flags = FIELDS[request.param]
    target = tmp_path_factory.mktemp("field") / "field.so"
    source = str(HERE / "field_driver.c")
    library = ctypes.CDLL(str(compiled(target, "-O1", "-shared", "-fPIC", *flags, f'-DFIELD="{header}"', source)))
    library.field_compute.argtypes = [c_void_p]
    lanes: int = library.field_lanes()

    def compare(fours: list[Four]) -> None:
        fours = fours + [(0, 0, 0, 0)] * (-len(fours) % lanes)
        for start in range(0, len(fours), lanes):
            values = [value for four in fours[start : start + lanes] for value in four]
            words = [value >> 64 * i & (1 << 64) - 1 for value in values for i in range(4)]
            room = (c_uint64 * len(words))(*words)
            library.field_compute(room)
            found = [sum(room[4 * at + i] << 64 * i for i in range(4)) for at in range(4 * lanes)]
            for lane, (a, b, c, d) in enumerate(fours[start : start + lanes]):
                expected = [a * b, (a - b) * (c - d), (a - b) * c - d, (a - b) ** 2 - 2 * c - (d - a)]
                assert found[4 * lane : 4 * lane + 4] == [value % P for value in expected], (a, b, c, d)

    return compare


def test_the_field_is_right_at_its_limits(compute: Callable[[list[Four]], None]) -> None:
    random = Random(1)
    compute([(a, b, random.choice(LIMITS), random.choice(LIMITS)) for a, b in product(LIMITS, LIMITS)])


NUMBERS = st.one_of(st.integers(0, ONES), st.sampled_from(LIMITS))


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=16))
def test_the_field_agrees_with_python(compute: Callable[[list[Four]], None], fours: list[Four]) -> None:
    compute(fours)


@given(st.integers(1, P - 1) | st.sampled_from([1, 2, P - 1, P - 2, P >> 1, P + 1 >> 1]), st.sampled_from([1, 4, 8]))
def test_inverses_are_those_of_python(driver: ctypes.CDLL, value: int, lanes: int) -> None:
    room = (c_uint64 * (4 * lanes))(*(value >> 64 * i & (1 << 64) - 1 for i in range(4) for _ in range(lanes)))
    driver.driver_invert(room, lanes)
    found = {sum(room[i * lanes + lane] << 64 * i for i in range(4)) for lane in range(lanes)}
    assert found == {pow(value, -1, P)}


# Only a bug makes the product of a batch 0, so that question alone may be asked of a secret.
ALLOWED = """{
   the zero guard
   Memcheck:Cond
   fun:invert_lanes
}
"""


@pytest.fixture(scope="session")
def secret_keys(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[int, str]]:
    """Runs the driver under valgrind, to which keys are undefined: branches on them or look-ups by them are errors."""
    valgrind, folder = shutil.which("valgrind"), tmp_path_factory.mktemp("secret")
    if valgrind is None or not Path("/usr/include/valgrind/memcheck.h").exists():
        pytest.skip("no valgrind with its header")
    (folder / "allowed").write_text(ALLOWED)

    def run(arguments: list[str], optimization: str = "-O3") -> tuple[int, str]:
        program, flags = folder / f"secret{optimization}{arguments[0]}", [optimization, "-g", "-DSECRET_KEYS"]
        sources = [str(HERE / "trial_driver.c"), *SOURCES]
        if arguments[0] == "portable":  # the others are slow to compile
            flags += ["-Dtrial_ifma=trial_portable", "-Dtrial_avx2=trial_portable"]
            sources = [source for source in sources if not source.endswith(("ifma.c", "avx2.c"))]
        if not program.exists():
            compiled(program, *flags, *sources)
        options = ["-q", "--error-exitcode=9", f"--suppressions={folder / 'allowed'}"]
        command = [valgrind, *options, str(program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        return done.returncode, done.stdout + done.stderr

    return run


def test_neither_branches_nor_addresses_depend_on_a_key(secret_keys: Callable[..., tuple[int, str]]) -> None:
    assert secret_keys(["portable", "5", "1", "3"]) == (0, "equal\n")


def test_neither_branches_nor_addresses_is_a_check_that_can_fail(
    secret_keys: Callable[..., tuple[int, str]],
) -> None:
    code, report = secret_keys(["portable", "5", "0", "3"])
    assert code == 9
    assert "uninitialised" in report


# Jumps and calls, and what brings a value from memory, a vector or a mask into a general register.
TELLING = re.compile(
    r"\t(?:j\w+|call\w*|vpgather\w+|kmov\w+ +%k\d,%[er]\w+|v?(?:mov[dq]|p?extr\w+|movmsk\w+|pmovmsk\w+) .*,%[er]\w+"
    r"|(?:mov|movz|movs|add|and|or|xor|cmp|sub)\w* +[^,]*\((?!%rsp)[^)]*\),%[er]\w+)"
)


def telling_instructions(folder: Path, how: str) -> list[str]:
    """Instructions by which the IFMA look-up and arithmetic could let a digit reach a jump or an address."""
    objdump = shutil.which("objdump")
    if "ifma" not in KERNELS or objdump is None:
        pytest.skip("no AVX-512 IFMA or no objdump")
    header, flags = FIELDS["ifma"]
    defined = [f'-DFIELD="{header}"', f"-DHOW={how}"]
    program = compiled(folder / how, "-O3", "-c", *flags, *defined, str(HERE / "field_probe.c"))
    code = subprocess.run([objdump, "-d", "--no-show-raw-insn", program], capture_output=True, text=True, check=True)
    assert "vpmadd52" in code.stdout
    return TELLING.findall(code.stdout)


@pytest.mark.parametrize("entries", [16, 32, 64])
def test_no_general_register_learns_a_digit_where_valgrind_cannot_look(tmp_path: Path, entries: int) -> None:
    """The AVX-512 kernel has no jump on a digit and no address made of one: digits stay in vector registers."""
    assert telling_instructions(tmp_path, f"LOOK_UP_CONSTANT_{entries}") == []


def test_look_ups_by_address_are_told_from_constant_ones(tmp_path: Path) -> None:
    assert telling_instructions(tmp_path, "LOOK_UP_BYTES") != []


@pytest.mark.nightly
@pytest.mark.parametrize("optimization", ["-O2", "-O3"])
@pytest.mark.parametrize("width", range(4, 8))
@pytest.mark.parametrize("kernel", [kernel for kernel in KERNELS if kernel != "ifma"])
def test_neither_branches_nor_addresses_depend_on_a_key_at_any_width_and_level_of_optimization(
    secret_keys: Callable[..., tuple[int, str]], kernel: str, optimization: str, width: int
) -> None:
    assert secret_keys([kernel, str(width), "1", "40"], optimization) == (0, "equal\n")
