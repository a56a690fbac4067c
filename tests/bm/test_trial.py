"""Sets of keys: every kernel, and coincurve in their place, finds what trying each key by itself finds."""

import hmac
import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from coincurve import PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from hypothesis import given, settings
from hypothesis import strategies as st
from trial_points import kernels

from bmgate.bm.addresses import parse_address
from bmgate.bm.crypto import Ciphertext, encrypt, read_ciphertext
from bmgate.bm.hashes import sha512
from bmgate.bm.keys import GROUP_ORDER, public_point
from bmgate.bm.objects import read_object
from bmgate.bm.plaintext import read_msg
from bmgate.bm.trial import BATCH, FEWEST, ONE_BY_ONE, KeySet, Lookups
from bmgate.errors import ShuttingDown

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "objects.json").read_text("utf-8"))
KEYS: dict[str, bytes] = {key["address"]: bytes.fromhex(key["encryption_privkey_hex"]) for key in VECTORS["keys"]}
MSGS = [each for each in VECTORS["objects"] if each["name"].startswith("msg ") and each["to_address"] in KEYS]
MSG = b"\x04\x01 and so on"
BLOCK = 16
MANY = 2 * BATCH + 3

Make = Callable[..., KeySet[Any]]


def scalar(number: int) -> bytes:
    return (number % GROUP_ORDER).to_bytes(32, "big")


def some_keys(count: int, seed: object = 0) -> list[bytes]:
    """Random keys, the same in each run."""
    draw = random.Random(f"keys {seed}")
    return [scalar(draw.randrange(1, GROUP_ORDER)) for _ in range(count)]


OTHERS = some_keys(FEWEST, "others")  # enough for the kernel to be asked


def entropy(seed: object) -> Callable[[int], bytes]:
    return random.Random(f"entropy {seed}").randbytes


def msg_to(key: bytes, plaintext: bytes = MSG, seed: object = 0) -> Ciphertext:
    return read_ciphertext(encrypt(plaintext, public_point(key), entropy(seed)))


def sealed(ephemeral: bytes, key: bytes, blocks: bytes) -> Ciphertext:
    """Whole blocks with a true MAC, whatever is in them, and whatever the shared X begins with."""
    secret = sha512(PublicKey(b"\x04" + public_point(key)).multiply(ephemeral).format()[1:])
    iv = bytes(range(BLOCK))
    encryptor = Cipher(AES(secret[:32]), CBC(iv)).encryptor()
    head = iv + b"\x02\xca\x00\x20" + public_point(ephemeral)[:32] + b"\x00\x20" + public_point(ephemeral)[32:]
    authenticated = head + encryptor.update(blocks) + encryptor.finalize()
    return read_ciphertext(authenticated + hmac.digest(secret[32:], authenticated, "sha256"))


def found_one_by_one(ciphertext: Ciphertext, keys: Iterable[tuple[bytes, object]]) -> list[tuple[object, bytes]]:
    """The rule: a true MAC and padding, and then a version that senders have and a stream that is not 0."""
    opened = [(owner, ciphertext.decrypt(key)) for key, owner in keys]
    return [
        (owner, plaintext)
        for owner, plaintext in opened
        if plaintext is not None and len(plaintext) > 1 and plaintext[0] in (1, 2, 3, 4) and plaintext[1]
    ]


@dataclass(frozen=True)
class Backend:
    kernel: str
    lookups: Lookups

    def __str__(self) -> str:
        return f"{self.kernel}-{self.lookups}"

    @contextmanager
    def key_set(self, keys: Sequence[bytes], threads: int = 1) -> Iterator[KeySet[int]]:
        """The owner of a key is its index in `keys`."""
        held: KeySet[int] = KeySet(self.kernel, self.lookups, threads)
        try:
            held.add_all((key, index) for index, key in enumerate(keys))
            yield held
        finally:
            held.close()


NATIVE = [Backend(kernel, lookups) for kernel in kernels() for lookups in Lookups if kernel != ONE_BY_ONE]
BACKENDS = [*NATIVE, Backend(ONE_BY_ONE, Lookups.CONSTANT_TIME)]


@pytest.fixture(params=BACKENDS, ids=str)
def backend(request: pytest.FixtureRequest) -> Backend:
    found: Backend = request.param
    return found


