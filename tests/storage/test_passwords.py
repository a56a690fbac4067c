"""Slots: who has the password has the key."""

import pytest
from storage_fixtures import make_passwords, make_vault

from bmgate.domain.account import Level
from bmgate.domain.ports.world import Passwords
from bmgate.storage.passwords import MASTER_SLOT, PASSWORD_SLOT, Argon2Cost, PasswordSlots
from bmgate.storage.sealing import Damaged
from bmgate.storage.vault import public_key_of


def satisfies_the_port(passwords: PasswordSlots) -> Passwords:
    return passwords


def test_the_right_password_opens_and_a_wrong_one_does_not() -> None:
    passwords = make_passwords(make_vault())
    keys = passwords.new_account("correct horse", Level.L0)
    slot = keys.slots[0]
    user_key = passwords.open_slot(slot.parameters, slot.wrapped, "correct horse")
    assert user_key is not None
    assert public_key_of(user_key) == keys.public_key
    assert passwords.open_slot(slot.parameters, slot.wrapped, "correct horsf") is None


def test_only_level_0_has_a_slot_of_the_master_key() -> None:
    passwords = make_passwords(make_vault())
    kinds = {level: [slot.kind for slot in passwords.new_account("p", level).slots] for level in Level}
    assert kinds == {Level.L0: [PASSWORD_SLOT, MASTER_SLOT], Level.L1: [PASSWORD_SLOT]}


def test_a_new_password_opens_the_same_key() -> None:
    passwords = make_passwords(make_vault())
    first = passwords.new_account("first password", Level.L1).slots[0]
    user_key = passwords.open_slot(first.parameters, first.wrapped, "first password")
    assert user_key is not None
    second = passwords.new_slot(user_key, "second password")
    assert passwords.open_slot(second.parameters, second.wrapped, "second password") == user_key
    assert passwords.open_slot(second.parameters, second.wrapped, "first password") is None


def test_two_slots_of_one_password_have_nothing_in_common() -> None:
    passwords = make_passwords(make_vault())
    user_key = bytes(range(32))
    one, other = passwords.new_slot(user_key, "same"), passwords.new_slot(user_key, "same")
    assert one.wrapped[:32] != other.wrapped[:32]


def test_the_cost_stands_in_the_slot() -> None:
    vault = make_vault()
    cheap = PasswordSlots(vault, Argon2Cost(1, 8192))
    slot = cheap.new_slot(bytes(range(32)), "password")
    assert PasswordSlots(vault, Argon2Cost(2, 16_384)).open_slot(slot.parameters, slot.wrapped, "password") is not None


@pytest.mark.parametrize("place", [0, 30])
def test_a_slot_of_another_version_or_owner_is_refused(place: int) -> None:
    passwords = make_passwords(make_vault())
    slot = passwords.new_slot(bytes(range(32)), "password")
    changed = bytearray(slot.parameters)
    changed[place] ^= 1
    with pytest.raises(Damaged):
        passwords.open_slot(bytes(changed), slot.wrapped, "password")


def test_wasting_time_raises_nothing() -> None:
    make_passwords(make_vault()).waste("whatever \udcff")
