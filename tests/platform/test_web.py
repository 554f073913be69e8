"""The web server of the running product: live events, static files, refusals."""

import contextlib
import http.client
import json
import re
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pacs_site.live import Hub
from pacs_site.up.supervision import ticks
from tests.product import CHECKOUT, Product

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
NOTIFY = "SELECT pg_notify('isocenter_live', %s)"


@pytest.fixture(scope="module")
def token(running_product: Product) -> str:
    return running_product.token()


class Page:
    """An open connection to /live/."""

    def __init__(self, made: Product, token: str, *topics: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", made.http_port, timeout=20)
        query = "&".join(f"topic={topic}" for topic in topics)
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        self.connection.request("GET", f"/live/?{query}", headers=headers)
        self.response = self.connection.getresponse()

    def event(self) -> tuple[str, dict[str, str]]:
        """Return the next event's name and data; comments are skipped."""
        name = ""
        while line := self.response.readline().decode().rstrip("\n"):
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            if line.startswith("data: "):
                assert self.response.readline() == b"\n"
                return name, json.loads(line.removeprefix("data: "))
            if not line.startswith(("event:", "data:")):
                self.response.readline()
        raise EOFError

    def close(self) -> None:
        self.response.close()
        self.connection.close()


@contextlib.contextmanager
def pages(made: Product, token: str, count: int) -> Iterator[list[Page]]:
    opened = [Page(made, token, "reading-list") for _ in range(count)]
    try:
        yield opened
    finally:
        for page in opened:
            page.close()


def listening(page: Page) -> None:
    """Read until the page's process is known to listen."""
    assert page.event()[0] == "resync"


def test_a_page_hears_its_topics_and_no_others(running_product: Product, token: str) -> None:
    page = Page(running_product, token, "reading-list", "schedule")
    assert page.response.status == 200
    assert page.response.getheader("Content-Type") == "text/event-stream; charset=utf-8"
    # Whether the process listened already or begins to now, an event sent again arrives.
    for topic, key in (("perform", "1"), ("schedule", "2")):
        for _ in range(2):
            running_product.sql(NOTIFY, json.dumps([topic, key]))
    seen = page.event()
    while seen[0] == "resync":
        running_product.sql(NOTIFY, json.dumps(["schedule", "2"]))
        seen = page.event()
    assert seen == ("schedule", {"topic": "schedule", "key": "2"})
    page.close()


@pytest.mark.parametrize(
    ("query", "authorization", "status"),
    [
        ("topic=reading-list", "", 401),
        ("topic=reading-list", "Bearer nonsense", 401),
        ("", "valid", 400),
        ("topic=" + "x" * 101, "valid", 400),
        ("topic=a%0Ab", "valid", 400),
        ("&".join(f"topic=t{n}" for n in range(21)), "valid", 400),
    ],
)
def test_who_and_what_is_refused(
    running_product: Product, token: str, query: str, authorization: str, status: int
) -> None:
    value = f"Bearer {token}" if authorization == "valid" else authorization
    headers = {"Authorization": value} if value else {}
    assert running_product.get(f"/live/?{query}", **headers)[0] == status


def test_open_pages_hold_no_thread_and_no_connection(running_product: Product, token: str) -> None:
    """Sixty pages, more than there are threads: one listening connection a process."""
    with pages(running_product, token, 60) as opened:
        assert all(page.response.status == 200 for page in opened)
        assert running_product.get("/readyz")[0] == 200
        ((count,),) = running_product.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'isocenter live'"
        )
        web = running_product.pid("web")
        children = Path(f"/proc/{web}/task/{web}/children").read_text().split()
        assert 1 <= count <= len(children)


def test_a_restart_of_the_database_makes_pages_ask_again(
    running_product: Product, token: str
) -> None:
    page = Page(running_product, token, "reading-list")
    while not running_product.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'isocenter live'"
    ):
        pass
    listening(page)
    page.close()


def test_open_pages_do_not_hold_up_a_restart(running_product: Product, token: str) -> None:
    written = running_product.home / "logs" / "web.log"
    before = written.stat().st_size
    with pages(running_product, token, 5) as opened:
        try:
            running_product.supervisor.rpc.stopProcess("web")
            for page in opened:
                page.response.read()  # ends
        finally:
            running_product.supervisor.rpc.startProcess("web")
            running_product.wait_ready()
    said = written.read_text()[before:]
    assert "refused to gracefully stop" not in said, said


