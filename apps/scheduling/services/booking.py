"""Booking and moving, each with its way back."""

import datetime

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from apps.accounts.domain import Permission
from apps.core.actors import Actor
from apps.core.errors import InvalidInputError
from apps.core.steps import lock, transition
from apps.scheduling import audit_events, selectors
from apps.scheduling.domain import APPOINTMENT, AWAITED, LIVE, SCHEDULED_STEP
from apps.scheduling.errors import (
    AlreadyBookedError,
    NothingToUndoError,
    NotSchedulableError,
    StepBegunError,
)
from apps.scheduling.models import Appointment, ScheduledStep
from apps.scheduling.policies import held_of
from apps.scheduling.services.holding import Held, hold, place_check, slot_take, span_of, tell
from apps.scheduling.steps import (
    order_follow,
    order_lock,
    scheduled_step_create,
    scheduled_step_place,
)
from apps.scheduling.wall_time import Span

WRITE = Permission.SCHEDULE_WRITE
MAX_MINUTES = 12 * 60

WHY_NOT = {
    "VT": "The order has to be vetted first.",
    "HD": "The order is on hold.",
    "CM": "The order is complete.",
    "CA": "The order was cancelled.",
    "DC": "The order was discontinued.",
    "ER": "The order has an error.",
}


@transaction.atomic(durable=True)
def appointment_book(
    *,
    actor: Actor,
    requested_procedure_id: int,
    room_id: int,
    start_at: datetime.datetime,
    at: datetime.datetime,
    duration_minutes: int | None = None,
    note: str = "",
    door: str = "page",
) -> Appointment:
    """Book an exam into a room: the order becomes scheduled, the scanner sees it on its worklist.

    Args:
        actor: holds `schedule.write`.
        requested_procedure_id: the exam.
        room_id: a room with the right scanner.
        start_at: aware, on a full five minutes.
        at: now.
        duration_minutes: where it differs from the catalogue's; brought up to whole slots.
        note: for the people at the desk.
        door: for the audit trail.

    Raises:
        NotFoundError: exam or room absent or hidden.
        NotSchedulableError, AlreadyBookedError, WrongModalityError, InThePastError,
        RoomClosedError, SlotTakenError: as they say.
    """
    permission = held_of(actor, WRITE)
    exam = selectors.exam_access(actor, requested_procedure_id, permission)
    room = selectors.room_access(actor, room_id, permission)
    order = order_lock(exam.order_id)
    if order.status not in selectors.BOOKABLE:
        raise NotSchedulableError(WHY_NOT.get(order.status), status=order.status)
    if ScheduledStep.objects.filter(requested_procedure=exam, status__in=LIVE).exists():
        raise AlreadyBookedError
    span = _span(start_at, selectors.length_of(exam, _minutes(duration_minutes)))
    place_check(exam=exam, room=room, span=span, at=at)
    appointment = Appointment(
        status="booked", booked_by=actor.display[:100], booked_at=at, note=note[:300]
    )
    slot_take(appointment, room, span)
    step = scheduled_step_create(exam=exam, room=room, start_at=span.start, appointment=appointment)
    order_follow(actor=actor, order=order, event="schedule", at=at, door=door)
    held = Held(order, step, appointment)
    tell(
        actor=actor,
        held=held,
        event=audit_events.BOOKED,
        door=door,
        at=at,
        room=room.code,
        start_at=span.start.isoformat(),
    )
    return appointment


