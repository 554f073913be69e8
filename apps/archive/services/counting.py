"""How many copies lie where, counted by the clock for the report."""

import datetime
import time
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import Count, Max, Min, Q, Sum

from apps.archive.models import CopyCount, Location
from apps.archive.services.copying import alone
from apps.core import clock

PAUSE = 100
"""Counting takes at most a hundredth of the time."""
SHORTEST_PAUSE = datetime.timedelta(seconds=50)


def copies_count(*, now: bool = False) -> bool:
    """Count the copies of every storage by state; False where the last count is too young.

    Args:
        now: count, however young it is.
    """
    with alone("archive-count") as mine:
        if not mine or not (now or _is_due()):
            return False
        began = time.monotonic()
        unread = Q(verified_at=None)
        rows = list(
            Location.objects.values("storage", "status")
            .annotate(
                copies=Count("pk"),
                objects_held=Count("stored_object", distinct=True),
                bytes_held=Sum("stored_object__size_bytes"),
                never_read=Count("pk", filter=unread),
                oldest_unread_at=Min("stored_object__stored_at", filter=unread),
                oldest_read_at=Min("verified_at"),
            )
            .order_by()
        )
        _replace(rows, time.monotonic() - began)
        return True


def _is_due() -> bool:
    last = CopyCount.objects.aggregate(at=Max("counted_at"), took=Max("took_seconds"))
    if last["at"] is None:
        return True
    pause = max(SHORTEST_PAUSE, datetime.timedelta(seconds=last["took"] * PAUSE))
    return clock.now() - last["at"] >= pause


@transaction.atomic(durable=True)
def _replace(rows: Iterable[Mapping[str, Any]], took_seconds: float) -> None:
    CopyCount.objects.all().delete()
    at = clock.now()
    CopyCount.objects.bulk_create(
        CopyCount(**row, counted_at=at, took_seconds=took_seconds) for row in rows
    )
