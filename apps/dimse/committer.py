"""One commit for the objects of several associations.

Each association receives, digests and syncs its own file. What is dear once an object, the
folders' fsync and the database commit, one thread at a time does for whatever has gathered while
the last was done. There is no thread for it: who comes first records, for himself and for those
who came meanwhile; when done he wakes them, and one of those who came still later takes over.
Alone, an object waits for nobody and passes through no second thread; under load, ten share one
commit. The database works on the rows while the files are synced, and commits after that.

Source: DESIGN section 5, Ingest.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

import structlog
from django.db import InterfaceError, OperationalError, close_old_connections, connection

log = structlog.get_logger("isocenter.dimse")

MAX_BATCH = 64
CHECK_AFTER_S = 1.0

Item = TypeVar("Item")
Result = TypeVar("Result")


Durable = Callable[[], None]


@dataclass(slots=True)
class _Job(Generic[Item, Result]):
    item: Item
    sync: Durable
    wake: threading.Lock = field(default_factory=threading.Lock)
    syncing: threading.Lock = field(default_factory=threading.Lock)
    synced: bool = False
    fault: Exception | None = None
    leads: bool = False
    result: Result | None = None
    error: Exception | None = None

    def make_durable(self) -> None:
        """Sync, once, whoever comes first to it; a fault is for whoever records."""
        with self.syncing:
            if not self.synced:
                self.synced = True
                try:
                    self.sync()
                except Exception as fault:
                    self.fault = fault


class Committer(Generic[Item, Result]):
    """Gathers items and records them together.

    Args:
        record: takes a batch and a function that makes it durable, to be called before anything
            is committed; returns one result for each in order, or raises for all; what it
            recorded before it raised, it finds again when it is given once more.
    """

    def __init__(self, record: Callable[[Sequence[Item], Durable], Sequence[Result]]) -> None:
        self._record = record
        self._lock = threading.Lock()
        self._waiting: deque[_Job[Item, Result]] = deque()
        self._busy = False
        self._thread = threading.local()

    def record(self, item: Item, sync: Durable) -> Result:
        """Return the item's result once it is durable, which `sync` makes its content.

        Raises:
            Exception: whatever syncing or recording it raised.
        """
        job: _Job[Item, Result] = _Job(item, sync)
        with self._lock:
            job.leads = not self._busy
            self._busy = True
            if not job.leads:
                job.wake.acquire()
                self._waiting.append(job)
        if not job.leads:
            job.make_durable()
            job.wake.acquire()
        if job.leads:
            self._lead(job)
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[return-value]

    def _lead(self, job: _Job[Item, Result]) -> None:
        """Record the job with all that wait, then hand over to the first that came meanwhile."""
        jobs = [job]
        with self._lock:
            while self._waiting and len(jobs) < MAX_BATCH:
                jobs.append(self._waiting.popleft())
        try:
            self._together(jobs)
        finally:
            with self._lock:
                following = self._waiting.popleft() if self._waiting else None
                if following is None:
                    self._busy = False
                else:
                    following.leads = True
            if following is not None:
                following.wake.release()
            for done in jobs[1:]:
                done.wake.release()

    def _together(self, jobs: list[_Job[Item, Result]]) -> None:
        """Record jobs in one batch; where one spoils it, each by itself.

        Not after the connection failed: whether the commit was reached nobody knows, and only the
        peer may try again, with a new copy.
        """
        try:
            self._check_connection()
            results = self._record([job.item for job in jobs], partial(_make_durable, jobs))
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
        """After a pause of this thread, find out whether its connection still lives."""
        now = time.monotonic()
        if now - getattr(self._thread, "used_at", 0.0) > CHECK_AFTER_S:
            close_old_connections()
            connection.close_if_health_check_failed()
        self._thread.used_at = now


def _make_durable(jobs: Sequence[_Job[Item, Result]]) -> None:
    """Sync the leader's own; the others sync theirs, or have done so."""
    for job in jobs:
        job.make_durable()
    for job in jobs:
        if job.fault is not None:
            raise job.fault
