"""`/live/?topic=a&topic=b`: server-sent events, answered in the event loop.

An open page holds no thread and no database connection: each process has one connection that
listens on the channel of `apps.core.live`. An event says only that a topic changed (`event: topic`,
data `{"topic", "key"}`); the page asks again as its own user. After an interruption of the database
or of a slow reader the event `resync` tells the page to ask for everything again.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs

import psycopg
import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from apps.core.live import CHANNEL
from pacs_site.bridge import Bridge, Receive, Scope, Send

log = structlog.get_logger(__name__)

HEARTBEAT = 20.0  # seconds between comments that keep proxies from closing the connection
LIFETIME = 900.0  # seconds until a page must show again that it is signed in
BACKLOG = 200  # events waiting for one slow page; beyond, it is told to ask for everything
TOPICS_MAX = 20
_TOPIC = re.compile(r"[a-z0-9][a-z0-9:._-]{0,99}")


@require_GET
def admit(request: HttpRequest) -> HttpResponse:
    """Say whether the caller may listen: 204 for anyone signed in, by session or token; else 401.

    Django answers it, so that middleware and authentication are those of every other address; on
    204 the event loop goes on with the stream.
    """
    if not getattr(request, "actor", None):
        return HttpResponse(status=401, headers={"WWW-Authenticate": 'Bearer realm="isocenter"'})
    return HttpResponse(status=204)


class Hub:
    """The pages that listen in this process, and the one connection that wakes them."""

    def __init__(self) -> None:
        """Nothing is connected before the first page comes."""
        self._queues: dict[asyncio.Queue[bytes | None], frozenset[str]] = {}
        self._listener: asyncio.Task[None] | None = None
        self.closing = False

    def __len__(self) -> int:
        """Return how many pages listen."""
        return len(self._queues)

    def join(self, topics: Iterable[str]) -> asyncio.Queue[bytes | None]:
        """Add a page; its queue gives events, and None when the server stops."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(BACKLOG)
        self._queues[queue] = frozenset(topics)
        if self.closing:  # admitted before the server's stop, here after it
            queue.put_nowait(None)
            return queue
        if self._listener is None or self._listener.done():
            self._listener = asyncio.get_running_loop().create_task(self._listen())
        return queue

    def leave(self, queue: asyncio.Queue[bytes | None]) -> None:
        """Remove a page."""
        self._queues.pop(queue, None)

    def close(self) -> None:
        """End every stream and the connection."""
        self.closing = True
        for queue in self._queues:
            _replace(queue, None)
        if self._listener is not None:
            self._listener.cancel()

    def publish(self, topic: str, key: str) -> None:
        """Give an event to the pages that asked for its topic."""
        event = _event(topic, {"topic": topic, "key": key})
        for queue, topics in self._queues.items():
            if topic in topics:
                self._give(queue, event)

    def _give(self, queue: asyncio.Queue[bytes | None], event: bytes) -> None:
        try:
            queue.put_nowait(event)
        except asyncio.QueueFull:
            _replace(queue, RESYNC)

    async def _listen(self) -> None:
        pause = 0.5
        while not self.closing:
            try:
                async with await psycopg.AsyncConnection.connect(
                    **_connection_parameters(), autocommit=True
                ) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    # what happened before this moment, nobody told us
                    for queue in self._queues:
                        self._give(queue, RESYNC)
                    pause = 0.5
                    async for notice in connection.notifies():
                        self._received(notice.payload)
            except (psycopg.Error, OSError) as error:
                log.warning("live.listener-lost", error=str(error), retry_in=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 10.0)

    def _received(self, payload: str) -> None:
        try:
            topic, key, *again_after = json.loads(payload)
            pauses = [float(pause) for pause in again_after]
        except (TypeError, ValueError):
            log.error("live.bad-payload", payload=payload[:200])
            return
        self.publish(str(topic), str(key))
        for pause in pauses:  # what changed within it, the sender did not tell
            loop = asyncio.get_running_loop()
            loop.call_later(pause * 1.2, self.publish, str(topic), str(key))


def _event(name: str, data: dict[str, str]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


RESYNC = _event("resync", {})


def _replace(queue: asyncio.Queue[bytes | None], event: bytes | None) -> None:
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait(event)


def _connection_parameters() -> dict[str, Any]:
    config = settings.DATABASES["default"]
    options = {k: v for k, v in config.get("OPTIONS", {}).items() if isinstance(v, str)}
    named = {
        "dbname": config["NAME"],
        "user": config["USER"],
        "password": config.get("PASSWORD"),
        "host": config["HOST"],
        "port": config.get("PORT"),
        "application_name": "isocenter live",
    }
    return {**options, **{key: value for key, value in named.items() if value}}


def topics_of(query: bytes) -> list[str] | None:
    """Return the topics of a query string, or None where it is not acceptable."""
    topics = parse_qs(query.decode("latin-1")).get("topic", [])
    if 0 < len(topics) <= TOPICS_MAX and all(_TOPIC.fullmatch(topic) for topic in topics):
        return topics
    return None


async def stream(hub: Hub, bridge: Bridge, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one page until it leaves, the server stops or the lifetime is over."""
    topics = topics_of(scope["query_string"])
    if topics is None:
        await _refuse(send, 400, [], b"topic: between 1 and 20 names\n")
        return
    status, headers, body = await bridge.call(scope)
    if status != 204:
        await _refuse(send, status, headers, body)
        return
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"text/event-stream; charset=utf-8"),
                (b"cache-control", b"no-store"),
                (b"x-accel-buffering", b"no"),
            ],
        }
    )
    queue = hub.join(topics)
    gone = asyncio.ensure_future(_until_gone(receive))
    try:
        await asyncio.wait_for(_pump(queue, gone, send), LIFETIME)
    except TimeoutError:
        pass  # the browser comes back by itself and is admitted anew
    finally:
        hub.leave(queue)
        gone.cancel()
    with contextlib.suppress(OSError):
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _pump(
    queue: asyncio.Queue[bytes | None], gone: "asyncio.Future[None]", send: Send
) -> None:
    await _send(send, b"retry: 2000\n\n")
    while not gone.done():
        item = asyncio.ensure_future(queue.get())
        both: set[asyncio.Future[Any]] = {item, gone}
        await asyncio.wait(both, timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
        if not item.done():
            item.cancel()
            await _send(send, b":\n\n")
            continue
        event = item.result()
        if event is None:
            return
        await _send(send, event)


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(send: Send, status: int, headers: Any, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