# --- hits ---


@pytest.mark.parametrize("count", [1, FEWEST - 1, FEWEST, FEWEST + 1, 3 * FEWEST + 1])
def test_a_key_is_found_at_every_place_and_nowhere_else(backend: Backend, count: int) -> None:
    keys = some_keys(count)
    with backend.key_set(keys) as held:
        assert [held.open(msg_to(key)) for key in keys] == [[(place, MSG)] for place in range(count)]
        assert held.open(msg_to(some_keys(1, "a stranger")[0])) == []


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_many_keys_are_shared_between_threads(backend: Backend, threads: int) -> None:
    keys = some_keys(MANY)
    with backend.key_set(keys, threads) as held:
        for place in (0, 7, 8, BATCH - 1, BATCH, 2 * BATCH - 1, 2 * BATCH, MANY - 1):
            assert held.open(msg_to(keys[place])) == [(place, MSG)]
        assert held.open(msg_to(OTHERS[0])) == []


def test_all_owners_of_one_key_get_the_msg(backend: Backend) -> None:
    keys = [*OTHERS, *OTHERS, OTHERS[3], *some_keys(2)]
    with backend.key_set(keys) as held:
        assert len(held) == len(keys)
        assert sorted(held.open(msg_to(OTHERS[3]))) == [(3, MSG), (FEWEST + 3, MSG), (2 * FEWEST, MSG)]
        assert sorted(held.open(msg_to(OTHERS[4]))) == [(4, MSG), (FEWEST + 4, MSG)]


def test_a_key_and_its_negative_open_the_same_msg(backend: Backend) -> None:
    """They share the X of their points: several different keys fit one msg."""
    negative = scalar(-int.from_bytes(OTHERS[0]))
    with backend.key_set([*OTHERS, negative]) as held:
        assert sorted(held.open(msg_to(OTHERS[0]))) == [(0, MSG), (FEWEST, MSG)]