@transaction.atomic(durable=True)
def appointment_move(
    *,
    actor: Actor,
    appointment_id: int,
    room_id: int,
    start_at: datetime.datetime,
    at: datetime.datetime,
    duration_minutes: int | None = None,
    version: int | None = None,
    door: str = "page",
) -> Appointment:
    """Move an appointment to another time or room; it keeps its length unless another is given.

    Raises:
        NotFoundError: appointment or room absent or hidden.
        ConflictError: it changed since `version` was seen.
        StepBegunError: the exam has begun or the appointment is over.
        WrongModalityError, InThePastError, RoomClosedError, SlotTakenError: as they say.
    """
    permission = held_of(actor, WRITE)
    room = selectors.room_access(actor, room_id, permission)
    held = hold(actor, permission, appointment_id, version)
    appointment = held.appointment
    _require_awaited(held)
    before = span_of(appointment)
    minutes = _minutes(duration_minutes)
    length = selectors.length_of(held.exam, minutes) if minutes else before.length
    span = _span(start_at, length)
    if (room.pk, span) == (appointment.room_id, before):
        return appointment
    place_check(exam=held.exam, room=room, span=span, at=at)
    was_in = appointment.room.code
    appointment.previous_room_id = appointment.room_id
    appointment.previous_period = DateTimeTZRange(before.start, before.end)
    appointment.version += 1
    slot_take(appointment, room, span)
    scheduled_step_place(step=held.step, room=room, start_at=span.start)
    held.step.save()
    tell(
        actor=actor,
        held=held,
        event=audit_events.MOVED,
        door=door,
        at=at,
        **{"from": f"{was_in} {before.start.isoformat()}"},
        to=f"{room.code} {span.start.isoformat()}",
    )
    return appointment


@transaction.atomic(durable=True)
def appointment_undo_move(
    *,
    actor: Actor,
    appointment_id: int,
    at: datetime.datetime,
    version: int | None = None,
    door: str = "page",
) -> Appointment:
    """Move an appointment back to where it was before its last move.

    Raises:
        NothingToUndoError: it was not moved.
        ConflictError, SlotTakenError, StepBegunError: as for a move.
    """
    permission = held_of(actor, WRITE)
    held = hold(actor, permission, appointment_id, version)
    appointment = held.appointment
    if appointment.previous_room_id is None or appointment.previous_period is None:
        raise NothingToUndoError
    _require_awaited(held)
    room = selectors.room_access(actor, appointment.previous_room_id, permission)
    span = Span(appointment.previous_period.lower, appointment.previous_period.upper)
    place_check(exam=held.exam, room=room, span=span, at=None)
    appointment.previous_room = appointment.previous_period = None
    appointment.version += 1
    slot_take(appointment, room, span)
    scheduled_step_place(step=held.step, room=room, start_at=span.start)
    held.step.save()
    tell(actor=actor, held=held, event=audit_events.RESTORED, door=door, at=at, undone="move")
    return appointment


@transaction.atomic(durable=True)
def appointment_undo_booking(
    *,
    actor: Actor,
    appointment_id: int,
    at: datetime.datetime,
    version: int | None = None,
    door: str = "page",
) -> Appointment:
    """Take a booking back as entered in error: the exam is to be booked again.

    Raises:
        NothingToUndoError: it is no longer just booked.
    """
    held = hold(actor, held_of(actor, WRITE), appointment_id, version)
    if held.appointment.status != "booked" or held.step.status != "SCHEDULED":
        raise NothingToUndoError
    transition(held.appointment, APPOINTMENT, "void")
    transition(held.step, SCHEDULED_STEP, "cancel")
    held.appointment.version += 1
    held.appointment.save(update_fields=["version"])
    order_release(actor=actor, held=held, at=at, door=door)
    tell(actor=actor, held=held, event=audit_events.VOIDED, door=door, at=at)
    return held.appointment


def order_release(*, actor: Actor, held: Held, at: datetime.datetime, door: str) -> None:
    """Put the order back among those to schedule, unless another of its exams is booked."""
    others = ScheduledStep.objects.filter(
        requested_procedure__order=held.order, status__in=LIVE
    ).exists()
    if not others:
        order_follow(actor=actor, order=held.order, event="unschedule", at=at, door=door)


def _require_awaited(held: Held) -> None:
    if held.step.status not in AWAITED:
        raise StepBegunError
    if held.appointment.status not in {"proposed", "pending", "booked", "arrived", "checked-in"}:
        message = "This appointment is over."
        raise StepBegunError(message)
    lock(held.step)


def _minutes(minutes: int | None) -> int | None:
    if minutes is not None and not 0 < minutes <= MAX_MINUTES:
        message = f"An exam lasts between 1 and {MAX_MINUTES} minutes."
        raise InvalidInputError(message, field="duration_minutes")
    return minutes


def _span(start_at: datetime.datetime, length: datetime.timedelta) -> Span:
    if start_at.tzinfo is None:
        message = "A start without a time zone is not an instant."
        raise InvalidInputError(message, field="start_at")
    start = start_at.astimezone(datetime.UTC)
    return Span(start, start + length)
