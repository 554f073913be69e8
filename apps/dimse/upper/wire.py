"""The socket below an association: PDUs in, fragments streamed, messages out.

Received data sets are handed on in the pieces in which they arrive, never collected: the memory
of a transfer is one buffer whatever the object's size. Time-outs are the kernel's (SO_RCVTIMEO),
so that waiting costs no further system call a read.

Source: PS3.8 9.3.4 (P-DATA-TF), Annex E (message fragments).
"""

import select
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from apps.dimse.upper import pdu

RECEIVE_BUFFER_BYTES = 256 * 1024
SEND_CHUNK_BYTES = 1024 * 1024
MAX_CONTROL_PDU_BYTES = 1024 * 1024
MAX_COMMAND_BYTES = 64 * 1024
MIN_PEER_PDU_BYTES = 128
_MAX_VECTORS = 512

_HEADER = struct.Struct(">BxI")
_PDV = struct.Struct(">IBB")
_PDATA = struct.Struct(">BxIIBB")
_TIMEVAL = struct.Struct("ll")
_COMMAND_BIT, _LAST_BIT = 0x01, 0x02


class WireError(Exception):
    """The connection is of no further use."""


class PeerGoneError(WireError):
    """The peer closed or reset the connection."""


class PeerSilentError(WireError):
    """Nothing came, or nothing could be sent, within the time allowed."""


class ProtocolError(WireError):
    """The peer broke the protocol; `abort` is what to tell it."""

    def __init__(self, message: str, abort: tuple[int, int] = pdu.ABORT_INVALID_PARAMETER) -> None:
        self.abort = abort
        super().__init__(message)


class BrokenSourceError(WireError):
    """What was being sent could not be read to its end; only an abort is left."""


class ControlPduError(WireError):
    """Instead of P-DATA came a release, an abort or something else."""

    def __init__(self, kind: int, payload: bytes) -> None:
        self.kind = kind
        self.payload = payload
        super().__init__(f"PDU {kind:#04x}")


class Fragment(NamedTuple):
    """Header of one presentation data value."""

    context_id: int
    is_command: bool
    is_last: bool
    length: int


Write = Callable[[memoryview], object]
Chunk = bytes | memoryview


