"""Judging a study complete when nothing more says otherwise."""

import datetime

from django.db import transaction

from apps.core.actors import Actor
from apps.studies.domain import Completeness
from apps.studies.models import Study
from apps.studies.steps import study_settle

QUIET = datetime.timedelta(seconds=60)


@transaction.atomic(durable=True)
def studies_settle(*, actor: Actor, at: datetime.datetime, limit: int = 200) -> int:
    """Call studies complete to which nothing was added for a minute; return how many.

    The weakest evidence there is: a performed step that ended overrules it either way.
    """
    quiet = (
        Study.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(completeness=Completeness.RECEIVING, last_received_at__lt=at - QUIET)
        .order_by("last_received_at")[:limit]
    )
    count = 0
    for study in quiet:
        study_settle(
            study=study,
            to=Completeness.COMPLETE,
            evidence=f"{study.number_of_instances} images, none new for {QUIET.seconds} s",
        )
        count += 1
    del actor  # the system's own judgement; the event and the row say so
    return count
