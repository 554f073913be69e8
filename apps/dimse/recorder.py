"""The black box's writer: a thread that writes down ended associations, many in one commit.

The thread that served an association only puts its record into a queue. What is in the queue when
the process is killed is lost; a process that is stopped writes it first. The commit does not wait
for the disk: a power cut may take the last moments of this log, never anything that was stored.
"""

import datetime
import threading
import uuid
from collections import Counter, deque

import structlog
from django.db import DatabaseError, close_old_connections, connection, connections, transaction

from apps.core import clock
from apps.dimse.diagnosis import is_failure
from apps.dimse.domain import End
from apps.dimse.models import AssociationRecord
from apps.dimse.upper.provider import Record

log = structlog.get_logger("isocenter.dimse")

GATHER_S = 0.25
PAUSE_AFTER_FAULT_S = 2.0
MOST_WAITING = 10_000
BATCH = 500
_COUNT_PROBE = """
    INSERT INTO dimse_portprobe (address, minute, count) VALUES (%s, %s, %s)
    ON CONFLICT (address, minute) DO UPDATE SET count = dimse_portprobe.count + EXCLUDED.count
"""

Probe = tuple[str, datetime.datetime]


class Recorder:
    """One per process; its thread starts with the first record, after the fork."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._waiting: deque[AssociationRecord] = deque(maxlen=MOST_WAITING)
        self._probes: Counter[Probe] = Counter()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, record: Record) -> None:
        """Take down an ended association; never waits for the database."""
        ended = clock.now()
        with self._lock:
            if record.end is End.PROBE:
                self._probes[record.address, ended.replace(second=0, microsecond=0)] += 1
            else:
                if len(self._waiting) == MOST_WAITING:
                    log.warning("black box full: the oldest record is lost")
                self._waiting.append(_row(record, ended))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="black-box")
                self._thread.start()
            self._lock.notify()

    def close(self, seconds: float = 5.0) -> None:
        """Write what is waiting, then end the thread."""
        self._stopping.set()
        with self._lock:
            self._lock.notify()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        try:
            while True:
                with self._lock:
                    while not (self._waiting or self._probes or self._stopping.is_set()):
                        self._lock.wait()
                    if not (self._waiting or self._probes):
                        return
                self._stopping.wait(GATHER_S)
                if not self._write() and self._stopping.wait(PAUSE_AFTER_FAULT_S):
                    return
        finally:
            connections.close_all()

    def _write(self) -> bool:
        with self._lock:
            rows = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            probes, self._probes = self._probes, Counter()
        try:
            close_old_connections()
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL synchronous_commit = off")
                AssociationRecord.objects.bulk_create(rows, ignore_conflicts=True)
                for (address, minute), count in probes.items():
                    cursor.execute(_COUNT_PROBE, [address, minute, count])
        except DatabaseError as error:
            log.warning("black box not written", records=len(rows), error=str(error))
            connection.close_if_unusable_or_obsolete()
            with self._lock:
                room = MOST_WAITING - len(self._waiting)
                self._waiting.extendleft(reversed(rows[len(rows) - min(room, len(rows)) :]))
                self._probes.update(probes)
            return False
        return True


def _row(record: Record, ended: datetime.datetime) -> AssociationRecord:
    row = AssociationRecord(
        association=uuid.UUID(record.association),
        started_at=ended - datetime.timedelta(seconds=record.seconds),
        seconds=round(record.seconds, 3),
        address=record.address[:64],
        calling_ae=_clean(record.calling_ae, 16),
        called_ae=_clean(record.called_ae, 16),
        actor=record.actor[:100],
        implementation=_clean(record.implementation, 64),
        contexts=record.contexts,
        messages=dict(record.messages),
        bytes_in=record.bytes_in,
        bytes_out=record.bytes_out,
        end=record.end.value,
        rejection=record.rejection,
        words=_clean(record.outcome, 300),
        in_message=record.in_message,
        tls={key: _clean(value, 1000) for key, value in record.tls.items()},
    )
    row.failed = is_failure(row)
    return row


def _clean(text: str, length: int) -> str:
    """PostgreSQL takes no NUL in a text, and a peer may send one."""
    return text.replace("\0", "")[:length]
