"""A call within the process lets the event loop run on, however long its answer takes."""

import asyncio
import time

from pacs_site.bridge import Bridge
from tests.platform.test_bridge import run

SCOPE = {
    "type": "http",
    "method": "GET",
    "path": "/live/",
    "query_string": b"",
    "http_version": "1.1",
    "headers": [],
}


def slow(environ, start_response):
    time.sleep(0.3)
    start_response("204 No Content", [])
    return [b""]


def test_others_are_answered_meanwhile():
    async def both():
        bridge = Bridge(slow, 2)
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick())
        status, _, _ = await bridge.call(SCOPE)
        ticking.cancel()
        bridge.shutdown()
        return status, ticks

    status, ticks = run(both())
    assert status == 204
    assert ticks > 5
