"""Cancelling an appointment or a whole order, and taking it back."""

import datetime

from django.db import transaction

from apps.accounts.domain import Permission
from apps.audit.steps import record
from apps.core.actors import Actor
from apps.core.errors import InvalidInputError, NotFoundError
from apps.core.steps import publish, transition
from apps.orders.domain import ORDER
from apps.orders.models import Order
from apps.scheduling import audit_events
from apps.scheduling.domain import APPOINTMENT, LIVE, SCHEDULED_STEP
from apps.scheduling.errors import AlreadyBookedError, NothingToUndoError, StepBegunError
from apps.scheduling.models import Appointment, ScheduledStep
from apps.scheduling.policies import held_of
from apps.scheduling.selectors import exam_access
from apps.scheduling.services.booking import order_release
from apps.scheduling.services.holding import Held, hold, slot_take, span_of, tell
from apps.scheduling.steps import changed, order_follow, order_lock, steps_cancel

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
    order_release(held)
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
    appointment_revive(held, "undo-cancel")
    tell(actor=actor, held=held, event=audit_events.RESTORED, door=door, at=at, undone="cancel")
    return held.appointment


def appointment_revive(held: Held, event: str) -> None:
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
    order_follow(order=held.order, event="schedule")


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
    permission = held_of(actor, Permission.ORDER_WRITE)
    order = order_lock_visible(actor, permission, order_id)
    if order.status == "CA":
        return order
    begun = ScheduledStep.objects.filter(
        requested_procedure__order=order, status__in=("STARTED", "COMPLETED", "DEPARTED")
    )
    if begun.exists():
        raise StepBegunError(order=order_id)
    ORDER.target("cancel", order.status)
    steps = steps_cancel(order=order, reason=reason.strip()[:300])
    order.cancel_reason = reason.strip()[:300]
    order.save(update_fields=["cancel_reason"])
    order_follow(order=order, event="cancel")
    record(
        actor=actor,
        event=audit_events.ORDER_CANCELLED,
        door=door,
        patient=order.patient_id,
        key=f"order:{order.pk}",
        accession_number=order.accession_number,
        reason=order.cancel_reason,
        steps=[step.scheduled_procedure_step_id for step in steps],
    )
    publish(
        name=audit_events.ORDER_CANCELLED,
        aggregate=f"order:{order.pk}",
        payload={"order_id": order.pk, "at": at.isoformat()},
    )
    changed(order)
    return order


def order_lock_visible(actor: Actor, permission: Permission, order_id: int) -> Order:
    """Lock an order of which the actor may see an exam.

    Raises:
        NotFoundError: absent, or hidden.
    """
    order = order_lock_or_none(order_id)
    if order is not None:
        exam = order.requested_procedures.order_by("pk").first()
        if exam is not None:
            exam_access(actor, exam.pk, permission)
            return order
    raise NotFoundError(order=order_id)


def order_lock_or_none(order_id: int) -> Order | None:
    """Lock an order if there is one."""
    return order_lock(order_id) if Order.objects.filter(pk=order_id).exists() else None
