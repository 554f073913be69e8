"""Threads for requests: they begin one after the other, on the thread that worked last.

Python runs one thread at a time. Each further one at work makes every wait for a file or for the
database end in another wait, for the interpreter, and two or three times the system calls. What is
slow holds nobody up: the next begins when the one before has ended, or `QUICK_S` later. The thread
that worked last still has its memory, and its process of the database, in the processor's caches.
"""

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

QUICK_S = 0.002


class _Task:
    """One call, and who waits for its end."""

    def __init__(self, loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
        self.loop = loop
        self.call = call
        self.context = contextvars.copy_context()
        self.done: asyncio.Future[None] = loop.create_future()


_Queue = SimpleQueue[_Task | None]


class Threads:
    """Up to `limit` threads, for one event loop; all but `shutdown` is called in it."""

    def __init__(self, limit: int) -> None:
        """Start none yet."""
        self._limit = limit
        self._threads: list[tuple[threading.Thread, _Queue]] = []
        self._idle: list[_Queue] = []
        self._waiting: deque[_Task] = deque()
        self._begun: _Task | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def submit(self, call: Callable[[], None]) -> "asyncio.Future[None]":
        """Have a thread do it as soon as may be; what it raises comes with the future.

        Raises:
            RuntimeError: after `shutdown`.
        """
        if self._stopped:
            message = "the threads have stopped"
            raise RuntimeError(message)
        task = _Task(asyncio.get_running_loop(), call)
        self._waiting.append(task)
        self._begin()
        return task.done

    def _begin(self) -> None:
        while self._waiting and self._begun is None:
            if not self._idle:
                if len(self._threads) == self._limit:
                    return
                self._idle.append(self._new_thread())
            task = self._waiting.popleft()
            if task.done.done():  # nobody waits for it any more
                continue
            self._begun = task
            self._timer = task.loop.call_later(QUICK_S, self._go_on, task)
            self._idle.pop().put(task)

    def _go_on(self, task: _Task) -> None:
        """Begin with the next, if this is the one that it waits for."""
        if self._begun is task:
            self._begun = None
            if self._timer is not None:
                self._timer.cancel()
        self._begin()

    def _new_thread(self) -> _Queue:
        queue: _Queue = SimpleQueue()
        name = f"web_{len(self._threads)}"
        thread = threading.Thread(target=self._work, args=(queue,), name=name, daemon=True)
        thread.start()
        self._threads.append((thread, queue))
        return queue

    def _work(self, queue: _Queue) -> None:
        while (task := queue.get()) is not None:
            error: BaseException | None = None
            try:
                task.context.run(task.call)
            except BaseException as raised:
                error = raised
            task.loop.call_soon_threadsafe(self._ended, task, queue, error)

    def _ended(self, task: _Task, queue: _Queue, error: BaseException | None) -> None:
        self._idle.append(queue)
        self._go_on(task)
        if task.done.done():  # cancelled: nobody waits for it any more
            return
        if error is None:
            task.done.set_result(None)
        else:
            task.done.set_exception(error)

    def shutdown(self) -> None:
        """Let what runs come to its end, and take no more; in any thread but those."""
        self._stopped = True
        waiting, self._waiting = self._waiting, deque()
        for task in waiting:
            task.loop.call_soon_threadsafe(task.done.cancel)
        for _, queue in self._threads:
            queue.put(None)
        for thread, _ in self._threads:
            thread.join()
