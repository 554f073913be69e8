"""MLLP server: one thread for each connection, bounded in number, time and size.

Several processes may serve one listening socket (``mllp_listener --processes``); each has its own
server and threads. Source: HL7 v2 Transport: MLLP, Release 1.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from apps.hl7.domain.framing import FrameReader, FramingError, frame

log = structlog.get_logger(__name__)

_CHUNK = 65536


@dataclass(frozen=True)
class Limits:
    """What one connection may take; seconds and bytes."""

    max_connections: int = 64
    max_bytes: int = 8 * 1024 * 1024
    first_message_seconds: float = 30.0  # a port probe or a silent peer is let go after this
    idle_seconds: float = 600.0  # between two messages of a peer that has sent one
    message_seconds: float = 60.0  # from the first byte of a message to its last
    drain_seconds: float = 20.0  # after a stop, for messages being worked on


@dataclass(eq=False)
class _Connection:
    sock: socket.socket
    peer: str
    last_active: float
    working: bool = False
    closed: bool = False


Handler = Callable[[bytes, str], bytes]
"""Takes a message and the peer's address, returns the acknowledgement. Must not raise."""


class MllpServer:
    """Accepts connections on a listening socket and answers each message in its turn."""

    def __init__(
        self,
        listener: socket.socket,
        handler: Handler,
        *,
        reject: Callable[[str], bytes],
        limits: Limits | None = None,
        on_thread_end: Callable[[], None] | None = None,
    ) -> None:
        """Prepare to serve.

        Args:
            listener: A bound, listening TCP socket; stays the caller's to close.
            handler: See ``Handler``.
            reject: Makes the acknowledgement for what is no frame at all, from a reason in words.
            limits: Bounds of each connection.
            on_thread_end: Called as a connection's thread ends (to give back its resources).
        """
        self._listener = listener
        self._handler = handler
        self._reject = reject
        self._limits = limits or Limits()
        self._on_thread_end = on_thread_end
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._connections: dict[_Connection, threading.Thread] = {}
        self._wake_receive, self._wake_send = socket.socketpair()
        self._wake_send.settimeout(0)
        self._stopping = False

    def stop(self) -> None:
        """Ask ``serve`` to return; safe in a signal handler."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self._wake_send.send(b"x")

    def serve(self) -> None:
        """Accept until ``stop``; then let messages being worked on finish, and return."""
        self._listener.settimeout(0)
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wake_receive, selectors.EVENT_READ)
            while not self._stopping:
                for key, _ in selector.select():
                    if key.fileobj is self._listener:
                        self._accept()
        self._drain()
        self._wake_receive.close()
        self._wake_send.close()

    def _accept(self) -> None:
        try:
            sock, address = self._listener.accept()
        except OSError:
            return  # taken by another process, or gone again
        sock.settimeout(None)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection = _Connection(sock, f"{address[0]}:{address[1]}", time.monotonic())
        with self._lock:
            if len(self._connections) >= self._limits.max_connections:
                self._evict_idlest()
            if len(self._connections) >= self._limits.max_connections:
                log.warning("mllp.full", peer=connection.peer)
                sock.close()
                return
            thread = threading.Thread(
                target=self._run, args=(connection,), name=f"mllp-{connection.peer}", daemon=True
            )
            self._connections[connection] = thread
        thread.start()

    def _evict_idlest(self) -> None:
        """Make room: close the connection that has been idle longest and works on nothing."""
        idle = [one for one in self._connections if not one.working and not one.closed]
        if not idle:
            return
        oldest = min(idle, key=lambda one: one.last_active)
        log.info("mllp.evicted", peer=oldest.peer)
        self._close(oldest)
        self._changed.wait_for(lambda: oldest not in self._connections, timeout=1.0)

    @staticmethod
    def _close(connection: _Connection) -> None:
        connection.closed = True
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)

    def _run(self, connection: _Connection) -> None:
        try:
            self._converse(connection)
        except FramingError as error:
            log.warning("mllp.bad-framing", peer=connection.peer, reason=str(error))
            self._send(connection, self._reject(str(error)))
        except TimeoutError:
            log.info("mllp.timeout", peer=connection.peer)
        except OSError as error:
            log.info("mllp.connection-lost", peer=connection.peer, reason=str(error))
        finally:
            with contextlib.suppress(OSError):
                connection.sock.close()
            if self._on_thread_end is not None:
                self._on_thread_end()
            with self._lock:
                del self._connections[connection]
                self._changed.notify_all()

    def _converse(self, connection: _Connection) -> None:
        reader = FrameReader(self._limits.max_bytes)
        wait = self._limits.first_message_seconds
        deadline = time.monotonic() + wait
        while not self._stopping:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            connection.sock.settimeout(remaining)
            chunk = connection.sock.recv(_CHUNK)
            if not chunk:
                if reader.in_frame:
                    log.warning("mllp.unfinished-message", peer=connection.peer)
                return
            was_in_frame = reader.in_frame
            messages = self._feed(reader, chunk, connection)
            for message in messages:
                self._answer(connection, message)
            if messages:
                wait = self._limits.idle_seconds
                deadline = time.monotonic() + wait
            if reader.in_frame and (messages or not was_in_frame):
                deadline = time.monotonic() + self._limits.message_seconds

    @staticmethod
    def _feed(reader: FrameReader, chunk: bytes, connection: _Connection) -> list[bytes]:
        dropped = reader.dropped
        messages = reader.feed(chunk)
        if reader.dropped > dropped:
            log.warning("mllp.frame-restarted", peer=connection.peer)
        return messages

    def _answer(self, connection: _Connection, message: bytes) -> None:
        with self._lock:
            connection.working = True
        try:
            answer = self._handler(message, connection.peer)
            self._send(connection, answer)
        finally:
            with self._lock:
                connection.working = False
                connection.last_active = time.monotonic()

    def _send(self, connection: _Connection, message: bytes) -> None:
        connection.sock.settimeout(self._limits.message_seconds)
        with contextlib.suppress(OSError):
            connection.sock.sendall(frame(message))

    def _drain(self) -> None:
        """Close idle connections at once, working ones when their answer has left."""
        deadline = time.monotonic() + self._limits.drain_seconds
        with self._lock:
            for connection in self._connections:
                if not connection.working:
                    self._close(connection)
            self._changed.wait_for(
                lambda: not self._connections, timeout=max(0.0, deadline - time.monotonic())
            )
            for connection in self._connections:
                log.warning("mllp.cut-off", peer=connection.peer)
                self._close(connection)