def test_a_server_that_still_starts_is_stopped_as_fast(running_product: Product) -> None:
    """Its workers are forked at once and read the code for seconds."""
    written = running_product.home / "logs" / "web.log"
    before = written.stat().st_size
    rpc = running_product.supervisor.rpc
    rpc.stopProcess("web")
    try:
        rpc.startProcess("web")
        rpc.stopProcess("web")
    finally:
        rpc.startProcess("web")
        running_product.wait_ready()
    said = written.read_text()[before:]
    assert "refused to gracefully stop" not in said, said


def test_a_stop_that_waits_says_for_what(running_product: Product) -> None:
    """A request whose body does not come to its end holds it up until it is killed."""
    written = running_product.home / "logs" / "web.log"
    before = written.stat().st_size
    supervisor = running_product.supervisor  # one connection a thread
    with ThreadPoolExecutor(1) as pool:
        try:
            with socket.create_connection(("127.0.0.1", running_product.http_port)) as client:
                client.sendall(
                    b"POST /half HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc"
                )
                answered = running_product.get("/livez")[0]
                stopped = pool.submit(supervisor.rpc.stopProcess, "web")
                for _ in ticks(15, pause=0.1):
                    if "web.stop-waits" in (said := written.read_text()[before:]):
                        break
            stopped.result()
        finally:
            running_product.supervisor.rpc.startProcess("web")
            running_product.wait_ready()
    assert answered == 200
    assert "['/half']" in said
    assert "refused to gracefully stop" not in written.read_text()[before:]


STANDSTILL = """
import asyncio, os, signal, time
from pacs_site import asgi

async def stand_still():
    asgi._end_streams_on_signal()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.5)
    time.sleep(60)

asyncio.run(stand_still())
"""


def test_a_worker_that_stands_still_as_it_stops_says_where_and_ends(
    running_product: Product,
) -> None:
    """Granian may hold the interpreter then, and wait for a thread that wants it."""
    done = running_product.command(sys.executable, "-c", STANDSTILL)  # it has a minute
    assert done.returncode == 1
    assert "Timeout (0:00:05)" in done.stderr
    assert "stand_still" in done.stderr


def test_a_page_that_joins_after_the_stop_ends_at_once() -> None:
    """It was admitted before the stop; the server would wait for it in vain."""
    hub = Hub()
    hub.close()
    assert hub.join(["reading-list"]).get_nowait() is None


def headers_of(made: Product, path: str, **given: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", made.http_port, timeout=20)
    connection.request(
        "GET", path, headers={name.replace("_", "-"): v for name, v in given.items()}
    )
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, {k.lower(): v for k, v in response.getheaders()}, body


def test_static_files_carry_the_policy_and_are_kept(running_product: Product) -> None:
    status, headers, body = headers_of(running_product, "/static/css/tokens.css")
    assert (status, body) == (200, (CHECKOUT / "static/css/tokens.css").read_bytes())
    assert "'wasm-unsafe-eval'" in headers["content-security-policy"]
    assert "unsafe-inline" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-cache"
    again = headers_of(running_product, "/static/css/tokens.css", If_None_Match=headers["etag"])
    assert (again[0], again[2]) == (304, b"")
    manifest = json.loads((CHECKOUT / "static/dist/manifest.json").read_text())
    hashed = next(entry["file"] for entry in manifest.values() if entry.get("isEntry"))
    status, headers, body = headers_of(
        running_product, f"/static/dist/{hashed}", Accept_Encoding="gzip"
    )
    assert status == 200
    assert headers["content-type"] == "text/javascript; charset=utf-8"
    assert headers["content-encoding"] == "gzip"
    assert re.search(r"max-age=\d{8}, immutable", headers["cache-control"])
    page = headers_of(running_product, "/accounts/login/")[1]
    assert "default-src 'none'" in page["content-security-policy"].split("; ")


@pytest.mark.parametrize(
    "path",
    ["/static/../manage.py", "/static/%2e%2e/manage.py", "/static//etc/passwd", "/static/css/",
     "/static/src/shell/main.ts", "/static/nothing.js"],
)  # fmt: skip
def test_only_static_files_are_static(running_product: Product, path: str) -> None:
    with socket.create_connection(("127.0.0.1", running_product.http_port)) as client:
        client.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.split()[1] == b"404"


def test_a_page_waits_for_the_database_no_longer_than_it_is_gone(
    running_product: Product, token: str
) -> None:
    """Persistent connections are checked before they are used: no error page after a restart."""
    headers = {"Authorization": f"Bearer {token}"}
    old = running_product.kill("postgres")
    running_product.wait_restarted("postgres", old)
    running_product.wait_ready()
    for _ in ticks(2, pause=0.1):
        assert running_product.get("/live/?topic=", **headers)[0] == 400
        assert running_product.get("/readyz")[0] == 200
