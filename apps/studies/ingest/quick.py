"""The hot path: images whose study, series and audit event are durable already.

Nothing of them has to be decided: the statement of `statement.py` alone is the command. What it
does not take goes the general way.
"""

import datetime
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from django.db import IntegrityError, OperationalError, connection

from apps.audit.steps import read_is_recorded
from apps.core import live
from apps.core.actors import Actor
from apps.studies import audit_events
from apps.studies.ingest.received import Received
from apps.studies.ingest.statement import Arrival, file_new
from apps.studies.models import Study

MEMORY = 5_000
DEADLOCK = "40P01"
Value = TypeVar("Value")


class _Memory(Generic[Value]):
    """What this process saw last, by Study Instance UID; never more than a hint."""

    def __init__(self) -> None:
        self._values: dict[str, Value] = {}

    def get(self, uid: str) -> Value | None:
        return self._values.get(uid)

    def put(self, uid: str, value: Value) -> None:
        if len(self._values) >= MEMORY:
            self._values = {}
        self._values[uid] = value


_patients: _Memory[int] = _Memory()
_told_at: _Memory[float] = _Memory()


def remember(studies: Sequence[Study]) -> None:
    """Note whose studies these are, once they are durable."""
    for study in studies:
        _patients.put(study.study_instance_uid, study.patient_id)


def file_quickly(
    batch: Sequence[tuple[Actor, Received]],
    *,
    at: datetime.datetime,
    door: str,
    durable: Callable[[], None],
) -> dict[int, int]:
    """File what needs nothing but its rows, durably; return instance keys by place in the batch.

    Taken is an instance without a defect, of a study whose receipt from this sender, in this
    association or minute, is on the audit trail. Whether all else fits the database itself decides.
    One outbox event a commit is not owed here: `studies.study.received` tells of a study's first
    images, of a new series, and of a settled study that receives again.

    Args:
        batch: who sent what.
        at: time of receipt.
        door: as for `instances_record`.
        durable: makes the files durable; called before the commit, if there is one.

    Raises:
        Exception: what `durable` raised; nothing is filed.
    """
    if connection.in_atomic_block:
        return {}
    taken: dict[str, tuple[int, Arrival]] = {}
    for place, (actor, received) in enumerate(batch):
        study = received.study_instance_uid
        patient_id = _patients.get(study)
        if received.findings or patient_id is None or received.sop_instance_uid in taken:
            continue
        if read_is_recorded(
            actor=actor, event=audit_events.STORED, door=door, patient=patient_id, study=study
        ):
            taken[received.sop_instance_uid] = place, Arrival(received, patient_id)
    if not taken:
        return {}
    arrivals = [arrival for _, arrival in taken.values()]
    try:
        keys = file_new(arrivals, at=at, quietly=True, tell=_due(arrivals), durable=durable)
    except IntegrityError:
        return {}  # another writer was faster with one of the UIDs: a repeat or a version
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != DEADLOCK:
            raise
        return {}
    return {taken[uid][0]: key for uid, key in keys.items()}


def _due(arrivals: Sequence[Arrival]) -> list[str]:
    """Return the studies of which open pages have heard nothing for a pause."""
    now = time.monotonic()
    due = [
        uid
        for uid in {arrival.received.study_instance_uid for arrival in arrivals}
        if now - (_told_at.get(uid) or 0.0) > live.PAUSE_S
    ]
    for uid in due:
        _told_at.put(uid, now)
    return due
