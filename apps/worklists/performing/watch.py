"""Looks for performed steps that never ended, and for images that never came."""

import datetime

from django.db import transaction
from pydicom.dataset import Dataset

from apps.worklists.models import PerformedStep
from apps.worklists.performing.images import missing_instances
from apps.worklists.performing.rules import FINAL, IN_PROGRESS
from apps.worklists.performing.steps import LATE, NO_IMAGES, attention_open

LATE_AFTER = datetime.timedelta(hours=4)
IMAGES_WITHIN = datetime.timedelta(minutes=15)
LOOK_BACK = datetime.timedelta(days=2)


@transaction.atomic(durable=True)
def performed_steps_watch(*, at: datetime.datetime) -> int:
    """Open an item for each performed step that is late or whose images are missing.

    Late is one in progress four hours after its start; missing are images that a step names which
    are not here a quarter of an hour after its end. Returns how many steps were looked at and found
    wanting; those that have their item already get no second one.
    """
    found = 0
    for performed in PerformedStep.objects.filter(
        status=IN_PROGRESS,
        started_at__lt=at - LATE_AFTER,
        started_at__gt=at - LATE_AFTER - LOOK_BACK,
    ):
        attention_open(performed=performed, kind=LATE, at=at)
        found += 1
    for performed in PerformedStep.objects.filter(
        status__in=FINAL, ended_at__lt=at - IMAGES_WITHIN, ended_at__gt=at - LOOK_BACK
    ):
        missing = missing_instances(Dataset.from_json(performed.attributes))
        if missing:
            attention_open(performed=performed, kind=NO_IMAGES, at=at, missing=missing)
            found += 1
    return found
