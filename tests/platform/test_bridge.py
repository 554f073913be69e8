"""The bridge between ASGI and Django's threads: bytes exact, memory bounded, no thread lost."""

import asyncio
import hashlib
import http.client
import io
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_site.bridge import (
    BUFFER,
    CHUNK,
    CROSSING,
    SMALL_BODY,
    BodyStream,
    Bridge,
    ClientGoneError,
    build_environ,
)
from pacs_site.up.supervision import ticks
from tests.platform.bridge_app import PIECE
from tests.product import CHECKOUT, free_ports


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run it in a loop of its own, also where Playwright keeps one in this thread."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, coroutine).result()


def scope(**changes: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "http_version": "1.1",
        "headers": [],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 5000),
        **changes,
    }


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=5000), max_size=30), st.integers(1, 7000))
def test_a_body_arrives_as_it_was_sent(chunks: list[bytes], size: int) -> None:
    async def main() -> bytes:
        left = [*chunks]

        async def receive() -> dict[str, Any]:
            body = left.pop(0) if left else b""
            return {"type": "http.request", "body": body, "more_body": bool(left)}

        stream = io.BufferedReader(BodyStream(asyncio.get_running_loop(), receive), 8192)
        return await asyncio.to_thread(lambda: b"".join(iter(lambda: stream.read(size), b"")))

    assert run(main()) == b"".join(chunks)


def test_a_body_that_nobody_reads_is_not_taken_from_the_socket() -> None:
    taken = 0

    async def main() -> None:
        async def receive() -> dict[str, Any]:
            nonlocal taken
            taken += len(PIECE)
            await asyncio.sleep(0)
            return {"type": "http.request", "body": PIECE, "more_body": True}

        stream = BodyStream(asyncio.get_running_loop(), receive)
        for _ in range(10 * BUFFER // len(PIECE)):
            await asyncio.sleep(0)
        stream.finish()

    run(main())
    assert BUFFER <= taken <= BUFFER + len(PIECE)


def test_a_client_that_leaves_is_an_error_for_the_reader() -> None:
    async def main() -> None:
        answers = [
            {"type": "http.request", "body": b"half", "more_body": True},
            {"type": "http.disconnect"},
        ]

        async def receive() -> dict[str, Any]:
            return answers.pop(0)

        stream = BodyStream(asyncio.get_running_loop(), receive)

        def read() -> None:
            buffer = bytearray(10)
            assert stream.readinto(buffer) == 4
            with pytest.raises(ClientGoneError):
                stream.readinto(buffer)

        await asyncio.to_thread(read)

    run(main())


def test_a_header_cannot_pass_for_another() -> None:
    environ = build_environ(
        scope(headers=[(b"x_forwarded_proto", b"https"), (b"x-a", b"1"), (b"x-a", b"2")])
    )
    assert "HTTP_X_FORWARDED_PROTO" not in environ
    assert environ["HTTP_X_A"] == "1,2"
    assert build_environ(scope(path="/é"))["PATH_INFO"] == "/é".encode().decode("latin-1")


def streaming(chunks: Iterable[bytes]) -> Bridge:
    """A bridge to an application that streams chunks."""

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [])
        return iter(chunks)

    return Bridge(application, 1)


@pytest.mark.parametrize(
    "sizes", [[], [0], [10], [10, CROSSING], [CHUNK, 1, 0, CROSSING + 1, 5, 7, CHUNK - 2, 3]]
)
def test_a_streamed_answer_is_whole_in_order_whatever_its_chunks(sizes: list[int]) -> None:
    chunks = [bytes([65 + number]) * size for number, size in enumerate(sizes)]

    async def main() -> bytes:
        return (await streaming(chunks).call(scope()))[2]

    assert run(main()) == b"".join(chunks)


def test_a_slow_client_holds_the_stream_back() -> None:
    produced, piece = [], b"-" * CROSSING

    def chunks() -> Iterator[bytes]:
        for number in range(50):
            produced.append(number)
            yield piece

    async def main() -> list[int]:
        ahead, sent = [], 0

        async def send(message: dict[str, Any]) -> None:
            nonlocal sent
            await asyncio.sleep(0.002)  # slower than the thread is
            sent += len(message.get("body", b"")) // CROSSING
            ahead.append(len(produced) - sent)

        async def receive() -> dict[str, Any]:
            await asyncio.Event().wait()
            raise AssertionError

        await streaming(chunks())(scope(), receive, send)
        assert sent == len(produced) == 50
        return ahead

    assert max(run(main())) <= 2  # one on its way, one in hand


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[int, int]]:
    """Granian with the bridge and four threads; its port and its worker's process id."""
    (port,) = free_ports(1)
    program = Path(sys.executable).parent / "granian"
    command = [str(program), "--interface", "asginl", "--no-ws", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--workers-kill-timeout", "2", "tests.platform.bridge_app:application"],
        cwd=CHECKOUT,
    )
    for _ in ticks(30):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            continue
        break
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    yield port, int(children[-1])
    process.terminate()
    process.wait(20)


def resident(pid: int) -> int:
    """Return the greatest memory a process has held, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no such process")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_upload_is_exact_and_bounded(server: tuple[int, int], *, chunked: bool) -> None:
    port, pid = server
    count = 4000  # 250 MiB
    before = resident(pid)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {} if chunked else {"Content-Length": str(count * len(PIECE))}
    pieces = (PIECE for _ in range(count))
    connection.request("POST", "/digest", pieces, headers, encode_chunked=chunked)
    total = hashlib.sha256()
    for _ in range(count):
        total.update(PIECE)
    assert connection.getresponse().read().decode() == total.hexdigest()
    connection.close()
    assert resident(pid) - before < 40 * 2**20


@pytest.mark.parametrize("size", [0, 1, SMALL_BODY, SMALL_BODY + 1])
def test_bodies_around_the_small_size(server: tuple[int, int], size: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server[0], timeout=20)
    connection.request("POST", "/digest", bytes(size))
    assert connection.getresponse().read().decode() == hashlib.sha256(bytes(size)).hexdigest()
    connection.close()


def test_clients_that_leave_take_no_thread_with_them(server: tuple[int, int]) -> None:
    port, pid = server
    before = resident(pid)
    for _ in range(12):  # three times the threads
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /pieces?n=100000 HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(1000)
    for _ in range(12):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n")
            client.sendall(PIECE)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/pieces?n=16")
    assert connection.getresponse().read() == PIECE * 16
    connection.close()
    assert resident(pid) - before < 60 * 2**20
