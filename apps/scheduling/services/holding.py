"""What the commands share: an appointment held under lock, and a room taken for a time."""

import datetime
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from psycopg.errors import ExclusionViolation

from apps.accounts.domain import Permission
from apps.audit.steps import record
from apps.core.actors import Actor
from apps.core.errors import ConflictError, InvalidInputError, NotFoundError
from apps.core.steps import lock, publish, savepoint
from apps.orders.models import Order, RequestedProcedure
from apps.scheduling import wall_time
from apps.scheduling.domain import HOLDS_SLOT
from apps.scheduling.errors import (
    InThePastError,
    NotSchedulableError,
    RoomClosedError,
    SlotTakenError,
    WrongModalityError,
)
from apps.scheduling.models import Appointment, Room, ScheduledStep
from apps.scheduling.selectors import (
    modalities_that_do,
    modality_of,
    open_spans,
    steps_visible_to,
    zone_of,
)
from apps.scheduling.steps import changed, order_lock
from apps.scheduling.wall_time import Span


@dataclass(slots=True)
class Held:
    """An appointment with its step and order, all locked."""

    order: Order
    step: ScheduledStep
    appointment: Appointment

    @property
    def exam(self) -> RequestedProcedure:
        """What is to be done."""
        return self.step.requested_procedure


def hold(
    actor: Actor, permission: Permission, appointment_id: int, version: int | None = None
) -> Held:
    """Lock an appointment that the actor may change, with its order and its latest step.

    Raises:
        NotFoundError: absent, or hidden from the actor.
        ConflictError: it is no longer at the version that the actor saw.
    """
    step = (
        steps_visible_to(actor, permission)
        .filter(appointment=appointment_id)
        .order_by("-pk")
        .first()
    )
    if step is None or step.appointment is None:
        raise NotFoundError(appointment=appointment_id)
    order = order_lock(step.requested_procedure.order_id)
    appointment = lock(step.appointment)
    if version is not None and appointment.version != version:
        raise ConflictError(appointment=appointment_id, version=appointment.version)
    return Held(order, lock(step), appointment)


def scanner_check(exam: RequestedProcedure, room: Room) -> None:
    """Refuse a room whose scanner cannot do the exam.

    Raises:
        NotSchedulableError: the exam's code is unknown, so nobody can tell.
        WrongModalityError: it cannot.
    """
    modality = modality_of(exam)
    if not modality:
        message = "The exam's code is not in the catalogue, so nobody knows which scanner it needs."
        raise NotSchedulableError(message)
    if room.modality not in modalities_that_do(modality):
        message = f"{room.name} does {room.modality}; this exam needs {modality}."
        raise WrongModalityError(message, room=room.pk)


def place_check(
    *,
    exam: RequestedProcedure,
    room: Room,
    span: Span,
    at: datetime.datetime | None,
) -> None:
    """Refuse a place that cannot be: wrong scanner, gone by, closed.

    Args:
        exam: what is to be done.
        room: where.
        span: when.
        at: now; None where going back to an earlier time is right (an undo).
    """
    scanner_check(exam, room)
    if span.start != wall_time.floor_to_slot(span.start):
        message = "An appointment begins on a full five minutes."
        raise InvalidInputError(message, field="start_at")
    if at is not None and span.start < wall_time.floor_to_slot(at):
        raise InThePastError(start_at=span.start.isoformat())
    first = wall_time.wall(span.start, zone_of(room.site)).date()
    one = datetime.timedelta(days=1)
    opened = open_spans([room], first - one, first + one)[room.pk]
    if not any(there.holds(span) for there in opened):
        raise RoomClosedError(f"{room.name} is not open for all of that time.", room=room.pk)


def slot_take(appointment: Appointment, room: Room, span: Span) -> None:
    """Give a room to an appointment for a time, and save it.

    The room's row is locked first, so that of many tries one wins and the others are told in order
    instead of ending in a deadlock of the exclusion constraint; the constraint is the proof.

    Raises:
        SlotTakenError: it is held.
    """
    Room.objects.select_for_update(of=("self",), no_key=True).get(pk=room.pk)
    taken = Appointment.objects.filter(
        room=room,
        status__in=HOLDS_SLOT,
        period__overlap=DateTimeTZRange(span.start, span.end),
    ).exclude(pk=appointment.pk)
    if taken.exists():
        raise SlotTakenError(room=room.pk, start_at=span.start.isoformat())
    appointment.room, appointment.period = room, DateTimeTZRange(span.start, span.end)
    try:
        with savepoint():
            appointment.save()
    except IntegrityError as error:
        if isinstance(error.__cause__, ExclusionViolation):
            raise SlotTakenError(room=room.pk, start_at=span.start.isoformat()) from error
        raise


def tell(
    *, actor: Actor, held: Held, event: str, door: str, at: datetime.datetime, **details: Any
) -> None:
    """Audit and publish what was done to an appointment, and wake the open pages."""
    record(
        actor=actor,
        event=event,
        door=door,
        patient=held.order.patient_id,
        key=f"appointment:{held.appointment.pk}",
        accession_number=held.order.accession_number,
        step_id=held.step.scheduled_procedure_step_id,
        **details,
    )
    publish(
        name=event,
        aggregate=f"order:{held.order.pk}",
        payload={
            "order_id": held.order.pk,
            "requested_procedure_id": held.step.requested_procedure_id,
            "appointment_id": held.appointment.pk,
            "step_id": held.step.pk,
            "at": at.isoformat(),
        },
    )
    changed(held.order)


def span_of(appointment: Appointment) -> Span:
    """Return an appointment's time."""
    return Span(appointment.period.lower, appointment.period.upper)
