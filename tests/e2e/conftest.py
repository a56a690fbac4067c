"""Two gateways for all tests of this folder, each a process with an address of its own."""

from collections.abc import Iterator

import pytest
from gateways import MailUser, two_users


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MailUser, MailUser]]:
    """Alice and Bob, at different gateways."""
    with two_users(tmp_path_factory.mktemp("pair")) as users:
        yield users
