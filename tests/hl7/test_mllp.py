"""The MLLP server and client over real sockets, against a hostile network."""

import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest

from apps.hl7.domain.framing import frame
from apps.hl7.mllp.client import MllpError, exchange
from apps.hl7.mllp.server import Limits, MllpServer

FAST = Limits(
    max_connections=4,
    max_bytes=1000,
    first_message_seconds=0.5,
    idle_seconds=0.6,
    message_seconds=0.7,
    drain_seconds=3.0,
)


@contextmanager
def serving(handler, limits=FAST):
    listener = socket.create_server(("127.0.0.1", 0))
    ended = []
    server = MllpServer(
        listener,
        handler,
        reject=lambda words: f"REJECT {words}".encode(),
        limits=limits,
        on_thread_end=lambda: ended.append(1),
    )
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield listener.getsockname()[1], server
    finally:
        server.stop()
        thread.join(10)
        listener.close()
        assert not thread.is_alive()


def connect(port):
    sock = socket.create_connection(("127.0.0.1", port), timeout=5)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def read_until(sock, count):
    data = b""
    while data.count(b"\x1c\r") < count:
        part = sock.recv(65536)
        if not part:
            break
        data += part
    return data


def echo(message, peer):
    return b"ACK " + message


def test_split_and_joined_frames():
    with serving(echo) as (port, _), connect(port) as sock:
        for byte in frame(b"one"):
            sock.sendall(bytes([byte]))
        sock.sendall(frame(b"two") + frame(b"three")[:3])
        sock.sendall(frame(b"three")[3:])
        assert read_until(sock, 3) == frame(b"ACK one") + frame(b"ACK two") + frame(b"ACK three")


def test_port_probes_and_silent_peers_are_let_go():
    with serving(echo) as (port, _):
        for _ in range(20):
            connect(port).close()
        with connect(port) as sock:
            assert sock.recv(10) == b""  # closed by the server after first_message_seconds
        assert exchange("127.0.0.1", port, b"still here") == b"ACK still here"


def test_idle_peers_are_let_go_but_may_pause():
    with serving(echo) as (port, _), connect(port) as sock:
        sock.sendall(frame(b"one"))
        read_until(sock, 1)
        threading.Event().wait(0.3)
        sock.sendall(frame(b"two"))
        assert read_until(sock, 1) == frame(b"ACK two")
        assert sock.recv(10) == b""


def test_slow_message_is_cut_off():
    with serving(echo) as (port, _), connect(port) as sock:
        sock.sendall(b"\x0bMSH")
        started = time.monotonic()
        assert sock.recv(10) == b""
        assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("sent", "words"),
    [(b"GET / HTTP/1.1\r\n\r\n", b"outside of an MLLP frame"), (b"\x0b" + b"x" * 2000, b"larger")],
)
def test_bad_framing_is_answered_in_words_and_closed(sent, words):
    with serving(echo) as (port, _), connect(port) as sock:
        sock.sendall(sent)
        answer = read_until(sock, 1)
        assert answer.startswith(b"\x0bREJECT ")
        assert words in answer
        with suppress(ConnectionResetError):
            assert sock.recv(10) == b""


def test_bounded_connections_prefer_the_busy():
    with serving(echo, Limits(max_connections=2, first_message_seconds=30)) as (port, _):
        idle = [connect(port) for _ in range(2)]
        assert exchange("127.0.0.1", port, b"new") == b"ACK new"
        for sock in idle:
            sock.close()


def test_stop_lets_the_message_in_work_finish():
    entered, release = threading.Event(), threading.Event()

    def slow(message, peer):
        entered.set()
        release.wait(5)
        return b"ACK " + message

    with serving(slow) as (port, server), connect(port) as sock, connect(port) as idle:
        sock.sendall(frame(b"one"))
        assert entered.wait(5)
        server.stop()
        assert idle.recv(10) == b""  # idle ones are closed at once
        release.set()
        assert read_until(sock, 1) == frame(b"ACK one")
        assert sock.recv(10) == b""


def test_client_names_what_went_wrong():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(MllpError, match="no acknowledgement within"):
            exchange("127.0.0.1", port, b"x", answer_seconds=0.2)
    with pytest.raises(MllpError, match="refused"):
        exchange("127.0.0.1", port, b"x")
