"""Run Django's WSGI handler in worker threads behind an ASGI server.

Measured against Django's own ASGI handler and a2wsgi in docs/adr (one hop between event loop and
thread for an ordinary request, where those need four). A body of any size streams with bounded
memory in both directions: a full buffer pauses the reading of the socket, a slow client pauses the
thread.
"""

import asyncio
import io
import os
import sys
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import Future
from functools import partial
from typing import Any

from pacs_site.threads import Threads

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

SMALL_BODY = 256 * 1024  # bytes; up to here the event loop collects a body before a thread starts
BUFFER = 4 * 1024 * 1024  # bytes of a larger body waiting for its thread
CHUNK = 64 * 1024  # bytes; smaller chunks of a streaming response are joined
CROSSING = 512 * 1024  # bytes of a streaming response that cross to the event loop at once

END: Message = {"type": "http.response.body", "body": b"", "more_body": False}


class ClientGoneError(OSError):
    """The client closed the connection before its request or our answer was complete."""


class BodyStream(io.RawIOBase):
    """A request body as a file for one thread, filled by the event loop ahead of its reader."""

    def __init__(self, loop: asyncio.AbstractEventLoop, receive: Receive) -> None:
        """Start to receive at once; call in the event loop."""
        self._loop = loop
        self._receive = receive
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._gone = False
        self._changed = threading.Condition()
        self._room = asyncio.Event()
        self._pump_task = loop.create_task(self._pump())

    async def _pump(self) -> None:
        while True:
            message = await self._receive()
            gone = message["type"] == "http.disconnect"
            chunk = message.get("body", b"")
            with self._changed:
                if chunk:
                    self._chunks.append(chunk)
                    self._size += len(chunk)
                self._gone = gone
                self._ended = gone or not message.get("more_body", False)
                full = self._size >= BUFFER
                if full:
                    self._room.clear()
                self._changed.notify()
            if self._ended:
                return
            if full:
                await self._room.wait()

    def readable(self) -> bool:
        """Say that this can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` with what is there, waiting for at least one byte; 0 at the end."""
        with self._changed:
            while not self._chunks and not self._ended:
                self._changed.wait()
            if not self._chunks:
                if self._gone:
                    raise ClientGoneError("the client closed the connection")
                return 0
            view = memoryview(buffer)
            filled = 0
            while self._chunks and filled < len(view):
                chunk = self._chunks[0]
                part = min(len(chunk), len(view) - filled)
                view[filled : filled + part] = chunk[:part]
                filled += part
                if part == len(chunk):
                    self._chunks.popleft()
                else:
                    self._chunks[0] = chunk[part:]
            before = self._size
            self._size -= filled
            if before >= BUFFER > self._size:
                self._loop.call_soon_threadsafe(self._room.set)
        return filled

    async def received(self) -> None:
        """Return when all of the body has come, or will not."""
        await asyncio.wait({self._pump_task})

    def finish(self) -> None:
        """Stop receiving: the response is complete, whatever of the body was not read."""
        self._pump_task.cancel()


