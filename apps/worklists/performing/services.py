"""Commands of the scanner: N-CREATE and N-SET of a performed step."""

import datetime
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from pydicom.dataset import Dataset

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.audit.steps import record
from apps.core import live
from apps.core.actors import Actor, ActorKind
from apps.core.steps import publish, savepoint, transition
from apps.core.uids import new_uid
from apps.worklists import audit_events
from apps.worklists.domain import PERFORMED_STEP
from apps.worklists.models import PerformedStep
from apps.worklists.performing import rules
from apps.worklists.performing.errors import (
    DuplicateStepError,
    FinalStepError,
    UnknownStepError,
)
from apps.worklists.performing.steps import (
    LATE,
    PATIENT_DIFFERS,
    UNSCHEDULED,
    attention_close,
    attention_open,
    evidence_push,
    orders_lock,
    patient_of,
    scheduled_steps_follow,
    scheduled_steps_meant,
    site_of,
)


@transaction.atomic(durable=True)
def performed_step_create(
    *,
    actor: Actor,
    attributes: Dataset,
    at: datetime.datetime,
    sop_instance_uid: str = "",
    door: str = "dimse",
) -> PerformedStep:
    """Take an N-CREATE: the exam has begun, its scheduled steps, appointments and orders move.

    One that names no scheduled step of ours is accepted (an emergency) and becomes an item that
    needs attention, as does one whose patient differs from the schedule's: that one moves nothing.

    Args:
        actor: the modality, or whoever speaks for it; holds `perform.write`.
        attributes: the data set as received, decoded.
        at: now.
        sop_instance_uid: as the SCU gave it; issued here where it gave none.
        door: for the audit trail.

    Raises:
        MissingAttributeError, MissingValueError, InvalidValueError: Table F.7.2-1 is not met.
        DuplicateStepError: the UID is taken.

    Source: PS3.4 F.7.2.1.
    """
    policy.require(actor, Permission.PERFORM_WRITE)
    rules.check_create(attributes)
    uid = sop_instance_uid or new_uid()
    if PerformedStep.objects.filter(sop_instance_uid=uid).exists():
        raise DuplicateStepError(sop_instance_uid=uid)
    meant = scheduled_steps_meant(actor, attributes)
    orders = orders_lock(meant.steps)
    site = site_of(actor, meant.steps or meant.other_patient)
    study_uids = rules.study_uids(attributes)
    performed = PerformedStep(
        sop_instance_uid=uid,
        site=site,
        patient=patient_of(meant.steps),
        performed_procedure_step_id=str(attributes.PerformedProcedureStepID)[:16],
        performed_station_ae_title=str(attributes.PerformedStationAETitle).strip()[:16],
        modality=str(attributes.Modality)[:16],
        study_instance_uid=study_uids[0][:64],
        started_at=rules.moment(attributes, "PerformedProcedureStepStart", ZoneInfo(site.timezone)),
        attributes=attributes.to_json_dict(),
    )
    try:
        with savepoint():
            performed.save(force_insert=True)
    except IntegrityError as error:
        raise DuplicateStepError(sop_instance_uid=uid) from error
    performed.scheduled_steps.set(meant.steps)
    scheduled_steps_follow(
        actor=actor, performed=performed, steps=meant.steps, orders=orders, at=at, door=door
    )
    name = str(attributes.get("PatientName") or "")
    number = str(attributes.get("PatientID") or "")
    if meant.other_patient:
        steps = [step.scheduled_procedure_step_id for step in meant.other_patient]
        attention_open(
            performed=performed,
            kind=PATIENT_DIFFERS,
            at=at,
            patient_name=name,
            patient_id=number,
            scheduled_steps=steps,
        )
    elif meant.unknown or not meant.steps:
        attention_open(
            performed=performed, kind=UNSCHEDULED, at=at, patient_name=name, patient_id=number
        )
    evidence_push(performed, attributes, at)
    _told(actor, performed, audit_events.PERFORMED_CREATED, door, [])
    return performed


