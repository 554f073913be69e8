"""The patient comes, is ready, does not come, or comes without an appointment."""

import datetime

from django.db import transaction

from apps.accounts.domain import Permission
from apps.core.actors import Actor
from apps.core.steps import lock, transition
from apps.scheduling import audit_events, selectors, wall_time
from apps.scheduling.domain import APPOINTMENT, LIVE, SCHEDULED_STEP
from apps.scheduling.errors import AlreadyBookedError, NothingToUndoError, NotSchedulableError
from apps.scheduling.models import Appointment, ScheduledStep
from apps.scheduling.policies import held_of
from apps.scheduling.services.booking import WHY_NOT, order_release
from apps.scheduling.services.cancelling import appointment_revive
from apps.scheduling.services.holding import hold, scanner_check, tell
from apps.scheduling.steps import (
    PERSON,
    order_follow,
    order_lock,
    scheduled_step_create,
    step_tell,
)

EITHER = (Permission.SCHEDULE_WRITE, Permission.PERFORM_WRITE)


@transaction.atomic(durable=True)
def appointment_arrive(
    *,
    actor: Actor,
    appointment_id: int,
    at: datetime.datetime,
    version: int | None = None,
    door: str = "page",
) -> Appointment:
    """Note that the patient has come: the step is ARRIVED, the technologist's list shows it.

    Raises:
        NotFoundError: absent, or hidden from the actor.
        TransitionNotAllowedError: not possible from where it stands.
    """
    held = hold(actor, held_of(actor, *EITHER), appointment_id, version)
    transition(held.appointment, APPOINTMENT, "arrive")
    transition(held.step, SCHEDULED_STEP, "arrive")
    _keep(held.appointment, arrived_at=at)
    tell(actor=actor, held=held, event=audit_events.ARRIVED, door=door, at=at)
    return held.appointment


@transaction.atomic(durable=True)
def appointment_check_in(
    *,
    actor: Actor,
    appointment_id: int,
    at: datetime.datetime,
    version: int | None = None,
    door: str = "page",
) -> Appointment:
    """Note that the patient is ready to be called in: the step is READY."""
    held = hold(actor, held_of(actor, *EITHER), appointment_id, version)
    transition(held.appointment, APPOINTMENT, "check-in")
    transition(held.step, SCHEDULED_STEP, "ready")
    _keep(held.appointment, arrived_at=held.appointment.arrived_at or at)
    tell(actor=actor, held=held, event=audit_events.READY, door=door, at=at)
    return held.appointment


@transaction.atomic(durable=True)
def appointment_undo_arrival(
    *,
    actor: Actor,
    appointment_id: int,
    at: datetime.datetime,
    version: int | None = None,
    door: str = "page",
) -> Appointment:
    """Take an arrival back: the appointment is booked again."""
    held = hold(actor, held_of(actor, *EITHER), appointment_id, version)
    if not APPOINTMENT.allows("undo-arrival", held.appointment.status):
        raise NothingToUndoError
    transition(held.step, SCHEDULED_STEP, "undo-arrival")
    transition(held.appointment, APPOINTMENT, "undo-arrival")
    _keep(held.appointment, arrived_at=None)
    tell(actor=actor, held=held, event=audit_events.RESTORED, door=door, at=at, undone="arrival")
    return held.appointment


@transaction.atomic(durable=True)
def appointment_noshow(
    *,
    actor: Actor,
    appointment_id: int,
    at: datetime.datetime,
    version: int | None = None,
    door: str = "page",
) -> Appointment:
    """Note that the patient did not come: off the worklist, back among those to book.

    Raises:
        TransitionNotAllowedError: the patient has come, or the appointment is over.
    """
    held = hold(actor, held_of(actor, *EITHER), appointment_id, version)
    transition(held.appointment, APPOINTMENT, "miss")
    transition(held.step, SCHEDULED_STEP, "cancel")
    _keep(held.appointment, arrived_at=None)
    order_release(actor=actor, held=held, at=at, door=door)
    tell(actor=actor, held=held, event=audit_events.MISSED, door=door, at=at)
    return held.appointment


@transaction.atomic(durable=True)
def appointment_undo_noshow(
    *,
    actor: Actor,
    appointment_id: int,
    at: datetime.datetime,
    version: int | None = None,
    door: str = "page",
) -> Appointment:
    """The patient came after all: the appointment is booked again where its time is free.

    Raises:
        NothingToUndoError: it is not marked as missed.
        AlreadyBookedError, SlotTakenError: as they say.
    """
    held = hold(actor, held_of(actor, *EITHER), appointment_id, version)
    if held.appointment.status != "noshow":
        raise NothingToUndoError
    appointment_revive(actor=actor, held=held, event="undo-miss", at=at, door=door)
    tell(actor=actor, held=held, event=audit_events.RESTORED, door=door, at=at, undone="noshow")
    return held.appointment


@transaction.atomic(durable=True)
def walk_in(
    *,
    actor: Actor,
    requested_procedure_id: int,
    room_id: int,
    at: datetime.datetime,
    door: str = "page",
) -> ScheduledStep:
    """Take a patient who is here without an appointment: the scanner sees the step at once.

    Opening hours do not matter to it, nor who else is booked: it holds no slot.

    Raises:
        NotFoundError, NotSchedulableError, AlreadyBookedError, WrongModalityError: as a booking.
    """
    permission = held_of(actor, *EITHER)
    exam = selectors.exam_access(actor, requested_procedure_id, permission)
    room = selectors.room_access(actor, room_id, permission)
    order = order_lock(exam.order_id)
    if order.status not in selectors.BOOKABLE:
        raise NotSchedulableError(WHY_NOT.get(order.status), status=order.status)
    if ScheduledStep.objects.filter(requested_procedure=exam, status__in=LIVE).exists():
        raise AlreadyBookedError
    scanner_check(exam, room)
    step = scheduled_step_create(
        exam=exam, room=room, start_at=wall_time.floor_to_slot(at), status="ARRIVED"
    )
    order_follow(actor=actor, order=order, event="schedule", at=at, door=door)
    step_tell(
        actor=actor,
        event=audit_events.WALKED_IN,
        step=step,
        order=order,
        source=PERSON,
        door=door,
        room=room.code,
    )
    return step


@transaction.atomic(durable=True)
def step_ready(
    *, actor: Actor, step_id: int, at: datetime.datetime, door: str = "page"
) -> ScheduledStep:
    """Note that a patient without appointment is ready; with one, as `appointment_check_in`.

    Raises:
        NotFoundError: absent, or hidden from the actor.
        TransitionNotAllowedError: not possible from where it stands.
    """
    permission = held_of(actor, *EITHER)
    step = selectors.step_access(actor, step_id, permission)
    order = order_lock(step.requested_procedure.order_id)
    appointment = lock(step.appointment) if step.appointment else None
    transition(step, SCHEDULED_STEP, "ready")
    if appointment is not None:
        transition(appointment, APPOINTMENT, "check-in")
        _keep(appointment, arrived_at=appointment.arrived_at or at)
    step_tell(
        actor=actor,
        event=audit_events.READY,
        step=step,
        order=order,
        source=PERSON,
        door=door,
    )
    return step


def _keep(appointment: Appointment, *, arrived_at: datetime.datetime | None) -> None:
    appointment.arrived_at = arrived_at
    appointment.version += 1
    appointment.save(update_fields=["arrived_at", "version"])
