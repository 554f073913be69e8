"""Joining studies and exams: by a late order, and by a person."""

import datetime

from django.db import transaction

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.audit.steps import record
from apps.core.actors import Actor
from apps.core.errors import ConflictError, NotFoundError
from apps.core.steps import publish
from apps.orders.models import Order, RequestedProcedure
from apps.studies import audit_events
from apps.studies.candidates import Candidate, weak_candidates
from apps.studies.domain import MatchReason
from apps.studies.models import Study, StudyMatch
from apps.studies.selectors import study_access
from apps.studies.steps import UNMATCHED, attention_open, study_join, study_match


@transaction.atomic
def order_match_waiting(*, actor: Actor, order_id: int, at: datetime.datetime) -> int:
    """Join studies that came before their order; return how many were joined.

    Source: RAD TF-1 3.3, unscheduled cases.
    """
    order = Order.objects.get(pk=order_id)
    uids = order.requested_procedures.values_list("study_instance_uid", flat=True)
    waiting = (
        Study.objects.select_for_update(of=("self",))
        .select_related("patient", "site")
        .filter(matches=None)
    )
    by_number = waiting.filter(accession_number=order.accession_number)
    joined = 0
    for study in [*by_number.order_by("pk"), *waiting.filter(study_instance_uid__in=list(uids))]:
        joined += len(study_match(study=study, actor=actor, at=at))
    return joined


def study_suggestions(*, actor: Actor, study: Study, at: datetime.datetime) -> list[Candidate]:
    """Return the exams that a person might join the study to, best first."""
    policy.require(actor, Permission.STUDY_RECONCILE)
    modality = study.modalities_in_study[0] if study.modalities_in_study else ""
    return weak_candidates(
        patient=study.patient, modality=modality, body_part=study.body_part, at=at
    )


@transaction.atomic(durable=True)
def study_link(
    *, actor: Actor, study_instance_uid: str, requested_procedure_id: int, at: datetime.datetime
) -> StudyMatch:
    """Join a study to an exam because a person says so.

    Raises:
        NotFoundError: one of the two is absent or hidden.
        ConflictError: they name different patients; that is mended first.
    """
    study = _locked(actor, study_instance_uid)
    procedure = (
        RequestedProcedure.objects.select_related("order__patient")
        .filter(pk=requested_procedure_id, order__site=study.site_id)
        .first()
    )
    if procedure is None:
        raise NotFoundError
    owner = procedure.order.patient.survivor_id or procedure.order.patient_id
    if owner != (study.patient.survivor_id or study.patient_id):
        message = "Images and order name different patients. Correct the patient first."
        raise ConflictError(message)
    candidate = Candidate(procedure, 100, MatchReason.PERSON, f"joined by {actor.display}")
    return study_join(study=study, candidate=candidate, actor=actor, at=at)


@transaction.atomic(durable=True)
def study_unlink(
    *, actor: Actor, study_instance_uid: str, requested_procedure_id: int, at: datetime.datetime
) -> None:
    """Take a study from an exam: the undo of `study_link`."""
    study = _locked(actor, study_instance_uid)
    deleted, _ = StudyMatch.objects.filter(
        study=study, requested_procedure=requested_procedure_id
    ).delete()
    if not deleted:
        raise NotFoundError
    record(
        actor=actor,
        event=audit_events.UNMATCHED,
        door="page",
        patient=study.patient_id,
        study=study.study_instance_uid,
        key=f"requested-procedure:{requested_procedure_id}",
    )
    if not study.matches.exists():
        attention_open(
            study=study,
            kind=UNMATCHED,
            key=study.study_instance_uid,
            summary="Images without an order",
            at=at,
        )
    publish(
        name="studies.study.unmatched",
        aggregate=f"study:{study.pk}",
        payload={
            "study_id": study.pk,
            "study_instance_uid": study.study_instance_uid,
            "requested_procedure_id": requested_procedure_id,
        },
    )


def _locked(actor: Actor, study_instance_uid: str) -> Study:
    found = study_access(actor, study_instance_uid, Permission.STUDY_RECONCILE)
    return (
        Study.objects.select_for_update(of=("self",))
        .select_related("patient", "site")
        .get(pk=found.pk)
    )
