"""Steps of performed steps: which scheduled step is meant, and what becomes of it."""

import datetime
from dataclasses import dataclass, field

from django.db.models import Q
from pydicom.dataset import Dataset

from apps.accounts.domain import Permission
from apps.accounts.models import Site
from apps.accounts.selectors import main_site
from apps.core import live
from apps.core.actors import Actor
from apps.core.steps import require_transaction
from apps.orders.models import Order
from apps.orders.steps import order_move
from apps.patients.models import Patient, PatientIdentifier
from apps.patients.selectors import alias_keys, current
from apps.scheduling.models import ScheduledStep
from apps.scheduling.selectors import steps_visible_to
from apps.scheduling.steps import (
    MPPS,
    ORDERED,
    order_lock,
    scheduled_step_begin,
    scheduled_step_end,
    steps_cancel,
)
from apps.studies.judging import performed_step_evidence
from apps.worklists.models import PerformedStep, WorklistAttention
from apps.worklists.performing.rules import IN_PROGRESS, referenced_instances, study_uids

UNSCHEDULED = "mpps-unscheduled"
PATIENT_DIFFERS = "mpps-patient-differs"
STEP_OVER = "mpps-step-over"
NO_IMAGES = "mpps-no-images"
LATE = "mpps-late"
SUMMARIES = {
    UNSCHEDULED: "The scanner did an exam that nobody scheduled",
    PATIENT_DIFFERS: "Scanner and schedule name different patients",
    STEP_OVER: "The scanner did an exam that was cancelled here",
    NO_IMAGES: "The scanner says images were made that are not here",
    LATE: "The scanner began an exam and never said that it ended",
}


@dataclass(slots=True)
class Meant:
    """What the scheduled step attributes of a performed step lead to.

    Attributes:
        steps: the scheduled steps, whose patient agrees.
        unknown: how many items led to none.
        other_patient: steps they led to whose patient differs.
    """

    steps: list[ScheduledStep] = field(default_factory=list)
    unknown: int = 0
    other_patient: list[ScheduledStep] = field(default_factory=list)


def scheduled_steps_meant(actor: Actor, attributes: Dataset) -> Meant:
    """Find the scheduled steps that a performed step is of.

    By Scheduled Procedure Step ID; where it is empty, by the Study Instance UID that we issued and
    the modality. A step of another patient is never taken, whatever its numbers say.

    Source: PS3.4 F.7.2.1, (0040,0270).
    """
    meant = Meant()
    visible = steps_visible_to(actor, Permission.PERFORM_WRITE)
    patient_id = str(attributes.get("PatientID") or "").strip()
    for item in attributes.get("ScheduledStepAttributesSequence") or []:
        number = str(item.get("ScheduledProcedureStepID") or "").strip()
        study_uid = str(item.get("StudyInstanceUID") or "").strip()
        by_number = Q(scheduled_procedure_step_id=number)
        by_study = ~Q(status="CANCELED") & Q(
            requested_procedure__study_instance_uid=study_uid,
            modality=str(attributes.get("Modality") or ""),
        )
        found = list(visible.filter(by_number if number else by_study).order_by("pk"))
        if not found:
            meant.unknown += 1
        for step in found:
            same = not patient_id or _is_of(patient_id, step.requested_procedure.order.patient)
            target = meant.steps if same else meant.other_patient
            if step not in target:
                target.append(step)
    return meant


def _is_of(patient_id: str, patient: Patient) -> bool:
    return PatientIdentifier.objects.filter(
        patient__in=alias_keys(patient), value=patient_id
    ).exists()


def orders_lock(steps: list[ScheduledStep]) -> dict[int, Order]:
    """Lock the orders of steps, by key, so that nobody waits in a circle."""
    keys = sorted({step.requested_procedure.order_id for step in steps})
    return {key: order_lock(key) for key in keys}


