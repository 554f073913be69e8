"""Our side of TLS: certificate, key and authorities from files, taken again when the files change.

Source: PS3.15 B.12 (BCP 195, RFC 9325, TLS Secure Transport Connection Profile); RFC 9325 4.2.
"""

import datetime
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, NoReturn

import structlog

from apps.core import clock
from apps.core.certificates import Certificate
from apps.dimse.domain import TlsFault

log = structlog.get_logger("isocenter.dimse")

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2; those of 1.3 are all allowed."""
WARN = datetime.timedelta(days=30)

_FAULT_OF_VERIFICATION = {
    2: TlsFault.UNTRUSTED,
    9: TlsFault.NOT_YET_VALID,
    10: TlsFault.EXPIRED,
    18: TlsFault.UNTRUSTED,
    19: TlsFault.UNTRUSTED,
    20: TlsFault.UNTRUSTED,
    21: TlsFault.UNTRUSTED,
    26: TlsFault.PURPOSE,
    62: TlsFault.OTHER_NAME,
    64: TlsFault.OTHER_NAME,
}
"""By OpenSSL's X509_V_ERR_*."""
_FAULT_OF_REASON = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": TlsFault.NO_CERTIFICATE,
    "WRONG_VERSION_NUMBER": TlsFault.NOT_TLS,
    "HTTP_REQUEST": TlsFault.NOT_TLS,
    "UNSUPPORTED_PROTOCOL": TlsFault.NOTHING_COMMON,
    "NO_SHARED_CIPHER": TlsFault.NOTHING_COMMON,
    "VERSION_TOO_LOW": TlsFault.NOTHING_COMMON,
    "TLSV1_ALERT_PROTOCOL_VERSION": TlsFault.NOTHING_COMMON,
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": TlsFault.NOTHING_COMMON,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": TlsFault.NOTHING_COMMON,
}
_ALERTS_ABOUT_OURS = ("UNKNOWN_CA", "CERTIFICATE", "ACCESS_DENIED", "DECRYPT_ERROR")


class TlsSetupError(Exception):
    """Certificate, key or authorities cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files.

    Attributes:
        certificate: ours, followed by those between it and the authority.
        key: its private key, without a passphrase.
        authorities: whose signature we trust, one or several.
    """

    certificate: Path
    key: Path
    authorities: Path

    def __iter__(self) -> Iterator[Path]:
        return iter((self.certificate, self.key, self.authorities))


class Contexts(NamedTuple):
    """What connections are made with."""

    server: ssl.SSLContext
    client: ssl.SSLContext
    client_by_host: ssl.SSLContext
    certificate: Certificate
    authorities: tuple[Certificate, ...]

    def endings(self, at: datetime.datetime) -> tuple[str, ...]:
        """Say which certificates of ours have ended at a moment, or will within `WARN`."""
        named = [("Our certificate", self.certificate)]
        named += [(f"The authority {one.subject}", one) for one in self.authorities]
        return tuple(w for name, one in named if (w := _ending(name, one.ends, at)))


def _ending(name: str, ends: datetime.datetime, at: datetime.datetime) -> str:
    left = ends - at
    if left < datetime.timedelta(0):
        return f"{name} has ended on {ends:%d %b %Y}: TLS fails until it is replaced"
    if left < WARN:
        days = f"{left.days} day{'' if left.days == 1 else 's'}"
        return f"{name} ends on {ends:%d %b %Y}, in {days}"
    return ""


