"""Commands of the archive."""

import datetime
from collections.abc import Iterable, Iterator
from itertools import islice

from django.db import transaction

from apps.archive.audit_events import SWEPT
from apps.archive.models import Location
from apps.archive.storage import write_storage
from apps.audit.steps import record
from apps.core.actors import Actor

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
    storage = write_storage()
    removed = 0
    for back in range(SETTLED_DAYS, LOOK_BACK_DAYS):
        for keys in _batches(storage.keys_of((at - datetime.timedelta(days=back)).date())):
            known = set(
                Location.objects.filter(storage=storage.name, key__in=keys).values_list(
                    "key", flat=True
                )
            )
            for key in set(keys) - known:
                storage.remove(key)
                removed += 1
    if removed:
        with transaction.atomic():
            record(actor=actor, event=SWEPT, door="task", files=removed)
    return removed


def _batches(keys: Iterable[str]) -> Iterator[list[str]]:
    waiting = iter(keys)
    while batch := list(islice(waiting, BATCH)):
        yield batch