def scheduled_steps_follow(
    *,
    actor: Actor,
    performed: PerformedStep,
    steps: list[ScheduledStep],
    orders: dict[int, Order],
    at: datetime.datetime,
    door: str,
) -> None:
    """Move scheduled steps, appointments and orders to where the performed step is.

    A step ends when none of its performed steps is still in progress; it is completed if one of
    them was.
    """
    for step in steps:
        order = orders[step.requested_procedure.order_id]
        if performed.status == IN_PROGRESS:
            moved = scheduled_step_begin(
                actor=actor,
                step=step,
                order=order,
                source=MPPS,
                at=performed.started_at,
                door=door,
            )
        else:
            states = set(step.performed_steps.values_list("status", flat=True))
            moved = IN_PROGRESS in states or scheduled_step_end(
                actor=actor,
                step=step,
                order=order,
                completed="COMPLETED" in states,
                source=MPPS,
                at=performed.ended_at or at,
                door=door,
                reason=performed.discontinuation_reason,
            )
        if not moved:
            attention_open(
                performed=performed,
                kind=STEP_OVER,
                at=at,
                step_id=step.scheduled_procedure_step_id,
                state=step.status,
            )


def evidence_push(
    performed: PerformedStep,
    attributes: Dataset,
    at: datetime.datetime,
    *,
    just_ended: bool = False,
) -> None:
    """Tell the study index which instances the performed step says there are."""
    for uid in study_uids(attributes):
        performed_step_evidence(
            study_instance_uid=uid,
            performed_step_uid=performed.sop_instance_uid,
            status=performed.status,
            source=performed.performed_station_ae_title,
            began_at=performed.started_at,
            sop_instance_uids=referenced_instances(attributes),
            at=at,
            just_ended=just_ended,
        )


def attention_open(
    *, performed: PerformedStep, kind: str, at: datetime.datetime, **details: object
) -> None:
    """Open an item for a person, unless one of this kind is open for the performed step."""
    require_transaction()
    WorklistAttention.objects.bulk_create(
        [
            WorklistAttention(
                kind=kind,
                site_id=performed.site_id,
                key=performed.sop_instance_uid,
                summary=SUMMARIES[kind],
                details={"station": performed.performed_station_ae_title, **details},
                opened_at=at,
                performed_step=performed,
            )
        ],
        ignore_conflicts=True,
    )
    live.notify(live.ATTENTION)


def attention_close(
    *,
    performed: PerformedStep,
    kinds: tuple[str, ...],
    by: str,
    at: datetime.datetime,
    resolution: str,
) -> int:
    """Close the performed step's open items of these kinds; return how many."""
    closed = WorklistAttention.objects.filter(
        performed_step=performed, kind__in=kinds, resolved_at=None
    ).update(resolved_at=at, resolved_by=by[:200], resolution=resolution[:300])
    if closed:
        live.notify(live.ATTENTION)
    return closed


def order_stop(
    *, actor: Actor, order: Order, reason: str, at: datetime.datetime, door: str
) -> None:
    """End a locked order of which an exam has begun: what runs is stopped, what waits cancelled.

    Stopping twice changes nothing.

    Raises:
        TransitionNotAllowedError: the order is over, or nothing of it is booked yet.
    """
    if order.status == "DC":
        return
    why = reason.strip()[:300]
    order_move(actor=actor, order=order, event="discontinue", at=at, door=door, reason=why)
    steps_cancel(order=order, reason=why)
    running = (
        ScheduledStep.objects.filter(requested_procedure__order=order, status="STARTED")
        .select_related("appointment")
        .order_by("pk")
    )
    for step in running:
        scheduled_step_end(
            actor=actor,
            step=step,
            order=order,
            completed=False,
            source=ORDERED,
            at=at,
            door=door,
            reason=why,
        )


def site_of(actor: Actor, steps: list[ScheduledStep]) -> Site:
    """Return where a performed step belongs: its scheduled step's site, else its sender's."""
    if steps:
        return steps[0].site
    return Site.objects.get(pk=actor.home_site) if actor.home_site else main_site()


def patient_of(steps: list[ScheduledStep]) -> Patient | None:
    """Return the person whom a performed step is of, where a scheduled step tells."""
    return current(steps[0].requested_procedure.order.patient) if steps else None
