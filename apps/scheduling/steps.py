"""Steps on scheduled steps, their appointments and orders, for commands of this and higher apps.

Locks are always taken in the order: orders by key, appointment, room. Whoever keeps to it never
waits in a circle.
"""

import datetime
from typing import Any

from django.db import connection

from apps.audit.steps import record
from apps.core import live
from apps.core.actors import Actor
from apps.core.steps import lock, publish, require_transaction, transition
from apps.orders.domain import ORDER
from apps.orders.models import Order, RequestedProcedure
from apps.orders.steps import order_cancel, order_move
from apps.scheduling import audit_events, wall_time
from apps.scheduling.domain import APPOINTMENT, AWAITED, LIVE, SCHEDULED_STEP
from apps.scheduling.errors import StepBegunError
from apps.scheduling.models import Appointment, Room, ScheduledStep
from apps.scheduling.selectors import zone_of

PERSON, MPPS, IMAGES, ORDERED = "person", "mpps", "images", "order"
"""What moved a step: a person here, the scanner's message, arriving images, the order's end."""


def order_lock(order_id: int) -> Order:
    """Lock an order: the first lock of every command here."""
    require_transaction()
    return (
        Order.objects.select_for_update(of=("self",))
        .select_related("site", "patient")
        .get(pk=order_id)
    )


def order_follow(
    *, actor: Actor, order: Order, event: str, at: datetime.datetime, door: str
) -> bool:
    """Take the locked order along where its table allows the event; tell whether it moved."""
    if not ORDER.allows(event, order.status):
        return False
    before, after = order_move(actor=actor, order=order, event=event, at=at, door=door)
    return before != after


def scheduled_step_create(
    *,
    exam: RequestedProcedure,
    room: Room,
    start_at: datetime.datetime,
    appointment: Appointment | None = None,
    status: str = "SCHEDULED",
) -> ScheduledStep:
    """Make the step of an exam in a room: a line of the modality worklist.

    Args:
        exam: the requested procedure.
        room: gives modality, station AE title and site.
        start_at: an instant; the wall date and time of the site are kept beside it.
        appointment: None for a walk-in.
        status: SCHEDULED, or ARRIVED for a walk-in.
    """
    require_transaction()
    key = _next_step_key()
    step = ScheduledStep(
        pk=key,
        requested_procedure=exam,
        appointment=appointment,
        status=status,
        scheduled_procedure_step_id=step_id(key),
        description=(exam.procedure.meaning if exam.procedure else exam.description)[:64],
    )
    scheduled_step_place(step=step, room=room, start_at=start_at)
    step.save(force_insert=True)
    return step


def step_id(key: int) -> str:
    """Return the Scheduled Procedure Step ID (0040,0009) of a step's primary key."""
    return f"SPS{key:07d}"


def scheduled_step_place(*, step: ScheduledStep, room: Room, start_at: datetime.datetime) -> None:
    """Set room and time on a step; the caller saves it."""
    local = wall_time.wall(start_at, zone_of(room.site))
    step.site = room.site
    step.modality = room.modality
    step.scheduled_station_ae_title = room.scheduled_station_ae_title
    step.scheduled_station_name = room.name[:16]
    step.start_at = start_at
    step.start_date = local.date()
    step.start_time = local.time().replace(microsecond=0)


def _next_step_key() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('scheduling_scheduledstep', 'id'))")
        return int(cursor.fetchone()[0])


def scheduled_step_begin(
    *,
    actor: Actor,
    step: ScheduledStep,
    order: Order,
    source: str,
    at: datetime.datetime,
    door: str,
) -> bool:
    """The exam has begun: move step, appointment and order. The order is locked.

    Beginning twice changes nothing; a completed or discontinued step begins again.

    Args:
        actor: who says so.
        step: the step.
        order: its order, locked.
        source: PERSON, MPPS or IMAGES; kept, so that a page can say what moved it.
        at: when it began.
        door: for the audit trail.

    Returns:
        Whether the step is now STARTED; false where it was cancelled or the patient has left.
    """
    lock(step)
    event = "reopen" if step.status == "COMPLETED" else "start"
    if not SCHEDULED_STEP.allows(event, step.status):
        return False
    before, after = transition(step, SCHEDULED_STEP, event)
    if before == after:
        return True
    step.status_source = source
    step.started_at = step.started_at or at
    step.ended_at = None
    step.save(update_fields=["status_source", "started_at", "ended_at"])
    _appointment_follow(step, "check-in")
    onward = "reopen" if order.status in {"CM", "DC"} else "start"
    order_follow(actor=actor, order=order, event=onward, at=at, door=door)
    step_tell(
        actor=actor,
        event=audit_events.STEP_STARTED,
        step=step,
        order=order,
        source=source,
        door=door,
    )
    return True


