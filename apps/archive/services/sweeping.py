"""Commands of the archive."""

import datetime
from collections.abc import Iterable, Iterator
from itertools import islice

import structlog
from django.db import transaction

from apps.archive.audit_events import SWEPT
from apps.archive.models import Location
from apps.archive.storage import Storage, StorageError, storages
from apps.audit.steps import record
from apps.core.actors import Actor

log = structlog.get_logger(__name__)

SETTLED_DAYS = 2
LOOK_BACK_DAYS = 9
BATCH = 500


def orphans_sweep(*, actor: Actor, at: datetime.datetime) -> int:
    """Remove files that were begun and never recorded, and return how many.

    A listener that is killed between the file and the commit leaves one; so does a database that
    failed. Nothing of them was acknowledged. Only whole days that ended more than a day ago are
    looked at, when no receipt can still be under way, and only the last week of them: older days
    were swept in their turn.
    """
    days = [(at - datetime.timedelta(days=n)).date() for n in range(SETTLED_DAYS, LOOK_BACK_DAYS)]
    removed = 0
    for storage in storages():
        try:
            removed += sum(_orphans_remove(storage, day) for day in days)
        except StorageError as error:  # one that is down keeps no other from being swept
            log.warning("archive.sweep-failed", storage=storage.name, **error.details)
    if removed:
        with transaction.atomic():
            record(actor=actor, event=SWEPT, door="task", files=removed)
    return removed


def _orphans_remove(storage: Storage, day: datetime.date) -> int:
    removed = 0
    for keys in _batches(storage.keys_of(day)):
        rows = Location.objects.filter(storage=storage.name, key__in=keys)
        for key in set(keys) - set(rows.values_list("key", flat=True)):
            storage.remove(key)
            removed += 1
    return removed


def _batches(keys: Iterable[str]) -> Iterator[list[str]]:
    waiting = iter(keys)
    while batch := list(islice(waiting, BATCH)):
        yield batch
