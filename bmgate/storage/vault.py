"""The keys at rest: the master key with its sub-keys, and the accounts whose keys are at hand.

The master key (MK) opens what must work while nobody is logged in. An account's user key (USK) opens its data key
(UDK), and that its mail; what arrives while both are away is sealed to the account's public key (UPK).
"""

import hashlib
import hmac
import threading
from dataclasses import dataclass, field
from enum import Enum

from nacl import bindings

from bmgate.bm.keys import Entropy
from bmgate.errors import AccountLocked
from bmgate.storage.opened import OpenedHeads
from bmgate.storage.sealing import KEY_SIZE, UNDER_KEY, bind, open_sealed, open_sealed_to, seal, seal_to


class Purpose(Enum):
    """What a sub-key of the master key is for; the value goes into its derivation."""

    ENCRYPTION_KEYS = b"bmg-wrap-enckeys"
    QUEUE = b"bmg-wrap-queue"
    SUBSCRIPTIONS = b"bmg-wrap-subscr"
    USER_KEYS = b"bmg-wrap-userkey"
    SECRETS = b"bmg-wrap-secrets"
    CACHE = b"bmg-wrap-cache"
    INDEX = b"bmg-index-hmac"
    CHECK = b"bmg-key-check"


@dataclass(frozen=True, slots=True, repr=False)
class AccountKeys:
    """The keys of one account, as far as they are at hand. `data_key` and `user_key` are None while it is locked."""

    uuid: bytes
    public_key: bytes
    data_key: bytes | None
    user_key: bytes | None
    entropy: Entropy = field(compare=False)

    @property
    def is_open(self) -> bool:
        return self.data_key is not None

    def seal(self, plaintext: bytes, *place: bytes) -> bytes:
        """For this account only, open or locked; `place` says what the value is and where it belongs."""
        bound = bind(self.uuid, *place)
        if self.data_key is None:
            return seal_to(self.public_key, plaintext, bound, self.entropy)
        return seal(self.data_key, plaintext, bound, self.entropy)

    def open(self, sealed: bytes, *place: bytes) -> bytes:
        """Raises AccountLocked, or Damaged when it was not sealed for this place."""
        bound = bind(self.uuid, *place)
        if self.data_key is None or self.user_key is None:
            raise AccountLocked("this account opens when its owner logs in")
        if sealed[:1] == UNDER_KEY:
            return open_sealed(self.data_key, sealed, bound)
        return open_sealed_to(self.public_key, self.user_key, sealed, bound)


class Vault:
    """Seals and opens under the master key, and remembers open accounts. Threads may share it."""

    def __init__(self, master_key: bytes, entropy: Entropy) -> None:
        assert len(master_key) == KEY_SIZE
        self.entropy = entropy
        self._keys = {
            purpose: hashlib.blake2b(
                key=master_key, person=purpose.value.ljust(16, b"\0"), digest_size=KEY_SIZE
            ).digest()
            for purpose in Purpose
        }
        self._lock = threading.Lock()
        self._user_keys: dict[bytes, bytes] = {}
        self._open: dict[bytes, AccountKeys] = {}
        self.opened = OpenedHeads()

    def seal(self, purpose: Purpose, plaintext: bytes, *place: bytes) -> bytes:
        """Under the sub-key for `purpose`."""
        return seal(self._keys[purpose], plaintext, bind(*place), self.entropy)

    def open(self, purpose: Purpose, sealed: bytes, *place: bytes) -> bytes:
        """Raises Damaged."""
        return open_sealed(self._keys[purpose], sealed, bind(*place))

    def tag(self, *parts: bytes) -> bytes:
        """32 bytes that find a value again without telling it."""
        return hmac.digest(self._keys[Purpose.INDEX], bind(*parts), "sha256")

    def check_value(self) -> bytes:
        """32 bytes by which a database knows its master key."""
        return hmac.digest(self._keys[Purpose.CHECK], b"bmgate", "sha256")

    # -- accounts --------------------------------------------------------------------------------------------------

    def unlock(self, user_key: bytes) -> None:
        """The owner has proved to be there: the account of this key is open from now on."""
        public_key = public_key_of(user_key)
        with self._lock:
            self._user_keys[public_key] = user_key

    def lock(self, public_key: bytes) -> None:
        """Forget the keys of the account with this public key, and all headers that were opened."""
        with self._lock:
            self._user_keys.pop(public_key, None)
            self._open.pop(public_key, None)
        self.opened.clear()

    def keys_at_hand(self, public_key: bytes) -> AccountKeys | None:
        """The keys of an account opened before."""
        return self._open.get(public_key)

    def open_account(
        self, uuid: bytes, public_key: bytes, wrapped_data_key: bytes, master_slot: bytes | None
    ) -> AccountKeys:
        """The account's keys, open where its owner unlocked them or the master key has a slot."""
        user_key = self._user_keys.get(public_key)
        if user_key is None and master_slot is not None:
            user_key = self.open(Purpose.USER_KEYS, master_slot, uuid)
        if user_key is None:
            return AccountKeys(uuid, public_key, None, None, self.entropy)
        data_key = open_sealed_to(public_key, user_key, wrapped_data_key, bind(uuid, b"data key"))
        keys = AccountKeys(uuid, public_key, data_key, user_key, self.entropy)
        with self._lock:
            self._open[public_key] = keys
        return keys


def public_key_of(user_key: bytes) -> bytes:
    """The X25519 public key of a user key."""
    return bindings.crypto_scalarmult_base(user_key)
