"""Certificates for mail programs: a CA of our own and a server certificate, where the operator brings none.

RSA 2048, SHA-256, subjectAltName, at most 825 days (Apple's limit). The CA stays here; nothing installs it anywhere.
"""

import datetime
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bmgate.datafolder import private

CA_DAYS, SERVER_DAYS = 3650, 820
KEY_BITS = 2048


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """PEM files: the server's chain, own certificate first; its key; the CA to trust."""

    chain: Path
    key: Path
    authority: Path

    @property
    def exist(self) -> bool:
        """Whether chain and key are there."""
        return self.chain.exists() and self.key.exists()


def own_files(folder: Path) -> CertificateFiles:
    """Where our own certificate lies in the data folder's `tls/`."""
    return CertificateFiles(folder / "server.pem", folder / "server.key", folder / "ca.pem")


def create(folder: Path, hosts: Iterable[str], now: int) -> CertificateFiles:
    """Make CA and server certificate in `folder` for `hosts`, names and IP addresses; `now` in Unix seconds.

    This machine's own names and loopback addresses are in it anyway.
    """
    files = own_files(folder)
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    ca_key, server_key = _new_key(), _new_key()
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"bmgate CA of {socket.gethostname()}"[:64])])
    authority = _authority(ca_key, ca_name, moment)
    server = _server(server_key, ca_key, ca_name, hosts, moment)
    _write(folder / "ca.key", _key_pem(ca_key))
    _write(files.key, _key_pem(server_key))
    _write(files.authority, authority.public_bytes(serialization.Encoding.PEM))
    chain = [each.public_bytes(serialization.Encoding.PEM) for each in (server, authority)]
    _write(files.chain, b"".join(chain))
    return files


def fingerprint(chain: Path) -> str:
    """The SHA-256 fingerprint of the first certificate, as mail programs show it."""
    certificate = x509.load_pem_x509_certificate(chain.read_bytes())
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _authority(key: rsa.RSAPrivateKey, name: x509.Name, moment: datetime.datetime) -> x509.Certificate:
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        _builder(name, name, key, moment, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _server(
    key: rsa.RSAPrivateKey,
    ca_key: rsa.RSAPrivateKey,
    issuer: x509.Name,
    hosts: Iterable[str],
    moment: datetime.datetime,
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    known = dict.fromkeys(("localhost", socket.gethostname(), "127.0.0.1", "::1", *hosts))
    return (
        _builder(name, issuer, key, moment, SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in known]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey, moment: datetime.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - datetime.timedelta(days=1))
        .not_valid_after(moment + datetime.timedelta(days=days))
    )


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


def _key_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes) -> None:
    with open(path, "wb", opener=private) as file:
        file.write(data)
