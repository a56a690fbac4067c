"""The block filter against the AES and SHA-512 of libraries: those keys pass that should, on every instruction set."""

import ctypes
import os
import random
import shutil
import subprocess
from collections.abc import Sequence
from ctypes import Structure, byref, c_char_p, c_size_t, c_ubyte, c_uint, c_uint32, c_void_p
from dataclasses import dataclass
from hashlib import sha512
from importlib import resources
from pathlib import Path
from struct import pack

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from hypothesis import given
from hypothesis import strategies as st

NATIVE = Path(str(resources.files("bmgate.native")))
BLOCK = 16
FILTERS = 4  # as many as any processor has: filter_driver.c numbers them
LINE = 64  # bytes: the alignment that the filter asks for


class Query(Structure):
    _fields_ = (
        ("iv", c_ubyte * BLOCK),
        ("first", c_ubyte * BLOCK),
        ("last_two", c_ubyte * (2 * BLOCK)),
        ("version_max", c_uint),
    )


class Hit(Structure):
    _fields_ = (("key", c_uint32), ("hash", c_ubyte * 64))


@dataclass(frozen=True, slots=True)
class Driver:
    """filter_driver.c, compiled."""

    library: ctypes.CDLL

    def aes(self, which: int) -> str | None:
        name = self.library.driver_aes(which)
        return None if name is None else name.decode()

    def run(self, which: int, ciphertext: bytes, version_max: int, shared: Sequence[bytes]) -> list[tuple[int, bytes]]:
        """The keys, by their 32-byte X, that pass for an IV and its cipher blocks; with each the SHA-512 of X."""
        return self.run_words(which, ciphertext, version_max, grouped(shared), len(shared))

    def run_words(
        self, which: int, ciphertext: bytes, version_max: int, words: bytes, count: int
    ) -> list[tuple[int, bytes]]:
        """As `run`; the words of X are those of `grouped`."""
        query = Query(version_max=version_max)
        query.iv[:], query.first[:] = ciphertext[:BLOCK], ciphertext[BLOCK : 2 * BLOCK]
        query.last_two[:] = ciphertext[-2 * BLOCK :]
        room, hits = ctypes.create_string_buffer(len(words) + LINE), (Hit * max(1, count))()
        aligned = ctypes.addressof(room) + -ctypes.addressof(room) % LINE
        ctypes.memmove(aligned, words, len(words))
        found = self.library.driver_run(which, byref(query), aligned, count, hits)
        return [(hit.key, bytes(hit.hash)) for hit in hits[:found]]


def grouped(shared: Sequence[bytes]) -> bytes:
    """X of the keys as the filter wants them: word 0 of eight keys, word 1 of them, ..; then the next eight."""
    groups = bytearray()
    for start in range(0, len(shared), 8):
        group = [*shared[start : start + 8], *[bytes(32)] * 8][:8]
        for word in range(0, 32, 8):
            groups += pack("=8Q", *(int.from_bytes(x[word : word + 8]) for x in group))
    return bytes(groups)


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        pytest.skip("no C compiler")
    target = tmp_path_factory.mktemp("filter") / "driver.so"
    source = Path(__file__).with_name("filter_driver.c")
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-psabi", "-shared", "-fPIC", f"-I{NATIVE}"]
    subprocess.run([compiler, *flags, str(source), "-o", str(target)], check=True)
    library = ctypes.CDLL(str(target))
    library.driver_aes.restype, library.driver_aes.argtypes = c_char_p, [c_size_t]
    library.driver_run.restype = c_size_t
    library.driver_run.argtypes = [c_size_t, c_void_p, c_void_p, c_size_t, c_void_p]
    return Driver(library)


@pytest.fixture(params=range(FILTERS))
def which(request: pytest.FixtureRequest, driver: Driver) -> int:
    """The number of a filter that runs here."""
    number: int = request.param
    if not driver.aes(number):
        pytest.skip(f"this processor has no filter {number}")
    return number


def sealed(shared_x: bytes, iv: bytes, padded: bytes) -> bytes:
    """IV and cipher blocks of a plaintext that brings its own padding, right or wrong."""
    encryptor = Cipher(AES(sha512(shared_x).digest()[:32]), CBC(iv)).encryptor()
    return iv + encryptor.update(padded) + encryptor.finalize()


