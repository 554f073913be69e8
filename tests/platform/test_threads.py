"""The threads of the web server: one begins after the other, nobody waits for what is slow."""

import asyncio
import threading
from functools import partial

import pytest

from pacs_site import threads
from pacs_site.threads import Threads
from tests.platform.test_bridge import run

WAIT_S = 10.0


def hold(free: threading.Event) -> None:
    free.wait(WAIT_S)


def test_what_comes_together_is_done_one_after_the_other_by_one_thread(monkeypatch) -> None:
    monkeypatch.setattr(threads, "QUICK_S", WAIT_S)
    at_work, most, names = [], [], set()

    def call(number: int) -> None:
        at_work.append(number)
        most.append(len(at_work))
        names.add(threading.current_thread().name)
        at_work.remove(number)

    async def main() -> None:
        pool = Threads(8)
        await asyncio.gather(*(pool.submit(partial(call, number)) for number in range(50)))
        await asyncio.to_thread(pool.shutdown)

    run(main())
    assert (len(most), set(most), names) == (50, {1}, {"web_0"})


def test_what_is_slow_holds_nobody_up_until_all_threads_are_taken() -> None:
    free, began = threading.Event(), []

    def slow() -> None:
        began.append(threading.current_thread().name)
        free.wait(WAIT_S)

    async def main() -> int:
        pool = Threads(3)
        slow_ones = [pool.submit(slow) for _ in range(2)]
        await asyncio.wait_for(pool.submit(lambda: None), WAIT_S)
        slow_ones += [pool.submit(slow) for _ in range(2)]
        while len(began) < 3:
            await asyncio.sleep(0.001)
        await asyncio.sleep(threads.QUICK_S * 2)
        taken = len(began)
        free.set()
        await asyncio.gather(*slow_ones)
        await asyncio.to_thread(pool.shutdown)
        return taken

    assert run(main()) == 3
    assert sorted(set(began)) == ["web_0", "web_1", "web_2"]
    assert len(began) == 4


def test_an_error_comes_to_who_waits_and_the_thread_goes_on() -> None:
    def fail() -> None:
        raise LookupError("not there")

    async def main() -> None:
        pool = Threads(1)
        with pytest.raises(LookupError, match="not there"):
            await pool.submit(fail)
        await asyncio.wait_for(pool.submit(lambda: None), WAIT_S)

    run(main())


def test_who_waits_no_more_is_not_served() -> None:
    free, served = threading.Event(), []

    async def main() -> None:
        pool = Threads(1)
        first = pool.submit(partial(hold, free))
        gone = pool.submit(partial(served.append, "gone"))
        last = pool.submit(partial(served.append, "last"))
        gone.cancel()
        free.set()
        await asyncio.wait_for(asyncio.gather(first, last), WAIT_S)

    run(main())
    assert served == ["last"]


def test_a_stop_ends_what_runs_and_begins_nothing_more() -> None:
    free, ended = threading.Event(), []

    def slow() -> None:
        free.wait(WAIT_S)
        ended.append("slow")

    async def main() -> bool:
        pool = Threads(1)
        running = pool.submit(slow)
        queued = pool.submit(partial(ended.append, "queued"))
        stop = asyncio.create_task(asyncio.to_thread(pool.shutdown))
        while not queued.cancelled():
            await asyncio.sleep(0.001)
        free.set()
        await asyncio.wait_for(asyncio.gather(running, stop), WAIT_S)
        with pytest.raises(RuntimeError, match="stopped"):
            pool.submit(partial(ended.append, "late"))
        return queued.cancelled()

    assert run(main())
    assert ended == ["slow"]