@transaction.atomic(durable=True)
def performed_step_set(
    *,
    actor: Actor,
    sop_instance_uid: str,
    modifications: Dataset,
    at: datetime.datetime,
    door: str = "dimse",
) -> PerformedStep:
    """Take an N-SET: more is known of the performed step, or it has ended.

    What may not change after the N-CREATE stays as it was. The final states take no more changes.

    Raises:
        UnknownStepError: no such step at the actor's site.
        FinalStepError: it was completed or discontinued before.
        MissingAttributeError, MissingValueError, InvalidValueError: Table F.7.2-1 is not met.

    Source: PS3.4 F.7.2.2.
    """
    policy.require(actor, Permission.PERFORM_WRITE)
    performed = PerformedStep.objects.filter(sop_instance_uid=sop_instance_uid).first()
    if performed is None or not _is_at_site(actor, performed):
        raise UnknownStepError(sop_instance_uid=sop_instance_uid)
    steps = list(
        performed.scheduled_steps.select_related(
            "site", "appointment", "requested_procedure__order__patient__survivor"
        ).order_by("pk")
    )
    orders = orders_lock(steps)
    performed = PerformedStep.objects.select_for_update(of=("self",)).get(pk=performed.pk)
    if performed.status in rules.FINAL:
        raise FinalStepError(sop_instance_uid=sop_instance_uid, status=performed.status)
    status = rules.check_status(modifications)
    attributes, refused = rules.merged(Dataset.from_json(performed.attributes), modifications)
    performed.attributes = attributes.to_json_dict()
    if status in rules.FINAL:
        rules.check_final(attributes, status)
        performed.ended_at = rules.moment(
            attributes, "PerformedProcedureStepEnd", ZoneInfo(performed.site.timezone)
        )
        performed.discontinuation_reason = _reason(attributes)
    performed.save(update_fields=["attributes", "ended_at", "discontinuation_reason"])
    transition(performed, PERFORMED_STEP, rules.EVENTS[status])
    if status in rules.FINAL:
        attention_close(
            performed=performed,
            kinds=(LATE,),
            by=actor.display,
            at=at,
            resolution="The scanner said that the exam ended",
        )
        scheduled_steps_follow(
            actor=actor, performed=performed, steps=steps, orders=orders, at=at, door=door
        )
    evidence_push(performed, attributes, at, just_ended=status in rules.FINAL)
    event = (
        audit_events.PERFORMED_ENDED if status in rules.FINAL else audit_events.PERFORMED_CHANGED
    )
    _told(actor, performed, event, door, refused)
    return performed


def _reason(attributes: Dataset) -> str:
    """Return the meaning of (0040,0281), else its code."""
    for item in attributes.get("PerformedProcedureStepDiscontinuationReasonCodeSequence") or []:
        return str(item.get("CodeMeaning") or item.get("CodeValue") or "")[:100]
    return ""


def _is_at_site(actor: Actor, performed: PerformedStep) -> bool:
    return actor.kind is ActorKind.SYSTEM or policy.allows(
        actor, Permission.PERFORM_WRITE, policy.Facts(site_id=performed.site_id)
    )


def _told(
    actor: Actor, performed: PerformedStep, event: str, door: str, refused: list[str]
) -> None:
    record(
        actor=actor,
        event=event,
        door=door,
        patient=performed.patient_id,
        study=performed.study_instance_uid,
        key=f"performed-step:{performed.sop_instance_uid}",
        status=performed.status,
        left_as_they_were=refused,
    )
    publish(
        name=event,
        aggregate=f"performed-step:{performed.pk}",
        payload={
            "performed_step_id": performed.pk,
            "sop_instance_uid": performed.sop_instance_uid,
            "status": performed.status,
            "study_instance_uid": performed.study_instance_uid,
        },
    )
    live.notify(live.PERFORM, f"site:{performed.site_id}")
