"""The web server's entry: `/live/` and static files in the event loop, all else in threads."""

import asyncio
import faulthandler
import os
import signal
from types import FrameType

import structlog

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pacs_site.settings")

from pacs_site.wsgi import application as django  # isort: skip - Django is set up first

from django.urls import get_resolver

from pacs_site import live, metrics, static_files
from pacs_site.bridge import Bridge, Receive, Scope, Send, default_threads
from pacs_site.up.user import die_with_parent

bridge = Bridge(django, default_threads())
hub = live.Hub()
static = static_files.StaticFiles.from_settings()
at_work: dict[int, str] = {}  # paths of the requests that are not answered yet
log = structlog.get_logger(__name__)
PATIENCE_S = 3.0  # after the signal to stop
STUCK_S = 5.0  # that the event loop stands still, while it stops
metrics.watch_pages(hub)
if os.environ.get("ISOCENTER_SUPERVISED"):
    die_with_parent()  # a worker of a killed web server must not keep its port
get_resolver().url_patterns  # noqa: B018 - else the first request would wait for all views


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request, or the server's word that it starts or stops."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http":
        at_work[id(scope)] = scope["path"]
        try:
            await _answer(scope, receive, send)
        finally:
            del at_work[id(scope)]
    else:
        await send({"type": "websocket.close", "code": 1000})


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    path = scope["path"]
    if path == "/live/":
        await live.stream(hub, bridge, scope, receive, send)
    elif path == "/livez":
        await static_files.plain(send, 200, b"alive\n")
    elif path.startswith(static.prefix):
        await static(scope, send)
    else:
        await bridge(scope, receive, send)


def _end_streams_on_signal() -> None:
    """End the streams at the signal to stop: the server waits for them before it tells us.

    Of what is at work long after it, the log tells: for those requests the stop is waiting. A loop
    that stands still is not waiting for any: Granian can hold the interpreter while it waits for a
    thread that wants it. Then the process writes where its threads are, and ends.

    The event loop has a handler of the server's, which it runs on the byte that the interpreter
    writes to its wake-up pipe; a Python handler beside it does not disturb that.
    """
    loop = asyncio.get_running_loop()

    def stop(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(hub.close)
        loop.call_soon_threadsafe(loop.call_later, PATIENCE_S, _tell_of_work)
        loop.call_soon_threadsafe(_watch, loop)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def _watch(loop: asyncio.AbstractEventLoop) -> None:
    """Put off the end of the process; a thread that needs no interpreter brings it about."""
    faulthandler.dump_traceback_later(STUCK_S, exit=True)
    loop.call_later(STUCK_S / 5, _watch, loop)


def _tell_of_work() -> None:
    log.warning("web.stop-waits", requests=sorted(at_work.values()), pages=len(hub))


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            _end_streams_on_signal()
            await send({"type": "lifespan.startup.complete"})
        else:
            hub.close()
            await asyncio.to_thread(bridge.shutdown)
            await send({"type": "lifespan.shutdown.complete"})
            return
