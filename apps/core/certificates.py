"""X.509 certificates as people name them: by subject or by fingerprint.

Source: RFC 5280; RFC 4514 (subjects as text).
"""

import datetime
import re
import string
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

FINGERPRINT_DIGITS = 64
_MORE_NAMES = {NameOID.EMAIL_ADDRESS: "emailAddress", NameOID.SERIAL_NUMBER: "serialNumber"}
_MORE_OIDS = {name: oid for oid, name in _MORE_NAMES.items()}


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is said about a certificate.

    Attributes:
        subject: whose it is, RFC 4514: `CN=CT_1,O=Hospital`.
        issuer: who signed it, in the same form.
        fingerprint: SHA-256 of the whole certificate, in upper case with colons as openssl has it.
        not_before: the first moment at which it is valid, ISO 8601.
        not_after: the last one.
    """

    subject: str
    issuer: str
    fingerprint: str
    not_before: str
    not_after: str

    @classmethod
    def of(cls, der: bytes) -> Self:
        """Read one from its DER bytes.

        Raises:
            ValueError: they are no certificate.
        """
        return cls._of(x509.load_der_x509_certificate(der))

    @classmethod
    def _of(cls, one: x509.Certificate) -> Self:
        return cls(
            subject=one.subject.rfc4514_string(_MORE_NAMES),
            issuer=one.issuer.rfc4514_string(_MORE_NAMES),
            fingerprint=one.fingerprint(SHA256()).hex(":").upper(),
            not_before=one.not_valid_before_utc.isoformat(),
            not_after=one.not_valid_after_utc.isoformat(),
        )

    @classmethod
    def all_of(cls, path: Path) -> list[Self]:
        """Read every certificate of a PEM file.

        Raises:
            OSError: it cannot be read.
            ValueError: there is none in it.
        """
        return [cls._of(one) for one in x509.load_pem_x509_certificates(path.read_bytes())]

    @property
    def ends(self) -> datetime.datetime:
        """The last moment at which it is valid."""
        return datetime.datetime.fromisoformat(self.not_after)

    def as_dict(self) -> dict[str, str]:
        """Return it for a JSON column."""
        return asdict(self)

    def is_called(self, name: str) -> bool:
        """Tell whether a name that `checked_name` let through is this certificate's.

        A fingerprint is that of the whole certificate; of a subject every attribute that is named
        must be in the certificate's, whatever else that has and in whichever order.
        """
        if _is_fingerprint(name):
            return _digits(name) == _digits(self.fingerprint)
        try:
            return _attributes(name) <= _attributes(self.subject)
        except ValueError:  # a subject that RFC 4514 cannot write: only its fingerprint names it
            return False


def checked_name(text: str) -> str:
    """Return the name of a certificate as it is kept: a fingerprint or a subject.

    Raises:
        ValueError: neither of both; with words for the person who entered it.
    """
    name = text.strip()
    if _is_fingerprint(name):
        digits = _digits(name)
        return ":".join(digits[i : i + 2] for i in range(0, len(digits), 2))
    spaced = re.sub(r"\s*([,=])\s*", r"\1", name)  # as openssl prints it: CN = CT_1, O = Hospital
    for written in (name, spaced):
        try:
            read = _name(written)
        except ValueError:
            continue
        if list(read):
            return read.rfc4514_string(_MORE_NAMES)
    message = (
        "Name a certificate by its subject, such as CN=ct1.hospital.example, or by its SHA-256 "
        "fingerprint of 64 hexadecimal digits."
    )
    raise ValueError(message)


def _digits(text: str) -> str:
    return "".join(text.replace(":", "").split()).upper()


def _is_fingerprint(text: str) -> bool:
    digits = _digits(text)
    return len(digits) == FINGERPRINT_DIGITS and set(digits) <= set(string.hexdigits)


def _name(subject: str) -> x509.Name:
    return x509.Name.from_rfc4514_string(subject, _MORE_OIDS)


def _attributes(subject: str) -> set[tuple[str, str]]:
    return {(attribute.oid.dotted_string, str(attribute.value)) for attribute in _name(subject)}
