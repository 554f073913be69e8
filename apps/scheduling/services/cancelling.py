"""Cancelling an appointment or a whole order, and taking it back."""

import datetime

from django.db import transaction

from apps.accounts.domain import Permission
from apps.core.actors import Actor
from apps.core.errors import InvalidInputError
from apps.core.steps import transition
from apps.orders.models import Order
from apps.orders.selectors import order_access
from apps.scheduling import audit_events
from apps.scheduling.domain import APPOINTMENT, LIVE, SCHEDULED_STEP
from apps.scheduling.errors import AlreadyBookedError, NothingToUndoError, StepBegunError
from apps.scheduling.models import Appointment, ScheduledStep
from apps.scheduling.policies import held_of
from apps.scheduling.services.booking import order_release
from apps.scheduling.services.holding import Held, hold, slot_take, span_of, tell
from apps.scheduling.steps import order_cancel_booked, order_follow, order_lock

WRITE = Permission.SCHEDULE_WRITE


@transaction.atomic(durable=True)
def appointment_cancel(
    *,
    actor: Actor,
    appointment_id: int,
    reason: str,
    at: datetime.datetime,
    version: int | None = None,
    door: str = "page",
) -> Appointment:
    """Cancel an appointment: its time is free, its exam waits to be booked again.

    Raises:
        InvalidInputError: no reason is given.
        StepBegunError: the exam has begun.
        TransitionNotAllowedError: the appointment is over.
    """
    held = hold(actor, held_of(actor, WRITE), appointment_id, version)
    why = reason.strip()[:300]
    if not why:
        message = "Say why it is cancelled."
        raise InvalidInputError(message, field="reason")
    if not SCHEDULED_STEP.allows("cancel", held.step.status):
        raise StepBegunError
    transition(held.appointment, APPOINTMENT, "cancel")
    transition(held.step, SCHEDULED_STEP, "cancel")
    held.appointment.cancel_reason = why
    held.appointment.version += 1
    held.appointment.save(update_fields=["cancel_reason", "version"])
    order_release(actor=actor, held=held, at=at, door=door)
    tell(actor=actor, held=held, event=audit_events.CANCELLED, door=door, at=at, reason=why)
    return held.appointment


@transaction.atomic(durable=True)
def appointment_undo_cancel(
    *,
    actor: Actor,
    appointment_id: int,
    at: datetime.datetime,
    version: int | None = None,
    door: str = "page",
) -> Appointment:
    """Book a cancelled appointment again, where its time is still free.

    Raises:
        NothingToUndoError: it is not cancelled, or the order went on without it.
        AlreadyBookedError: the exam has another appointment by now.
        SlotTakenError: the time was given to someone else.
    """
    held = hold(actor, held_of(actor, WRITE), appointment_id, version)
    if held.appointment.status != "cancelled" or held.order.status in {"CA", "HD", "DC"}:
        raise NothingToUndoError
    appointment_revive(actor=actor, held=held, event="undo-cancel", at=at, door=door)
    tell(actor=actor, held=held, event=audit_events.RESTORED, door=door, at=at, undone="cancel")
    return held.appointment


def appointment_revive(
    *, actor: Actor, held: Held, event: str, at: datetime.datetime, door: str
) -> None:
    """Give a cancelled or missed appointment its place and its step back."""
    appointment = held.appointment
    if ScheduledStep.objects.filter(requested_procedure=held.exam, status__in=LIVE).exists():
        raise AlreadyBookedError
    span, room = span_of(appointment), appointment.room
    slot_take(appointment, room, span)
    transition(held.step, SCHEDULED_STEP, "undo-cancel")
    transition(appointment, APPOINTMENT, event)
    appointment.cancel_reason = ""
    appointment.version += 1
    appointment.save(update_fields=["cancel_reason", "version"])
    order_follow(actor=actor, order=held.order, event="schedule", at=at, door=door)


@transaction.atomic(durable=True)
def order_cancel_with_slot(
    *, actor: Actor, order_id: int, reason: str, at: datetime.datetime, door: str = "page"
) -> Order:
    """Cancel an order with its appointments and steps. Cancelling twice changes nothing.

    Raises:
        NotFoundError: absent, or hidden from the actor.
        StepBegunError: an exam of it has begun: `worklists.services.order_discontinue` ends it.
        TransitionNotAllowedError: the order is over.
    """
    order = order_lock(order_access(actor, order_id, held_of(actor, Permission.ORDER_WRITE)).pk)
    order_cancel_booked(actor=actor, order=order, reason=reason, at=at, door=door)
    return order
