"""What arriving images say of an exam, where its scanner says nothing or not yet."""

import datetime

from django.db.models import QuerySet
from pydicom.dataset import Dataset

from apps.core.actors import Actor
from apps.core.steps import require_transaction
from apps.scheduling.domain import AWAITED
from apps.scheduling.models import ScheduledStep
from apps.scheduling.steps import IMAGES, scheduled_step_begin, scheduled_step_end
from apps.studies.models import Instance, Study
from apps.worklists.models import PerformedStep
from apps.worklists.performing.rules import FINAL, IN_PROGRESS, referenced_instances
from apps.worklists.performing.steps import (
    NO_IMAGES,
    attention_close,
    evidence_push,
    orders_lock,
)


def images_received(*, actor: Actor, study_id: int, at: datetime.datetime) -> None:
    """Images of a study are here: its awaited steps have begun.

    A finished scanner step is looked at again, now that more of what it names has come. Only steps
    of a scanner that makes such images are moved; doing it again changes nothing.
    """
    require_transaction()
    study = Study.objects.get(pk=study_id)
    steps = _steps(study).filter(modality__in=study.modalities_in_study, status__in=AWAITED)
    waiting = list(steps)
    orders = orders_lock(waiting)
    for step in waiting:
        scheduled_step_begin(
            actor=actor,
            step=step,
            order=orders[step.requested_procedure.order_id],
            source=IMAGES,
            at=study.first_received_at or at,
            door="task",
        )
    for performed in PerformedStep.objects.filter(
        study_instance_uid=study.study_instance_uid, status__in=FINAL
    ):
        attributes = Dataset.from_json(performed.attributes)
        evidence_push(performed, attributes, at)
        if not missing_instances(attributes):
            attention_close(
                performed=performed,
                kinds=(NO_IMAGES,),
                by=actor.display,
                at=at,
                resolution="The images came",
            )


def images_complete(*, actor: Actor, study_id: int, at: datetime.datetime) -> None:
    """A study is complete: the steps that its images began are done.

    A step that a scanner or a person speaks for waits for them to end it.
    """
    require_transaction()
    study = Study.objects.get(pk=study_id)
    running = list(
        _steps(study)
        .filter(status="STARTED", status_source=IMAGES)
        .exclude(performed_steps__status=IN_PROGRESS)
    )
    orders = orders_lock(running)
    for step in running:
        scheduled_step_end(
            actor=actor,
            step=step,
            order=orders[step.requested_procedure.order_id],
            completed=True,
            source=IMAGES,
            at=study.last_received_at or at,
            door="task",
        )


def missing_instances(attributes: Dataset) -> int:
    """Return how many of the instances that a performed step names are not here."""
    named = referenced_instances(attributes)
    here = Instance.objects.filter(sop_instance_uid__in=named).count() if named else 0
    return len(named) - here


def _steps(study: Study) -> QuerySet[ScheduledStep]:
    return (
        ScheduledStep.objects.filter(requested_procedure__matches__study=study)
        .select_related("appointment", "requested_procedure__order")
        .order_by("pk")
    )
