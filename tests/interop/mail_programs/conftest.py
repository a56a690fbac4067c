"""Two gateways whose doors are on 127.0.0.1, under the name that is in their certificates."""

from collections.abc import Iterator

import pytest
from gateways import MailUser, two_users

LOOPBACK = {(door, "listen"): "127.0.0.1" for door in ("imap", "pop3", "smtp")}


@pytest.fixture(scope="session")
def mail_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MailUser, MailUser]]:
    """Alice and Bob, at different gateways."""
    with two_users(tmp_path_factory.mktemp("mail-programs"), LOOPBACK) as users:
        yield users
