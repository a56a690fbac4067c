"""Slots: the ways into an account. A chosen password costs one Argon2id run: it gives a verifier and a wrapping key.

Nothing stored leads from the verifier to the wrapping key. A slot names the public key of its account, so that it opens
no other; Argon2id's cost stands in each slot, so that it can be raised.
"""

import hashlib
import hmac
import struct
from dataclasses import dataclass

from nacl import bindings

from bmgate.domain.account import Level
from bmgate.domain.ports.world import NewAccountKeys, NewSlot
from bmgate.storage.sealing import KEY_SIZE, Damaged, bind, open_sealed, seal, seal_to
from bmgate.storage.vault import Purpose, Vault, public_key_of

PASSWORD_SLOT = "password"  # noqa: S105
MASTER_SLOT = "master"

UUID_SIZE = 16

_VERSION = 1
_PARAMETERS = struct.Struct(">BII16s32s")  # version, operations, memory in bytes, salt, public key
_SALT_SIZE = 16


@dataclass(frozen=True, slots=True)
class Argon2Cost:
    """How dear a guess is: passes over `memory_bytes`."""

    operations: int = 2
    memory_bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PasswordSlots:
    """The `Passwords` port."""

    vault: Vault
    cost: Argon2Cost = Argon2Cost()

    def new_account(self, password: str, level: Level) -> NewAccountKeys:
        """Fresh keys for an account, with its password slot and, at L0, the slot of the master key."""
        entropy = self.vault.entropy
        uuid, user_key, data_key = entropy(UUID_SIZE), entropy(KEY_SIZE), entropy(KEY_SIZE)
        public_key = public_key_of(user_key)
        slots = [self.new_slot(user_key, password)]
        if level is Level.L0:
            slots.append(NewSlot(MASTER_SLOT, b"", self.vault.seal(Purpose.USER_KEYS, user_key, uuid)))
        return NewAccountKeys(
            uuid,
            public_key,
            seal_to(public_key, data_key, bind(uuid, b"data key"), entropy),
            self.vault.seal(Purpose.SECRETS, entropy(2 * KEY_SIZE), uuid),
            tuple(slots),
        )

    def new_slot(self, user_key: bytes, password: str) -> NewSlot:
        """A password slot for the existing user key."""
        salt = self.vault.entropy(_SALT_SIZE)
        public_key = public_key_of(user_key)
        parameters = _PARAMETERS.pack(_VERSION, self.cost.operations, self.cost.memory_bytes, salt, public_key)
        verifier, wrapping_key = _derive(password, salt, self.cost)
        return NewSlot(
            PASSWORD_SLOT, parameters, verifier + seal(wrapping_key, user_key, parameters, self.vault.entropy)
        )

    def open_slot(self, parameters: bytes, wrapped: bytes, password: str) -> bytes | None:
        """The user key inside a password slot, or None when the password is wrong; unlocks the account."""
        if len(parameters) != _PARAMETERS.size or parameters[0] != _VERSION:
            raise Damaged(f"password slot of version {parameters[:1].hex()}")
        _, operations, memory_bytes, salt, public_key = _PARAMETERS.unpack(parameters)
        verifier, wrapping_key = _derive(password, salt, Argon2Cost(operations, memory_bytes))
        if not hmac.compare_digest(verifier, wrapped[:KEY_SIZE]):
            return None
        user_key = open_sealed(wrapping_key, wrapped[KEY_SIZE:], parameters)
        if public_key_of(user_key) != public_key:
            raise Damaged("password slot with the key of another account")
        self.vault.unlock(user_key)
        return user_key

    def waste(self, password: str) -> None:
        """Spend as long as `open_slot` does: for names that do not exist (T7)."""
        _derive(password, bytes(_SALT_SIZE), self.cost)


def slot_owner(parameters: bytes) -> bytes:
    """The public key a password slot was made for."""
    return parameters[-KEY_SIZE:]


def _derive(password: str, salt: bytes, cost: Argon2Cost) -> tuple[bytes, bytes]:
    secret = bindings.crypto_pwhash_alg(
        64,
        password.encode(errors="surrogatepass"),
        salt,
        cost.operations,
        cost.memory_bytes,
        bindings.crypto_pwhash_ALG_ARGON2ID13,
    )
    verifier = hashlib.blake2b(key=secret, person=b"bmg-pw-verifier", digest_size=KEY_SIZE).digest()
    return verifier, hashlib.blake2b(key=secret, person=b"bmg-pw-wrapping", digest_size=KEY_SIZE).digest()
