"""What is sealed opens with its key, in its place, and nowhere else."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings
from storage_fixtures import MASTER_KEY, make_vault

from bmgate.errors import AccountLocked
from bmgate.storage.sealing import Damaged, bind, open_sealed, open_sealed_to, seal, seal_to
from bmgate.storage.vault import AccountKeys, Purpose, Vault, public_key_of

KEY = bytes(32)


@given(st.binary(max_size=40_000), st.binary(max_size=50))
def test_a_sealed_value_comes_back(plaintext: bytes, bound: bytes) -> None:
    sealed = seal(KEY, plaintext, bound, os.urandom)
    assert open_sealed(KEY, sealed, bound) == plaintext
    assert len(sealed) == 1 + 24 + len(plaintext) + 16


@given(st.binary(min_size=1, max_size=200), st.data())
def test_no_changed_byte_goes_unnoticed(plaintext: bytes, data: st.DataObject) -> None:
    sealed = bytearray(seal(KEY, plaintext, b"place", os.urandom))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Damaged):
        open_sealed(KEY, bytes(sealed), b"place")


@given(st.integers(0, 60))
def test_no_cut_value_opens(length: int) -> None:
    sealed = seal(KEY, b"twenty bytes of text", b"", os.urandom)
    with pytest.raises(Damaged):
        open_sealed(KEY, sealed[:length], b"")


def test_another_place_or_key_does_not_open() -> None:
    sealed = seal(KEY, b"text", b"here", os.urandom)
    for key, bound in ((KEY, b"there"), (bytes([1]) * 32, b"here")):
        with pytest.raises(Damaged):
            open_sealed(key, sealed, bound)


def test_the_same_text_is_never_sealed_alike() -> None:
    assert seal(KEY, b"text", b"", os.urandom) != seal(KEY, b"text", b"", os.urandom)


@given(st.lists(st.binary(max_size=5), max_size=4), st.lists(st.binary(max_size=5), max_size=4))
def test_different_places_are_bound_differently(one: list[bytes], other: list[bytes]) -> None:
    assert (bind(*one) == bind(*other)) == (one == other)


def test_a_sealed_box_is_libsodium_s_and_bound_to_its_place() -> None:
    private = os.urandom(32)
    public = public_key_of(private)
    sealed = seal_to(public, b"text", b"here", os.urandom)
    assert bindings.crypto_box_seal_open(sealed[1:], public, private)[32:] == b"text"
    assert open_sealed_to(public, private, sealed, b"here") == b"text"
    with pytest.raises(Damaged):
        open_sealed_to(public, private, sealed, b"there")
    with pytest.raises(Damaged):
        open_sealed_to(public, private, sealed[:-1], b"here")
    with pytest.raises(Damaged):
        open_sealed_to(public, os.urandom(32), sealed, b"here")


def test_every_purpose_has_its_own_key() -> None:
    vault = make_vault()
    sealed = vault.seal(Purpose.QUEUE, b"text", b"place")
    assert vault.open(Purpose.QUEUE, sealed, b"place") == b"text"
    for purpose in set(Purpose) - {Purpose.QUEUE}:
        with pytest.raises(Damaged):
            vault.open(purpose, sealed, b"place")


def test_tags_and_check_values_hang_on_the_master_key() -> None:
    vault, same, other = make_vault(), make_vault(), Vault(bytes(32), os.urandom)
    assert bytes(32) != MASTER_KEY
    assert vault.tag(b"a", b"b") == same.tag(b"a", b"b")
    assert vault.tag(b"a", b"b") not in (vault.tag(b"ab"), other.tag(b"a", b"b"))
    assert vault.check_value() == same.check_value() != other.check_value()


def test_a_locked_account_takes_what_it_cannot_read() -> None:
    user_key, data_key = os.urandom(32), os.urandom(32)
    public = public_key_of(user_key)
    locked = AccountKeys(b"u" * 16, public, None, None, os.urandom)
    sealed = locked.seal(b"text", b"place")
    with pytest.raises(AccountLocked):
        locked.open(sealed, b"place")
    opened = AccountKeys(b"u" * 16, public, data_key, user_key, os.urandom)
    assert opened.open(sealed, b"place") == b"text"
    assert opened.open(opened.seal(b"text", b"place"), b"place") == b"text"


def test_keys_do_not_show_in_representations() -> None:
    keys = AccountKeys(b"u" * 16, b"p" * 32, b"secret data key", b"secret user key", os.urandom)
    assert "secret" not in repr(keys)
    assert "secret" not in repr(make_vault())
