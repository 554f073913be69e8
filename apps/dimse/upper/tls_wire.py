"""A wire through TLS: the same PDUs, another socket below.

An SSL socket answers to no kernel time-out, so each call is given its time by Python's own.
"""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from apps.core.certificates import Certificate
from apps.dimse.domain import TlsFault
from apps.dimse.upper.tls import OurTls, TlsSetupError, fault_of, said
from apps.dimse.upper.wire import Chunk, PeerGoneError, PeerSilentError, Wire, WireError

_HANDSHAKE = b"\x16"
_DICOM_REQUEST = b"\x01"

Wrap = Callable[[socket.socket], ssl.SSLSocket]


class TlsError(WireError):
    """TLS did not come about; nothing of DICOM was said.

    Attributes:
        fault: which kind of failure.
        certificate: the peer's, where it is known.
    """

    def __init__(self, fault: TlsFault, words: str, certificate: Certificate | None = None) -> None:
        self.fault = fault
        self.certificate = certificate
        super().__init__(words)


class TlsWire(Wire):
    """One connected socket; `secure` comes before anything else.

    Attributes:
        certificate: the peer's, verified; None until then.
        protocol: version and cipher suite, as OpenSSL names them.
    """

    def __init__(self, sock: socket.socket, wrap: Wrap) -> None:
        super().__init__(sock)
        self.certificate: Certificate | None = None
        self.protocol = ""
        self._wrap = wrap
        self._seconds = {socket.SO_RCVTIMEO: 60.0, socket.SO_SNDTIMEO: 60.0}
        self._given: float | None = None
        self._tls: ssl.SSLSocket | None = None

    def secure(self, seconds: float, *, as_server: bool) -> None:
        """Shake hands, all in all within this time.

        Raises:
            TlsError: one of the two certificates, or something else, was not accepted.
            PeerGoneError: the peer closed without a word.
            PeerSilentError: it took too long.
        """
        end = time.monotonic() + seconds
        try:
            if as_server:
                self._await_hello(seconds)
            tls = self.socket = self._tls = self._wrap(self.socket)
            tls.settimeout(max(end - time.monotonic(), 0.001))
            tls.do_handshake()
        except TimeoutError as error:
            message = "no TLS handshake in time"
            raise PeerSilentError(message) from error
        except OSError as error:
            self._tls = None
            raise TlsError(fault_of(error) or TlsFault.BROKEN, said(error)) from error
        der = tls.getpeercert(binary_form=True)
        self.certificate = Certificate.of(der) if der else None
        name, version, _ = tls.cipher() or ("", "", 0)
        self.protocol = f"{tls.version() or version} {name}"

    def _await_hello(self, seconds: float) -> None:
        self.socket.settimeout(seconds)
        first = self.socket.recv(1, socket.MSG_PEEK)
        if not first:
            message = "connection closed by the peer"
            raise PeerGoneError(message)
        if first != _HANDSHAKE:
            what = "DICOM without TLS" if first == _DICOM_REQUEST else f"first byte {first[0]:#04x}"
            raise TlsError(TlsFault.NOT_TLS, f"no TLS: {what}")

    # -- time -----------------------------------------------------------------------------

    def _timeout(self, option: int, seconds: float) -> None:
        self._seconds[option] = max(seconds, 0.001)

    def _give(self, seconds: float) -> None:
        if self._given != seconds:
            self.socket.settimeout(seconds)
            self._given = seconds

    # -- receive --------------------------------------------------------------------------

    def _receive(self) -> int:
        self._give(self._seconds[socket.SO_RCVTIMEO])
        if self._tls is None:
            return socket.socket.recv_into(self.socket, self._buffer)
        return self._tls.recv_into(self._buffer)

    def has_input(self) -> bool:
        """Tell without waiting whether something is there to read: whole records only."""
        if self._start < self._end or self._pdu_left:
            return True
        self._give(0.0)
        try:
            count = self.socket.recv_into(self._buffer)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError as error:
            raise PeerGoneError(str(error)) from error
        if not count:
            message = "connection closed by the peer"
            raise PeerGoneError(message)
        self._start, self._end = 0, count
        self.bytes_in += count
        return True

    # -- send -----------------------------------------------------------------------------

    def _send_all(self, data: bytes) -> None:
        self._give(self._seconds[socket.SO_SNDTIMEO])
        self.socket.sendall(data)

    def _send_some(self, vectors: Sequence[Chunk]) -> int:
        whole = b"".join(vectors)
        self._send_all(whole)
        return len(whole)

    # -- end ------------------------------------------------------------------------------

    def _end_sending(self) -> None:
        self._give(self._seconds[socket.SO_RCVTIMEO])
        self._close_notify()
        socket.socket.shutdown(self.socket, socket.SHUT_WR)

    def _close_notify(self) -> None:
        if self._tls is not None:
            with contextlib.suppress(OSError, ValueError):  # the peer may have closed already
                self._tls.unwrap()

    def interrupt(self) -> None:
        """Let a read that waits end; from any thread.

        Raises:
            OSError: the connection is gone.
        """
        socket.socket.shutdown(self.socket, socket.SHUT_RD)

    def close(self) -> None:
        """Say so, then close at once."""
        with contextlib.suppress(OSError):  # it may be closed, or never have been secured
            self._give(0.0)
            self._close_notify()
        self.socket.close()


@dataclass(frozen=True, slots=True)
class PeerTls:
    """How a peer is called over TLS.

    Attributes:
        ours: gives our side of it; None where it is not set up.
        name: the certificate it must show (`Certificate.is_called`); empty: one for its host.
    """

    ours: Callable[[], OurTls | None]
    name: str

    def wire(self, sock: socket.socket, host: str) -> TlsWire:
        """Return the wire, not yet secured.

        Raises:
            TlsError: TLS is not set up here.
        """
        try:
            ours = self.ours()
        except TlsSetupError as error:
            raise TlsError(TlsFault.NOT_SET_UP, str(error)) from error
        if ours is None:
            message = "TLS is not set up here"
            raise TlsError(TlsFault.NOT_SET_UP, message)
        return TlsWire(sock, partial(ours.wrap_as_client, host=host, by_host=not self.name))

    def check(self, certificate: Certificate | None) -> None:
        """See that the peer is who it must be, where that is not said by its host.

        Raises:
            TlsError: its certificate is another.
        """
        if self.name and not (certificate and certificate.is_called(self.name)):
            shown = certificate.subject if certificate else "none"
            message = f"its certificate is {shown}, not {self.name}"
            raise TlsError(TlsFault.OTHER_NAME, message, certificate)
