import hashlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.bm import hashes
from bmgate.bm.hashes import double_sha512, inventory_vector, ripemd160, sha512
from bmgate.bm.ripemd160 import ripemd160_in_python

# From the authors' publication of RIPEMD-160.
RIPEMD160 = {
    b"": "9c1185a5c5e9fc54612808977ee8f548b2258d31",
    b"a": "0bdc9d2d256b3ee9daae347be6f4dc835a467ffe",
    b"abc": "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc",
    b"message digest": "5d0689ef49d2fae572b881b123a85ffa21595f36",
    b"abcdefghijklmnopqrstuvwxyz": "f71c27109c692c1b56bbdceb5b9d2865b3708dbc",
    b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq": "12a053384a9c0c88e405a06c27dcf49ada62eb2b",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789": "b0e20b6e3116640286ed3a87a5713079b21f5189",
    b"1234567890" * 8: "9b752e45573d4b39f4dbd3323cab82bf63326bfb",
}
# An ack object and its name.
OBJECT = bytes.fromhex(
    "000000000016cc320000000071410354000000020101641e8fb542e3da5e674fe991a34e544ed569ae9590ce9b8c8ead598a98097d7a"
)


@pytest.fixture
def _openssl_without_ripemd160(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(name: str, *_: object, **__: object) -> None:
        raise ValueError(f"unsupported hash type {name}")

    monkeypatch.setattr(hashlib, "new", refuse)
    hashes._ripemd160_function.cache_clear()
    yield
    hashes._ripemd160_function.cache_clear()


@pytest.mark.parametrize(("data", "expected"), RIPEMD160.items())
def test_ripemd160_is_the_published_one(data: bytes, expected: str) -> None:
    assert ripemd160(data).hex() == expected


@pytest.mark.parametrize(("data", "expected"), RIPEMD160.items())
def test_the_fallback_is_the_published_ripemd160_too(data: bytes, expected: str) -> None:
    assert ripemd160_in_python(data).hex() == expected


@given(st.binary(max_size=300))
def test_the_fallback_agrees_with_the_one_in_use(data: bytes) -> None:
    assert ripemd160_in_python(data) == ripemd160(data)


@pytest.mark.usefixtures("_openssl_without_ripemd160")
def test_without_openssl_the_fallback_steps_in() -> None:
    assert hashes._ripemd160_function() is ripemd160_in_python
    assert ripemd160(b"abc").hex() == RIPEMD160[b"abc"]


def test_the_hashes_of_hello_are_those_of_the_specification() -> None:
    assert double_sha512(b"hello").hex() == (
        "0592a10584ffabf96539f3d780d776828c67da1ab5b169e9e8aed838aaecc9ed"
        "36d49ff1423c55f019e050c66c6324f53588be88894fef4dcffdb74b98e2b200"
    )
    assert ripemd160(sha512(b"hello")).hex() == "79a324faeebcbf9849f310545ed531556882487e"


def test_an_object_is_named_by_its_first_half() -> None:
    expected = "36e87d167e1664da093c6ffb0523fdaaa181a44d65f5f6132b9a52204d6de8db"
    assert inventory_vector(OBJECT).hex() == expected