class OurTls:
    """The contexts of the files as they are now; connections that stand keep theirs.

    Attributes:
        problem: why the files as they are now were not taken; empty where they were.
    """

    def __init__(self, files: TlsFiles) -> None:
        """Load the files.

        Raises:
            TlsSetupError: they cannot be used.
        """
        self.files = files
        self.problem = ""
        self._lock = threading.Lock()
        self._seen = self._state()
        self._contexts = load(files)
        self._warn()

    def now(self) -> Contexts:
        """Return the contexts, new ones where a file changed.

        New files that cannot be used, such as a certificate whose key is still to be copied, leave
        the old ones in force until they change again.
        """
        with self._lock:
            state = self._state()
            if state != self._seen:
                self._seen = state
                try:
                    self._contexts = load(self.files)
                except TlsSetupError as error:
                    self.problem = str(error)
                    log.error("TLS files not taken, the old ones stay in force", reason=str(error))
                else:
                    self.problem = ""
                    taken = self._contexts.certificate
                    log.info("TLS files taken", subject=taken.subject, not_after=taken.not_after)
                    self._warn()
            return self._contexts

    def _warn(self) -> None:
        for words in self._contexts.endings(clock.now()):
            log.warning("TLS certificate ends", reason=words)

    def wrap_as_server(self, sock: socket.socket) -> ssl.SSLSocket:
        """Return the socket in TLS, no hand shaken yet; every client has to prove itself."""
        server = self.now().server
        return server.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)

    def wrap_as_client(self, sock: socket.socket, host: str, *, by_host: bool) -> ssl.SSLSocket:
        """Return the socket in TLS, no hand shaken yet.

        Args:
            sock: connected.
            host: the name or address it was connected by.
            by_host: the peer's certificate must be for that host.
        """
        contexts = self.now()
        client = contexts.client_by_host if by_host else contexts.client
        return client.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)

    def _state(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_state(path) for path in self.files)


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - at each connection
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def load(files: TlsFiles) -> Contexts:
    """Return contexts of the files.

    Raises:
        TlsSetupError: with what is wrong with which file.
    """
    for path in files:
        try:
            path.open("rb").close()
        except OSError as error:
            message = f"{path} cannot be read: {error.strerror}"
            raise TlsSetupError(message) from error
    try:
        certificate = Certificate.all_of(files.certificate)[0]
    except ValueError as error:
        message = f"{files.certificate} holds no certificate in PEM form"
        raise TlsSetupError(message) from error
    try:
        authorities = tuple(Certificate.all_of(files.authorities))
    except ValueError as error:
        message = f"{files.authorities} holds no authority's certificate in PEM form"
        raise TlsSetupError(message) from error
    server = _context(ssl.PROTOCOL_TLS_SERVER, files)
    server.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    server.num_tickets = 0  # each association proves its certificate anew
    client = _context(ssl.PROTOCOL_TLS_CLIENT, files)
    client.check_hostname = False
    by_host = _context(ssl.PROTOCOL_TLS_CLIENT, files)
    return Contexts(server, client, by_host, certificate, authorities)


def _context(protocol: int, files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.verify_mode = ssl.CERT_REQUIRED
    context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF  # DICOM says itself when all was sent
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an authority below the root will do
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            message = f"the key in {files.key} is not that of the certificate {files.certificate}"
        else:
            message = f"{files.certificate} with {files.key} cannot be used: {said(error)}"
        raise TlsSetupError(message) from error
    except _PassphraseError as error:
        message = f"the key in {files.key} has a passphrase; give one without, readable by us alone"
        raise TlsSetupError(message) from error
    context.load_verify_locations(files.authorities)
    return context


class _PassphraseError(Exception):
    """OpenSSL would ask at a terminal."""


def _no_passphrase() -> NoReturn:
    raise _PassphraseError


def look(host: str, port: int, seconds: float) -> Certificate | None:
    """Return the certificate that is shown at an address, be it good or not; None where none is.

    For telling a person which one was not accepted: nothing is sent but the greeting.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout=seconds) as sock,
            context.wrap_socket(sock, server_hostname=host) as tls,
        ):
            der = tls.getpeercert(binary_form=True)
    except OSError:
        return None
    return Certificate.of(der) if der else None


def fault_of(error: BaseException | None) -> TlsFault | None:
    """Return which fault an error of a TLS connection is; None where it is none of TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _FAULT_OF_VERIFICATION.get(error.verify_code, TlsFault.NOT_ACCEPTED)
    if not isinstance(error, ssl.SSLError):
        return None
    reason = error.reason or ""
    if reason in _FAULT_OF_REASON:
        return _FAULT_OF_REASON[reason]
    if "ALERT" in reason and any(word in reason for word in _ALERTS_ABOUT_OURS):
        return TlsFault.OURS_REFUSED
    return TlsFault.BROKEN


def said(error: BaseException) -> str:
    """Return what OpenSSL says, without its numbers and source lines."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message)
    if isinstance(error, ssl.SSLError) and error.reason:
        return str(error.reason).lower().replace("_", " ")
    return str(error)