def scheduled_step_end(
    *,
    actor: Actor,
    step: ScheduledStep,
    order: Order,
    completed: bool,
    source: str,
    at: datetime.datetime,
    door: str,
    reason: str = "",
) -> bool:
    """The exam has ended: move step and appointment, and the order once nothing is left to do.

    The order is complete when every exam of it has a completed step and none is live, and
    discontinued when all that was done was stopped early.

    Returns:
        Whether the step is now COMPLETED or DISCONTINUED as asked.
    """
    lock(step)
    event = "complete" if completed else "discontinue"
    if not SCHEDULED_STEP.allows(event, step.status):
        return False
    before, after = transition(step, SCHEDULED_STEP, event)
    if before == after:
        return True
    step.status_source = source
    step.started_at = step.started_at or at
    step.ended_at = at
    step.discontinuation_reason = "" if completed else reason[:100]
    step.save(update_fields=["status_source", "started_at", "ended_at", "discontinuation_reason"])
    _appointment_follow(step, "fulfil")
    order_settle(actor=actor, order=order, at=at, door=door)
    told = audit_events.STEP_COMPLETED if completed else audit_events.STEP_DISCONTINUED
    step_tell(actor=actor, event=told, step=step, order=order, source=source, door=door)
    return True


def order_settle(*, actor: Actor, order: Order, at: datetime.datetime, door: str) -> None:
    """Complete or discontinue the order if all its exams have come to an end."""
    exams: dict[int, set[str]] = {
        key: set() for key in order.requested_procedures.values_list("pk", flat=True)
    }
    for exam_id, status in ScheduledStep.objects.filter(
        requested_procedure__order=order
    ).values_list("requested_procedure_id", "status"):
        exams[exam_id].add(status)
    done = [states & {"COMPLETED", "DEPARTED"} for states in exams.values()]
    if any(states & set(LIVE) for states in exams.values()):
        return
    if all(done):
        order_follow(actor=actor, order=order, event="complete", at=at, door=door)
    elif not any(done) and all("DISCONTINUED" in states for states in exams.values()):
        order_follow(actor=actor, order=order, event="discontinue", at=at, door=door)


def steps_cancel(*, order: Order, reason: str) -> list[ScheduledStep]:
    """Cancel every awaited step of a locked order, with its appointment; return them."""
    steps = list(
        ScheduledStep.objects.filter(requested_procedure__order=order, status__in=AWAITED)
        .select_related("appointment")
        .order_by("pk")
    )
    for step in steps:
        transition(step, SCHEDULED_STEP, "cancel")
        step.status_source = ORDERED
        step.save(update_fields=["status_source"])
        appointment = step.appointment
        if appointment and APPOINTMENT.allows("cancel", lock(appointment).status):
            transition(appointment, APPOINTMENT, "cancel")
            appointment.cancel_reason = reason
            appointment.version += 1
            appointment.save(update_fields=["cancel_reason", "version"])
    return steps


def order_cancel_booked(
    *, actor: Actor, order: Order, reason: str, at: datetime.datetime, door: str
) -> None:
    """Cancel a locked order with its appointments and steps. Cancelling twice changes nothing.

    Raises:
        StepBegunError: an exam of it has begun: it can be discontinued only.
        TransitionNotAllowedError: the order is over.
    """
    if order.status == "CA":
        return
    begun = ScheduledStep.objects.filter(
        requested_procedure__order=order, status__in=("STARTED", "COMPLETED", "DEPARTED")
    )
    if begun.exists():
        raise StepBegunError(order=order.pk)
    why = reason.strip()[:300]
    order_cancel(actor=actor, order=order, reason=why, at=at, door=door)
    for step in steps_cancel(order=order, reason=why):
        step_tell(
            actor=actor,
            event=audit_events.CANCELLED,
            step=step,
            order=order,
            source=ORDERED,
            door=door,
            reason=why,
        )


def changed(order: Order) -> None:
    """Tell open pages that the day changed."""
    live.notify(live.SCHEDULE, f"site:{order.site_id}")
    live.notify(live.PERFORM, f"site:{order.site_id}")


def _appointment_follow(step: ScheduledStep, event: str) -> None:
    appointment = step.appointment
    if appointment is None:
        return
    lock(appointment)
    if APPOINTMENT.allows(event, appointment.status):
        transition(appointment, APPOINTMENT, event)


def step_tell(
    *,
    actor: Actor,
    event: str,
    step: ScheduledStep,
    order: Order,
    source: str,
    door: str,
    **details: Any,
) -> None:
    """Audit and publish what became of a step, and wake the open pages."""
    record(
        actor=actor,
        event=event,
        door=door,
        patient=order.patient_id,
        key=f"step:{step.pk}",
        accession_number=order.accession_number,
        step_id=step.scheduled_procedure_step_id,
        source=source,
        **details,
    )
    publish(
        name=event,
        aggregate=f"order:{order.pk}",
        payload={
            "order_id": order.pk,
            "requested_procedure_id": step.requested_procedure_id,
            "step_id": step.pk,
        },
    )
    changed(order)