@pytest.mark.parametrize(
    "number",
    [1, 2, 3, 130, 642, 2**13, 2**13 + 1, 2**128 - 1, 2**255, GROUP_ORDER // 2, GROUP_ORDER // 2 + 1]
    + [GROUP_ORDER - distance for distance in (1, 2, 130, 642, 2**13, 2**13 + 1)],
)
def test_no_scalar_is_too_special(backend: Backend, number: int) -> None:
    key = scalar(number)
    with backend.key_set([*OTHERS, key]) as held:
        assert held.open(msg_to(key)) == [(FEWEST, MSG)]
        assert held.open(msg_to(OTHERS[5])) == [(5, MSG)]


@pytest.mark.parametrize("ephemeral", [1, 2, 3, GROUP_ORDER - 1, 2**255])
def test_no_ephemeral_key_is_too_special(backend: Backend, ephemeral: int) -> None:
    """R may be the generator, or a hosted key times it."""
    point = sealed(scalar(ephemeral), OTHERS[7], MSG + bytes([BLOCK - len(MSG)]) * (BLOCK - len(MSG)))
    with backend.key_set([*OTHERS, scalar(ephemeral)]) as held:
        assert held.open(point) == [(7, MSG)]


def test_what_is_no_scalar_opens_nothing_and_does_no_harm(backend: Backend) -> None:
    useless = [bytes(32), GROUP_ORDER.to_bytes(32), b"\xff" * 32, b"\x05" * 31, b""]
    with backend.key_set([*OTHERS, *useless]) as held:
        assert held.open(msg_to(OTHERS[5])) == [(5, MSG)]
        assert len(held) == FEWEST + len(useless)


@pytest.mark.parametrize("size", [0, 1, 2, 14, 15, 16, 17, 1_000, 250_000])
def test_plaintexts_of_every_size(backend: Backend, size: int) -> None:
    plaintext = (MSG + bytes(size))[:size]
    ciphertext = msg_to(OTHERS[9], plaintext)
    with backend.key_set(OTHERS) as held:
        assert held.open(ciphertext) == ([(9, plaintext)] if size > 1 else [])


def test_a_tampered_msg_is_for_nobody(backend: Backend) -> None:
    ciphertext = msg_to(OTHERS[2], MSG * 10)
    at = ciphertext.encrypted_at
    with backend.key_set(OTHERS) as held:
        assert held.open(ciphertext)
        for place in (0, at, at + BLOCK, len(ciphertext.authenticated) - 1):
            changed = bytearray(ciphertext.authenticated)
            changed[place] ^= 1
            assert held.open(replace(ciphertext, authenticated=bytes(changed))) == []
        for place in (0, 31):
            mac = bytearray(ciphertext.mac)
            mac[place] ^= 0x80
            assert held.open(replace(ciphertext, mac=bytes(mac))) == []


@pytest.mark.parametrize("vector", MSGS, ids=lambda vector: str(vector["id"]))
def test_msgs_of_real_peers_are_opened_by_their_recipients_alone(backend: Backend, vector: dict[str, Any]) -> None:
    obj, to = read_object(bytes.fromhex(vector["object_hex"])), vector["to_address"]
    addresses = list(KEYS)
    with backend.key_set([*KEYS.values(), *OTHERS]) as held:
        ((owner, plaintext),) = held.open(read_ciphertext(obj.ciphertext))
    assert addresses[owner] == to
    assert str(read_msg(obj, plaintext, parse_address(to).ripe).sender.address) == vector["from_address"]


# --- against trying each key ---

scalars = st.one_of(
    st.integers(1, GROUP_ORDER - 1),
    st.integers(1, 2**14),
    st.integers(1, 2**14).map(lambda distance: GROUP_ORDER - distance),
    st.builds(lambda power, off: 2**power + off, st.integers(1, 255), st.integers(-1, 1)),
).map(scalar)
heads = st.tuples(st.sampled_from([0, 1, 4, 5, 252, 253]), st.sampled_from([0, 1, 253])).map(bytes)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(BACKENDS),
    st.lists(scalars, min_size=1, max_size=40),
    scalars,
    st.data(),
)
def test_the_set_finds_what_each_key_by_itself_finds(
    backend: Backend, drawn: list[bytes], ephemeral: bytes, data: st.DataObject
) -> None:
    keys = [*drawn, *OTHERS]
    body = data.draw(heads) + data.draw(st.binary(max_size=70))
    padding = BLOCK - len(body) % BLOCK
    body += bytes([padding]) * padding
    if data.draw(st.booleans()):
        body = body[:-1] + data.draw(st.binary(min_size=1, max_size=1))
    ciphertext = sealed(ephemeral, data.draw(st.sampled_from(keys)), body)
    with backend.key_set(keys) as held:
        assert sorted(held.open(ciphertext)) == found_one_by_one(ciphertext, ((key, i) for i, key in enumerate(keys)))


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(kernels()), st.lists(st.tuples(st.booleans(), st.integers(0, 24)), max_size=80))
def test_keys_come_and_go_in_any_order(kernel: str, steps: list[tuple[bool, int]]) -> None:
    """Among 25 owners of 20 different keys, two of them special."""
    keys = [*some_keys(18), scalar(2), scalar(-2), *some_keys(5)]
    held: KeySet[int] = KeySet(kernel, Lookups.CONSTANT_TIME, 1)
    present: set[int] = set()
    for comes, owner in [(True, owner) for owner in range(12)] + steps:
        if comes and owner not in present:
            held.add(keys[owner], owner)
            present.add(owner)
        elif not comes and owner in present:
            held.remove(owner)
            present.discard(owner)
    assert set(held.owners) == present
    for key in {*keys}:
        ciphertext = msg_to(key)
        mine = ((key, owner) for owner, key in enumerate(keys) if owner in present)
        assert sorted(held.open(ciphertext)) == found_one_by_one(ciphertext, mine)
    held.close()


