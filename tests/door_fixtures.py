"""What the tests of doors on Twisted share: a certificate and who trusts it, and houses that want TLS."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from door_houses import DoorHouse
from twisted.internet.ssl import CertificateOptions

from bmgate.tcp.listening import tls_options


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> CertificateOptions:
    folder = tmp_path_factory.mktemp("tls")
    issued = authority.issue_cert("localhost", "127.0.0.1")
    key, chain = folder / "key.pem", folder / "chain.pem"
    issued.private_key_pem.write_to_path(str(key))
    for blob in issued.cert_chain_pems:
        blob.write_to_path(str(chain), append=True)
    return tls_options(Path(key), Path(chain))


@pytest.fixture(scope="session")
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def guarded(
    make_house: Callable[..., DoorHouse[Any, Any, Any]], server_tls: CertificateOptions
) -> DoorHouse[Any, Any, Any]:
    """A listener with STARTTLS, or STLS, that takes no password in clear."""
    return make_house(starttls=server_tls, allow_plaintext=False)


@pytest.fixture
def secure(
    make_house: Callable[..., DoorHouse[Any, Any, Any]], server_tls: CertificateOptions
) -> DoorHouse[Any, Any, Any]:
    """A listener with TLS from the first octet."""
    return make_house(tls=server_tls, allow_plaintext=False)