class Wire:
    """One connected socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(None)
        self._buffer = memoryview(bytearray(RECEIVE_BUFFER_BYTES))
        self._start = self._end = 0
        self._pdu_left = 0
        self.max_fragment_bytes = 16384 - 6
        self.deadline: float | None = None
        """Monotonic time by which everything asked for must have come, however slowly it drips."""
        self.bytes_in = 0
        self.bytes_out = 0

    # -- time -----------------------------------------------------------------------------

    def receive_timeout(self, seconds: float) -> None:
        """Let a single read wait this long."""
        self._timeout(socket.SO_RCVTIMEO, seconds)

    def send_timeout(self, seconds: float) -> None:
        """Let a single write wait this long."""
        self._timeout(socket.SO_SNDTIMEO, seconds)

    def _timeout(self, option: int, seconds: float) -> None:
        whole = max(seconds, 0.001)
        value = _TIMEVAL.pack(int(whole), int(whole % 1 * 1_000_000))
        self.socket.setsockopt(socket.SOL_SOCKET, option, value)

    def peer_accepts(self, max_pdu_bytes: int) -> None:
        """Take over the peer's maximum length; 0 means no limit. Source: PS3.8 D.1."""
        if 0 < max_pdu_bytes < MIN_PEER_PDU_BYTES:
            message = f"a maximum length of {max_pdu_bytes} bytes"
            raise ProtocolError(message)
        self.max_fragment_bytes = min(max_pdu_bytes or SEND_CHUNK_BYTES, SEND_CHUNK_BYTES) - 6

    # -- receive --------------------------------------------------------------------------

    def _fill(self) -> None:
        if self.deadline is not None:
            left = self.deadline - time.monotonic()
            if left <= 0:
                message = "nothing whole received in time"
                raise PeerSilentError(message)
            self.receive_timeout(left)
        try:
            count = self._receive()
        except (BlockingIOError, TimeoutError) as error:
            message = "nothing received in time"
            raise PeerSilentError(message) from error
        except OSError as error:
            raise PeerGoneError(str(error)) from error
        if not count:
            message = "connection closed by the peer"
            raise PeerGoneError(message)
        self._start, self._end = 0, count
        self.bytes_in += count

    def _receive(self) -> int:
        """Read what there is into the buffer; 0 at the end."""
        return self.socket.recv_into(self._buffer)

    def _take(self, size: int) -> bytes:
        """Return exactly `size` bytes."""
        if self._end - self._start >= size:
            self._start += size
            return bytes(self._buffer[self._start - size : self._start])
        collected = bytearray()
        self._stream(size, collected.extend)
        return bytes(collected)

    def _stream(self, size: int, write: Write) -> None:
        """Pass on exactly `size` bytes as they come; what `write` gets is valid for the call."""
        while size:
            if self._start == self._end:
                self._fill()
            piece = self._buffer[self._start : min(self._end, self._start + size)]
            write(piece)
            self._start += len(piece)
            size -= len(piece)

    def wait(self) -> None:
        """Block until something is there to read."""
        if self._start == self._end:
            self._fill()

    def has_input(self) -> bool:
        """Tell without waiting whether something is there to read."""
        if self._start < self._end or self._pdu_left:
            return True
        return bool(select.select([self.socket], [], [], 0)[0])

    def read_pdu(self) -> tuple[int, bytes]:
        """Read a PDU that is not P-DATA.

        Raises:
            ProtocolError: unknown type, or larger than any such PDU has reason to be.
        """
        kind, length = _HEADER.unpack(self._take(6))
        return kind, self._control_payload(kind, length)

    def _control_payload(self, kind: int, length: int) -> bytes:
        if not pdu.ASSOCIATE_RQ <= kind <= pdu.ABORT:
            message = f"no DICOM: first byte {kind:#04x}"
            raise ProtocolError(message, pdu.ABORT_UNRECOGNISED_PDU)
        if kind == pdu.P_DATA_TF:
            message = "P-DATA outside an association"
            raise ProtocolError(message, pdu.ABORT_UNEXPECTED_PDU)
        if length > MAX_CONTROL_PDU_BYTES:
            message = f"PDU {kind:#04x} of {length} bytes"
            raise ProtocolError(message)
        return self._take(length)

    def next_fragment(self) -> Fragment:
        """Read the next PDV's header, and its PDU's where a new one starts.

        Raises:
            ControlPduError: another PDU than P-DATA came.
            ProtocolError: lengths that do not add up.
        """
        while not self._pdu_left:
            kind, length = _HEADER.unpack(self._take(6))
            if kind != pdu.P_DATA_TF:
                raise ControlPduError(kind, self._control_payload(kind, length))
            self._pdu_left = length
        if self._pdu_left < 6:
            message = "P-DATA ends inside a presentation data value"
            raise ProtocolError(message)
        length, context_id, control = _PDV.unpack(self._take(6))
        if length < 2 or length + 4 > self._pdu_left:
            message = f"a presentation data value of {length} bytes"
            raise ProtocolError(message)
        self._pdu_left -= length + 4
        return Fragment(
            context_id, bool(control & _COMMAND_BIT), bool(control & _LAST_BIT), length - 2
        )

    def read_command(self) -> tuple[int, bytes]:
        """Read a whole command set; return its presentation context and bytes."""
        collected = bytearray()
        while True:
            fragment = self.next_fragment()
            if not fragment.is_command:
                message = "a data set without a command"
                raise ProtocolError(message, pdu.ABORT_UNEXPECTED_PDU)
            if len(collected) + fragment.length > MAX_COMMAND_BYTES:
                message = "a command set without end"
                raise ProtocolError(message)
            self._stream(fragment.length, collected.extend)
            if fragment.is_last:
                return fragment.context_id, bytes(collected)

    def stream_data_set(self, context_id: int, write: Write) -> int:
        """Pass a whole data set to `write` as it comes; return its length in bytes.

        The pieces are views of the one receive buffer: `write` copies what it keeps.
        """
        total = 0
        while True:
            fragment = self.next_fragment()
            if fragment.is_command or fragment.context_id != context_id:
                message = "fragments of two messages mixed"
                raise ProtocolError(message, pdu.ABORT_UNEXPECTED_PDU)
            self._stream(fragment.length, write)
            total += fragment.length
            if fragment.is_last:
                return total

    # -- send -----------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Send bytes whole."""
        try:
            self._send_all(data)
        except (BlockingIOError, TimeoutError) as error:
            message = "the peer takes nothing"
            raise PeerSilentError(message) from error
        except OSError as error:
            raise PeerGoneError(str(error)) from error
        self.bytes_out += len(data)

    def _send_all(self, data: bytes) -> None:
        self.socket.sendall(data)

    def _send_some(self, vectors: Sequence[Chunk]) -> int:
        return self.socket.sendmsg(vectors)

    def _fragments(
        self, context_id: int, data: Chunk, control: int, *, last: bool
    ) -> Iterator[Chunk]:
        """Yield header and value of each PDV, one PDV to a PDU."""
        size, view = self.max_fragment_bytes, memoryview(data)
        for offset in range(0, len(view) or 1, size):
            piece = view[offset : offset + size]
            flags = control | (_LAST_BIT if last and offset + size >= len(view) else 0)
            length = len(piece)
            yield _PDATA.pack(pdu.P_DATA_TF, length + 6, length + 2, context_id, flags)
            yield piece

    def message(self, context_id: int, command: bytes, data_set: bytes | None = None) -> bytes:
        """Return a whole message as it goes over the wire, to be joined with others and sent."""
        parts = list(self._fragments(context_id, command, _COMMAND_BIT, last=True))
        if data_set is not None:
            parts += self._fragments(context_id, data_set, 0, last=True)
        return b"".join(parts)

    def send_stream(self, context_id: int, command: bytes, chunks: Iterable[Chunk]) -> None:
        """Send a message whose data set comes in chunks, each sent as it comes.

        The first chunk is asked for before anything is sent: an error in it leaves the connection
        as it was.

        Raises:
            BrokenSourceError: a later chunk could not be had.
        """
        source = iter(chunks)
        chunk: Chunk = next(source, b"")
        vectors = list(self._fragments(context_id, command, _COMMAND_BIT, last=True))
        while True:
            try:
                following = next(source, None)
            except Exception as error:
                message = "an object could not be read to its end"
                raise BrokenSourceError(message) from error
            vectors += self._fragments(context_id, chunk, 0, last=following is None)
            self._send_vectors(vectors)
            if following is None:
                return
            vectors, chunk = [], following

    def _send_vectors(self, vectors: list[Chunk]) -> None:
        try:
            while vectors:
                sent = self._send_some(vectors[:_MAX_VECTORS])
                self.bytes_out += sent
                done = 0
                while done < min(len(vectors), _MAX_VECTORS) and sent >= len(vectors[done]):
                    sent -= len(vectors[done])
                    done += 1
                del vectors[:done]
                if sent:
                    vectors[0] = memoryview(vectors[0])[sent:]
        except (BlockingIOError, TimeoutError) as error:
            message = "the peer takes nothing"
            raise PeerSilentError(message) from error
        except OSError as error:
            raise PeerGoneError(str(error)) from error

    # -- end ------------------------------------------------------------------------------

    def finish(self, seconds: float) -> None:
        """Say that nothing more comes, wait for the peer to close, then close.

        Closing with unread input would reset the connection and could destroy what was sent last.
        """
        try:
            self.receive_timeout(seconds)
            self._end_sending()
            for _ in range(64):
                self._fill()
        except (WireError, OSError):
            pass  # however it ends, it ends here
        self.close()

    def _end_sending(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def interrupt(self) -> None:
        """Let a read that waits end; from any thread.

        Raises:
            OSError: the connection is gone.
        """
        self.socket.shutdown(socket.SHUT_RD)

    def close(self) -> None:
        """Close at once."""
        self.socket.close()
