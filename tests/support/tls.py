"""Certificates for loopback, made once per process: a CA, a good server certificate and bad ones."""

from __future__ import annotations

import atexit
import datetime as dt
import enum
import functools
import ipaddress
import shutil
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_DAY = dt.timedelta(days=1)


class Certificate(enum.Enum):
    """The certificate that the server shows."""

    GOOD = "good"  # for localhost and 127.0.0.1, signed by the CA
    WRONG_HOST = "wrong_host"  # for another host, signed by the CA
    EXPIRED = "expired"  # for localhost and 127.0.0.1, signed by the CA, of last year
    UNTRUSTED = "untrusted"  # for localhost and 127.0.0.1, signed by another CA of the same name


class Authority:
    """A CA in a directory of its own, and the certificates it signed.

    ``ca_bundle`` is the path of the CA's certificate, ``client_cert`` that of a PEM with a client's
    certificate and key, for servers that ask for one.
    """

    def __init__(self, directory: Path) -> None:
        self.ca_bundle = directory / "ca.pem"
        self.client_cert = directory / "client.pem"
        self._directory = directory
        self._key, self._certificate = _make_ca()
        self.ca_bundle.write_bytes(_pem(self._certificate))
        key, certificate = self._sign("client")
        self.client_cert.write_bytes(_pem(certificate) + _key_pem(key))

    def remove(self) -> None:
        """Delete the directory."""
        shutil.rmtree(self._directory, ignore_errors=True)

    @functools.cache  # noqa: B019 - there is one authority, and it lives as long as the process
    def server_context(self, certificate: Certificate, *, ask_client: bool = False) -> ssl.SSLContext:
        """A server's context that shows this certificate, and may demand one of the client."""
        match certificate:
            case Certificate.GOOD:
                key, signed = self._sign("localhost")
            case Certificate.WRONG_HOST:
                key, signed = self._sign("elsewhere.example", addresses=())
            case Certificate.EXPIRED:
                key, signed = self._sign("localhost", ends=-_DAY)
            case Certificate.UNTRUSTED:
                key, signed = self._sign("localhost", by=_make_ca())
        path = self._directory / f"{certificate.value}.pem"
        path.write_bytes(_pem(signed) + _key_pem(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        if ask_client:
            context.load_verify_locations(self.ca_bundle)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _sign(
        self,
        name: str,
        *,
        addresses: tuple[str, ...] = ("127.0.0.1",),
        ends: dt.timedelta = 365 * _DAY,
        by: tuple[EllipticCurvePrivateKey, x509.Certificate] | None = None,
    ) -> tuple[EllipticCurvePrivateKey, x509.Certificate]:
        ca_key, ca = by or (self._key, self._certificate)
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName(name)]
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(ca.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 365 * _DAY)
            .not_valid_after(now + ends)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
            )
        )
        return key, builder.sign(ca_key, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])


def _make_ca() -> tuple[EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name("lambda_invoke test CA"))
        .issuer_name(_name("lambda_invoke test CA"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 365 * _DAY)
        .not_valid_after(now + 365 * _DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@functools.cache
def authority() -> Authority:
    """The process's authority; its directory goes when the process ends."""
    made = Authority(Path(tempfile.mkdtemp(prefix="lambda-invoke-tls-")))
    atexit.register(made.remove)
    return made
