"""One commit for the objects of several associations.

Each association receives, digests and syncs its own file. What is dear once an object, the
folders' fsync and the database commit, one thread of the process does for whatever has gathered
while it did the last: alone, an object waits for nobody; under load, ten share one commit.

Source: DESIGN section 5, Ingest.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog
from django.db import InterfaceError, OperationalError, close_old_connections, connection

log = structlog.get_logger("isocenter.dimse")

MAX_BATCH = 64
CHECK_AFTER_S = 1.0

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True)
class _Job(Generic[Item, Result]):
    item: Item
    done: threading.Lock = field(default_factory=threading.Lock)
    result: Result | None = None
    error: Exception | None = None


class Committer(Generic[Item, Result]):
    """Gathers items and records them together, in a thread of its own.

    Args:
        record: takes a batch, returns one result for each in order, or raises for all.
    """

    def __init__(self, record: Callable[[Sequence[Item]], Sequence[Result]]) -> None:
        self._record = record
        self._queue: queue.SimpleQueue[_Job[Item, Result]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._used_at = 0.0
        self._thread: threading.Thread | None = None

    def record(self, item: Item) -> Result:
        """Return the item's result once it is durable.

        Raises:
            Exception: whatever recording it raised.
        """
        job: _Job[Item, Result] = _Job(item)
        job.done.acquire()
        self._ensure_thread()
        self._queue.put(job)
        job.done.acquire()
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[return-value]

    def _ensure_thread(self) -> None:
        """Start the thread at the first item: after the fork, and only where it is needed."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="committer")
                self._thread.start()

    def _run(self) -> None:
        while True:
            jobs = [self._queue.get()]
            while len(jobs) < MAX_BATCH:
                try:
                    jobs.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            self._together(jobs)
            for job in jobs:
                job.done.release()

    def _together(self, jobs: list[_Job[Item, Result]]) -> None:
        """Record jobs in one batch; where one spoils it, each by itself.

        Not after the connection failed: whether the commit was reached nobody knows, and only the
        peer may try again, with a new copy.
        """
        try:
            self._check_connection()
            results = self._record([job.item for job in jobs])
        except Exception as error:  # handed to whoever waits
            connection.close_if_unusable_or_obsolete()
            if len(jobs) == 1 or isinstance(error, (OperationalError, InterfaceError)):
                for job in jobs:
                    job.error = error
                return
            log.warning("batch failed, trying each by itself", size=len(jobs), error=str(error))
            for job in jobs:
                self._together([job])
        else:
            for job, result in zip(jobs, results, strict=True):
                job.result = result

    def _check_connection(self) -> None:
        """After a pause, let the next query find out whether the connection still lives."""
        now = time.monotonic()
        if now - self._used_at > CHECK_AFTER_S:
            close_old_connections()
        self._used_at = now