class Bridge:
    """The ASGI application that calls a WSGI application in threads of its own.

    Threads are reused, so each keeps its database connection.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]], threads: int) -> None:
        """Serve `application` with up to `threads` requests at a time."""
        self._application = application
        self._threads = Threads(threads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        loop = asyncio.get_running_loop()
        environ = build_environ(scope)
        body: BodyStream | None = None
        length = environ.get("CONTENT_LENGTH", "")
        if length.isdigit() and int(length) <= SMALL_BODY:
            data = await _collect(receive, int(length))
            if data is None:
                return
            environ["wsgi.input"] = io.BytesIO(data)
        elif length or "HTTP_TRANSFER_ENCODING" in environ:
            body = BodyStream(loop, receive)
            environ["wsgi.input"] = io.BufferedReader(body, SMALL_BODY)
            environ["wsgi.input_terminated"] = True
        else:
            environ["wsgi.input"] = io.BytesIO()
        answer = _Answer(loop, receive, send, body)
        try:
            await self._threads.submit(partial(self._work, environ, answer))
        except ClientGoneError:
            return
        except asyncio.CancelledError:  # the server is stopping, or the client went away
            answer.gone = True
            raise
        finally:
            answer.finish()
        if answer.whole is not None:
            await answer.send_whole()

    async def call(self, scope: Scope) -> tuple[int, Headers, bytes]:
        """Return status, headers and body of a request without a body; for use in the process."""
        sent: list[Message] = []
        asked = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Message:
            if not asked:  # nobody is there to leave; an answer at once would never let others run
                await asyncio.Event().wait()
            return asked.pop()

        async def send(message: Message) -> None:
            sent.append(message)

        await self({**scope, "method": "GET"}, receive, send)
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return sent[0]["status"], sent[0]["headers"], body

    def _work(self, environ: dict[str, Any], answer: "_Answer") -> None:
        response = self._application(environ, answer.start_response)
        try:
            if getattr(response, "streaming", True):
                answer.stream(response)
            else:
                answer.whole = b"".join(response)
        finally:
            close = getattr(response, "close", None)
            if close is not None:
                close()

    def shutdown(self) -> None:
        """Let the requests that run come to their end and take no more."""
        self._threads.shutdown()


class _Answer:
    """What one request answers, handed from its thread to the event loop."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, receive: Receive, send: Send, body: BodyStream | None
    ) -> None:
        self.loop = loop
        self._receive = receive
        self._send = send
        self._body = body
        self._start: Message = {}
        self._watching: asyncio.Task[None] | None = None
        self.whole: bytes | None = None
        self.gone = False

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        self._start = {
            "type": "http.response.start",
            "status": int(status[:3]),
            "headers": [
                (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers
            ],
        }
        return self._write_refused

    @staticmethod
    def _write_refused(data: bytes) -> None:
        message = "WSGI's write() is not offered: return an iterable"
        raise TypeError(message)

    async def send_whole(self) -> None:
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": self.whole, "more_body": False})

    def stream(self, chunks: Iterable[bytes]) -> None:
        """Send from the thread what comes: the next is fetched while the last is taken."""
        crossing = self._cross([self._start])
        waiting: list[bytes] = []
        size = 0
        for chunk in chunks:
            waiting.append(chunk)
            size += len(chunk)
            if size >= CROSSING:
                crossing.result()
                crossing = self._cross(_parts(waiting))
                waiting, size = [], 0
        crossing.result()
        self._cross([*_parts(waiting), END]).result()

    def _cross(self, messages: list[Message]) -> Future[None]:
        if self.gone:
            raise ClientGoneError("the client closed the connection")
        return asyncio.run_coroutine_threadsafe(self._deliver(messages), self.loop)

    async def _deliver(self, messages: list[Message]) -> None:
        if self._watching is None:
            self._watching = self.loop.create_task(self._watch())
        for message in messages:
            await self._send(message)

    async def _watch(self) -> None:
        """Note that the client left, so that a long answer ends; `send` itself does not tell."""
        if self._body is not None:
            await self._body.received()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True

    def finish(self) -> None:
        """Receive and watch no more."""
        if self._watching is not None:
            self._watching.cancel()
        if self._body is not None:
            self._body.finish()


def _parts(chunks: list[bytes]) -> list[Message]:
    """Return the messages that carry chunks: small neighbours joined, large ones as they are."""
    bodies: list[list[bytes]] = []
    size = 0
    for chunk in chunks:
        if not bodies or size + len(chunk) > CHUNK:
            bodies.append([])
            size = 0
        bodies[-1].append(chunk)
        size += len(chunk)
    return [_part(body[0] if len(body) == 1 else b"".join(body)) for body in bodies]


def _part(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}


async def _collect(receive: Receive, length: int) -> bytes | None:
    if not length:
        return b""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def build_environ(scope: Scope) -> dict[str, Any]:
    """Turn an ASGI scope into a WSGI environment (PEP 3333), without its body."""
    server = scope.get("server") or ("localhost", 80)
    client = scope.get("client") or ("", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope.get("root_path", ""),
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1] or 0),
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1").upper().replace("-", "_")
        if "_" in raw_name.decode("latin-1"):
            continue  # X_Forwarded_For must not pass for X-Forwarded-For
        key = name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"
        value = raw_value.decode("latin-1")
        joint = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = f"{environ[key]}{joint}{value}" if key in environ else value
    return environ


def default_threads() -> int:
    """Return how many requests one web process works on at a time (ISOCENTER_WEB_THREADS)."""
    return int(os.environ.get("ISOCENTER_WEB_THREADS") or 16)
