"""Real databases for tests: a fresh one takes a few milliseconds on SQLite."""

import itertools
import os
from pathlib import Path

from bmgate.bm.keys import random_keys
from bmgate.domain.account import Account, Level
from bmgate.domain.identity import NewIdentity
from bmgate.domain.mailbox import NewContent
from bmgate.domain.ports.database import Failpoints, Store
from bmgate.storage.database import SealedDatabase, open_database
from bmgate.storage.passwords import Argon2Cost, PasswordSlots
from bmgate.storage.vault import Vault

NOW = 1_700_000_000
MASTER_KEY = bytes(range(32))
CHEAP = Argon2Cost(operations=1, memory_bytes=8192)
PASSWORD = "correct horse"


def make_vault() -> Vault:
    """With the master key of all test databases, and no account open."""
    return Vault(MASTER_KEY, os.urandom)


def make_passwords(vault: Vault) -> PasswordSlots:
    """Passwords that cost next to nothing."""
    return PasswordSlots(vault, CHEAP)


def make_database(tmp_path: Path, vault: Vault | None = None, failpoints: Failpoints | None = None) -> SealedDatabase:
    """A SQLite database in `tmp_path`; made at the first call, opened again at later ones."""
    return open_database(tmp_path / "bmgate.db", vault or make_vault(), "test", failpoints)


_names = (f"user{number}" for number in itertools.count(1))


def add_account(store: Store, passwords: PasswordSlots, name: str = "", level: Level = Level.L0) -> Account:
    """An account that opens with `PASSWORD`."""
    keys = passwords.new_account(PASSWORD, level)
    return store.accounts.add(name or next(_names), keys, level, None, NOW)


def new_identity(label: str = "", is_default: bool = True) -> NewIdentity:
    """With random keys; the work it demands is that of the test network."""
    keys = random_keys(os.urandom, leading_zeros=0)
    return NewIdentity(keys.public.address(), keys, label, is_default, 1, 1000, NOW)


def new_content(text: str = "hello") -> NewContent:
    """A small mail with an index that nobody reads."""
    return NewContent(b"Subject: " + text.encode() + b"\r\n\r\n", b"index of " + text.encode(), text.encode() * 3)