def should_pass(shared_x: bytes, ciphertext: bytes, version_max: int) -> bool:
    """The plain path: decipher everything, then look."""
    decryptor = Cipher(AES(sha512(shared_x).digest()[:32]), CBC(ciphertext[:BLOCK])).decryptor()
    text = decryptor.update(ciphertext[BLOCK:]) + decryptor.finalize()
    size = text[-1]
    if not 1 <= size <= BLOCK or text[-size:] != bytes([size]) * size:
        return False
    return version_max == 0 or (1 <= text[0] <= version_max and text[1] != 0)


def hits_of(shared: Sequence[bytes], ciphertext: bytes, version_max: int) -> list[tuple[int, bytes]]:
    return [(i, sha512(x).digest()) for i, x in enumerate(shared) if should_pass(x, ciphertext, version_max)]


XS = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=150)
VERSIONS = st.sampled_from([b"\0", b"\1", b"\4", b"\5", b"\xfc", b"\xfd\0\4", b"\xfd\1\0"])
STREAMS = st.sampled_from([b"\0", b"\1", b"\xfc", b"\xfd\0\xfd", b"\xfd\1\0"])
BLOCKS = st.binary(min_size=BLOCK, max_size=BLOCK)


@st.composite
def paddings(draw: st.DrawFn, size: int) -> bytes:
    """Right ones, and wrong ones that are nearly right."""
    right = bytes([size]) * size
    place, byte = draw(st.integers(0, size - 1)), draw(st.integers(0, 255))
    almost = right[:place] + bytes([byte]) + right[place + 1 :]
    return draw(st.sampled_from([right, almost, bytes(size), right[:-1] + b"\x11", b"\xff" * size, b"\x80" * size]))


@given(shared=XS, data=st.data())
def test_exactly_the_keys_pass_that_the_plain_path_would_let_pass(
    driver: Driver, shared: list[bytes], data: st.DataObject
) -> None:
    beginning = data.draw(VERSIONS, "version") + data.draw(STREAMS, "stream")
    text = beginning + data.draw(st.binary(max_size=48), "text")
    padded = text + data.draw(paddings(BLOCK - len(text) % BLOCK), "padding")
    ciphertext = sealed(data.draw(st.sampled_from(shared), "reader"), data.draw(BLOCKS, "iv"), padded)
    version_max = data.draw(st.sampled_from([0, 1, 4, 252]), "version_max")
    expected = hits_of(shared, ciphertext, version_max)
    everything = [(i, sha512(x).digest()) for i, x in enumerate(shared)]
    for which in range(FILTERS):
        if aes := driver.aes(which):
            passed = driver.run(which, ciphertext, version_max, shared)
            assert passed == (everything if aes == "none" else expected), aes


@pytest.mark.parametrize("size", range(1, 49))
def test_a_message_of_any_length_reaches_its_reader(driver: Driver, which: int, size: int) -> None:
    randbytes = random.Random(size).randbytes
    shared, padding = [randbytes(32) for _ in range(70)], BLOCK - size % BLOCK
    text = (b"\1\1" + randbytes(size))[:size] + bytes([padding]) * padding
    for reader in (0, 7, 8, 63, 64, 69):
        ciphertext = sealed(shared[reader], randbytes(BLOCK), text)
        assert (reader, sha512(shared[reader]).digest()) in driver.run(which, ciphertext, 4, shared)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 15, 16, 17, 63, 64, 65, 129])
def test_no_key_beyond_the_last_one_passes(driver: Driver, which: int, count: int) -> None:
    reader = bytes(32)  # which also fills the group that the last key belongs to
    ciphertext = sealed(reader, bytes(BLOCK), b"\1\1" + b"\x0e" * 14)
    expected = [(i, sha512(reader).digest()) for i in range(count)]
    assert driver.run(which, ciphertext, 4, [reader] * count) == expected


@pytest.mark.parametrize(("version_max", "least", "most"), [(0, 3600, 4600), (4, 30, 110)])
def test_few_of_a_million_wrong_keys_pass(driver: Driver, which: int, version_max: int, least: int, most: int) -> None:
    if driver.aes(which) == "none":
        pytest.skip("no AES instructions, no filter")
    randbytes, portion, portions = random.Random(version_max).randbytes, 1 << 14, 64
    ciphertext, passed = randbytes(4 * BLOCK), 0
    for _ in range(portions):
        passed += len(driver.run_words(which, ciphertext, version_max, randbytes(32 * portion), portion))
    assert least < passed < most