def test_a_set_that_grows_and_shrinks_over_every_width_stays_right(backend: Backend) -> None:
    keys = some_keys(MANY)
    with backend.key_set(keys[:FEWEST]) as held:
        for size in (200, 600, BATCH - 1, BATCH, MANY):
            held.add_all((keys[owner], owner) for owner in range(len(held), size))
            assert held.open(msg_to(keys[size - 1])) == [(size - 1, MSG)]
            assert held.open(msg_to(keys[5])) == [(5, MSG)]
        for size in (BATCH, BATCH // 2 - 1, 100, 40, 6):
            for owner in range(size, len(held)):
                held.remove(owner)
            assert held.open(msg_to(keys[5])) == [(5, MSG)]
            assert held.open(msg_to(keys[size])) == []


@pytest.mark.parametrize("backend", NATIVE, ids=str)
def test_the_widest_digits_stay_right(backend: Backend) -> None:
    """Of the widths of thousands of keys, with none left out when the set shrinks again."""
    keys = some_keys(8_300)
    with backend.key_set(keys, threads=2) as held:
        assert held.open(msg_to(keys[8_200])) == [(8_200, MSG)]
        for owner in range(3_000, len(keys)):
            held.remove(owner)
        assert held.open(msg_to(keys[2_999])) == [(2_999, MSG)]
        assert held.open(msg_to(keys[3_000])) == []


# --- owners, and ends ---


def test_an_owner_has_one_key(backend: Backend) -> None:
    with backend.key_set(OTHERS) as held:
        with pytest.raises(ValueError, match="3 has a key"):
            held.add(some_keys(1)[0], 3)
        with pytest.raises(KeyError):
            held.remove(77)


def test_what_came_before_a_refused_owner_stays_in_its_place(backend: Backend) -> None:
    keys = some_keys(FEWEST + 3)
    with backend.key_set(keys[:-1]) as held:
        with pytest.raises(ValueError, match="has a key"):
            held.add_all([(keys[-1], len(keys) - 1), (keys[0], 0)])
        held.remove(3)
        for owner in (0, 4, FEWEST + 1, FEWEST + 2):
            assert held.open(msg_to(keys[owner])) == [(owner, MSG)]
        assert held.open(msg_to(keys[3])) == []


def test_an_empty_set_opens_nothing(backend: Backend) -> None:
    with backend.key_set([]) as held:
        assert held.open(msg_to(OTHERS[0])) == []


def test_after_the_end_nothing_is_said_to_be_for_nobody(backend: Backend) -> None:
    with backend.key_set(OTHERS) as held:
        held.close()
        with pytest.raises(ShuttingDown):
            held.open(msg_to(OTHERS[0]))


class Endless(Ciphertext):
    """One that takes for ever, and tells when it has begun."""

    begun = Event()

    def decrypt_each(self, private_keys: Iterable[bytes]) -> Iterator[bytes | None]:
        while True:
            self.begun.set()
            yield None


def endless() -> Endless:
    plain = msg_to(OTHERS[0])
    return Endless(plain.point, plain.authenticated, plain.encrypted_at, plain.mac)


def test_a_search_ends_when_the_set_is_closed() -> None:
    held: KeySet[int] = KeySet(ONE_BY_ONE, Lookups.CONSTANT_TIME, 1)
    held.add(OTHERS[0], 0)
    with ThreadPoolExecutor(1) as thread:
        ciphertext = endless()
        searching = thread.submit(held.open, ciphertext)
        assert ciphertext.begun.wait(10)
        held.close()
        with pytest.raises(ShuttingDown):
            searching.result(10)


class Held(Ciphertext):
    """One that waits in the middle."""

    begun, go_on = Event(), Event()

    def decrypt_each(self, private_keys: Iterable[bytes]) -> Iterator[bytes | None]:
        self.begun.set()
        self.go_on.wait(10)
        return super().decrypt_each(private_keys)


def test_keys_come_and_go_only_between_searches() -> None:
    held: KeySet[int] = KeySet(ONE_BY_ONE, Lookups.CONSTANT_TIME, 1)
    held.add_all((key, owner) for owner, key in enumerate(OTHERS))
    plain = msg_to(OTHERS[0])
    ciphertext = Held(plain.point, plain.authenticated, plain.encrypted_at, plain.mac)
    with ThreadPoolExecutor(3) as threads:
        searching = threads.submit(held.open, ciphertext)
        assert ciphertext.begun.wait(10)
        changing = [threads.submit(held.remove, 0), threads.submit(held.add, some_keys(1)[0], 99)]
        assert not any(change.done() for change in changing)
        assert len(held) == len(OTHERS)
        ciphertext.go_on.set()
        assert searching.result(10) == [(0, MSG)]
        for change in changing:
            change.result(10)
    assert held.open(msg_to(OTHERS[0])) == []
    assert held.open(msg_to(some_keys(1)[0])) == [(99, MSG)]
    held.close()
