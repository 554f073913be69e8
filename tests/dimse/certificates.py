"""Authorities, certificates and keys made for a test, as PEM files."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from apps.core import clock
from apps.core.certificates import Certificate
from apps.dimse.upper.tls import TlsFiles

DAY = datetime.timedelta(days=1)
BOTH = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)


@dataclass
class Issued:
    """A certificate and its key."""

    certificate: Path
    key: Path

    @property
    def read(self) -> Certificate:
        return Certificate.all_of(self.certificate)[0]


class Authority:
    """A certificate authority of the test."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        now = clock.now()
        built = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(self.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + 3650 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, SHA256())
        )
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(built.public_bytes(Encoding.PEM))

    def issue(
        self, name: str, *, days: float = 365, host: str = "", usages=BOTH, file: str = ""
    ) -> Issued:
        """Sign a certificate of this common name; with `host`, one for that name or address."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = clock.now()
        builder = (
            x509.CertificateBuilder()
            .subject_name(
                x509.Name(
                    [
                        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test Hospital"),
                        x509.NameAttribute(NameOID.COMMON_NAME, name),
                    ]
                )
            )
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(now, now + days * DAY) - DAY)
            .not_valid_after(now + days * DAY)
            .add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
        )
        if host:
            try:
                general: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
            except ValueError:
                general = x509.DNSName(host)
            builder = builder.add_extension(x509.SubjectAlternativeName([general]), critical=False)
        stem = file or name
        issued = Issued(self.folder / f"{stem}.crt", self.folder / f"{stem}.key")
        issued.certificate.write_bytes(builder.sign(self.key, SHA256()).public_bytes(Encoding.PEM))
        issued.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return issued

    def files(self, issued: Issued) -> TlsFiles:
        """What a listener with this certificate is given."""
        return TlsFiles(issued.certificate, issued.key, self.path)
