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

Key = TypeVar("Key")
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True)
class _Job(Generic[Key, Item, Result]):
    key: Key
    item: Item
    done: threading.Lock = field(default_factory=threading.Lock)
    result: Result | None = None
    error: Exception | None = None


class Committer(Generic[Key, Item, Result]):
    """Gathers items and records them together, in a thread of its own.

    Args:
        record: takes what the items of a batch have in common, and the batch; returns one result
            for each in order, or raises for all, having recorded none.
    """

    def __init__(self, record: Callable[[Key, Sequence[Item]], Sequence[Result]]) -> None:
        self._record = record
        self._queue: queue.SimpleQueue[_Job[Key, Item, Result]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._used_at = 0.0
        self._thread: threading.Thread | None = None

    def record(self, key: Key, item: Item) -> Result:
        """Return the item's result once it is durable.

        Args:
            key: only items of equal keys are recorded together.
            item: what to record.

        Raises:
            Exception: whatever recording it raised.
        """
        job: _Job[Key, Item, Result] = _Job(key, item)
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
            groups: dict[Key, list[_Job[Key, Item, Result]]] = {}
            for job in jobs:
                groups.setdefault(job.key, []).append(job)
            for group in groups.values():
                self._together(group)
                for job in group:
                    job.done.release()

    def _together(self, jobs: list[_Job[Key, Item, Result]]) -> None:
        """Record jobs in one batch; where one spoils it, each by itself.

        Not after the connection failed: whether the commit was reached nobody knows, and only the
        peer may try again, with a new copy.
        """
        try:
            self._check_connection()
            results = self._record(jobs[0].key, [job.item for job in jobs])
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
