"""A proxy before an object store that does what networks and object stores do."""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding"}


@dataclass
class Fault:
    """What goes wrong, with which requests, how many times.

    Attributes:
        method: of the requests that meet it, "" for all.
        status: answered without asking the store.
        code: of the error that is answered.
        slow: seconds before a request is passed on.
        silent: nothing is answered, until the client gives up.
        cut: the connection ends in the middle of what the request, or the answer, carries.
        where: what the request's address must hold.
    """

    method: str = ""
    status: int = 0
    code: str = "InternalError"
    silent: bool = False
    cut: str = ""
    where: str = ""
    slow: float = 0.0
    times: int = 1_000_000
    met: int = 0


@dataclass
class Proxy:
    """One that runs: set `fault`, look at `seen`."""

    port: int
    fault: Fault | None = None
    seen: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def meets(self, method: str, path: str) -> Fault | None:
        self.seen.append(f"{method} {path}")
        fault = self.fault
        if fault is None or fault.met >= fault.times or fault.where not in path:
            return None
        if fault.method not in ("", method):
            return None
        fault.met += 1
        return fault


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def log_message(self, *_: object) -> None:
        pass

    def serve(self) -> None:
        fault = self.server.made.meets(self.command, self.path)
        length = int(self.headers.get("Content-Length") or 0)
        if fault and fault.cut == "request":
            self.rfile.read(length // 2)
            self._end()
            return
        body = self.rfile.read(length)
        if fault and fault.slow:
            self.server.made.over.wait(fault.slow)
            self._pass_on(body, cut=False)
        elif fault and fault.silent:
            self.server.made.over.wait(30)
            self._end()
        elif fault and fault.status:
            text = f"<Error><Code>{fault.code}</Code><Message>as told</Message></Error>"
            self._answer(fault.status, [("Content-Type", "application/xml")], text.encode())
        else:
            self._pass_on(body, cut=bool(fault))

    def __getattr__(self, name: str) -> object:
        if name.startswith("do_"):
            return self.serve
        raise AttributeError(name)

    def _pass_on(self, body: bytes, *, cut: bool) -> None:
        status, headers, content = self._ask(body)
        if not cut:
            self._answer(status, headers, content)
            return
        self._head(status, headers, len(content))
        self.wfile.write(content[: len(content) // 2])
        self._end()

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        store = http.client.HTTPConnection("127.0.0.1", self.server.store_port, timeout=30)
        with closing(store):
            store.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in (*HOP_BY_HOP, "expect"):
                    store.putheader(name, value)
            store.endheaders(body)
            answer = store.getresponse()
            content = answer.read()
        headers = [h for h in answer.getheaders() if h[0].lower() not in HOP_BY_HOP]
        return answer.status, headers, content

    def _head(self, status: int, headers: list[tuple[str, str]], length: int) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if "content-length" not in {name.lower() for name, _ in headers}:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self._head(status, headers, len(content))
        if self.command != "HEAD":
            self.wfile.write(content)

    def _end(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, store_port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.store_port = store_port
        self.made = Proxy(self.server_address[1])

    def handle_error(self, *_: object) -> None:
        """A client that gave up is what many of these tests are about."""


@contextmanager
def proxy(store_port: int) -> Iterator[Proxy]:
    """Stand before the store on a port of loopback."""
    server = _Server(store_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.made
    finally:
        server.made.over.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
