"""Commands of a person at the scanner: begin, end, stop early, and take it back."""

import datetime

from django.db import transaction

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.core.actors import Actor
from apps.core.errors import InvalidInputError, TransitionNotAllowedError
from apps.core.steps import lock, transition
from apps.orders.models import Order
from apps.orders.selectors import order_access
from apps.scheduling.domain import SCHEDULED_STEP
from apps.scheduling.models import ScheduledStep
from apps.scheduling.policies import held_of
from apps.scheduling.selectors import step_access
from apps.scheduling.steps import (
    PERSON,
    order_follow,
    order_lock,
    scheduled_step_begin,
    scheduled_step_end,
    step_tell,
)
from apps.worklists import audit_events
from apps.worklists.performing.errors import NotUndoableError
from apps.worklists.performing.steps import order_stop

WRITE = Permission.PERFORM_WRITE


@transaction.atomic(durable=True)
def exam_start(
    *, actor: Actor, step_id: int, at: datetime.datetime, door: str = "page"
) -> ScheduledStep:
    """Say that an exam has begun, for a scanner that does not say so itself.

    Raises:
        NotFoundError: absent, or hidden from the actor.
        TransitionNotAllowedError: it was cancelled, or the patient has left.
    """
    step, order = _held(actor, step_id)
    moved = scheduled_step_begin(
        actor=actor, step=step, order=order, source=PERSON, at=at, door=door
    )
    return _moved(step, moved, "start")


@transaction.atomic(durable=True)
def exam_end(
    *, actor: Actor, step_id: int, at: datetime.datetime, door: str = "page"
) -> ScheduledStep:
    """Say that an exam is done; images may still be coming.

    Raises:
        NotFoundError: absent, or hidden from the actor.
        TransitionNotAllowedError: it was cancelled or stopped early.
    """
    step, order = _held(actor, step_id)
    moved = scheduled_step_end(
        actor=actor, step=step, order=order, completed=True, source=PERSON, at=at, door=door
    )
    return _moved(step, moved, "complete")


@transaction.atomic(durable=True)
def exam_stop(
    *, actor: Actor, step_id: int, reason: str, at: datetime.datetime, door: str = "page"
) -> ScheduledStep:
    """Say that an exam was stopped early, and why; what was made of it stays.

    Raises:
        InvalidInputError: no reason is given.
        NotFoundError, TransitionNotAllowedError: as for the end.
    """
    why = reason.strip()
    if not why:
        message = "Say why it was stopped."
        raise InvalidInputError(message, field="reason")
    step, order = _held(actor, step_id)
    moved = scheduled_step_end(
        actor=actor,
        step=step,
        order=order,
        completed=False,
        source=PERSON,
        at=at,
        door=door,
        reason=why,
    )
    return _moved(step, moved, "discontinue")


@transaction.atomic(durable=True)
def exam_undo(
    *, actor: Actor, step_id: int, at: datetime.datetime, door: str = "page"
) -> ScheduledStep:
    """Take back what a person said last of an exam: its start, its end, or that it was stopped.

    Raises:
        NotUndoableError: the scanner or its images said it.
    """
    step, order = _held(actor, step_id)
    lock(step)
    if step.status_source != PERSON:
        raise NotUndoableError
    if step.status == "STARTED":
        if step.performed_steps.exists():
            raise NotUndoableError
        transition(step, SCHEDULED_STEP, "undo-start")
        step.started_at = None
        step.save(update_fields=["started_at"])
        if not _others_begun(order, step):
            order_follow(actor=actor, order=order, event="undo-start", at=at, door=door)
    elif step.status in {"COMPLETED", "DISCONTINUED"}:
        scheduled_step_begin(actor=actor, step=step, order=order, source=PERSON, at=at, door=door)
    else:
        raise NotUndoableError
    step_tell(
        actor=actor,
        event=audit_events.EXAM_UNDONE,
        step=step,
        order=order,
        source=PERSON,
        door=door,
    )
    return step


@transaction.atomic(durable=True)
def order_discontinue(
    *, actor: Actor, order_id: int, reason: str, at: datetime.datetime, door: str = "page"
) -> Order:
    """End an order of which an exam has begun: what runs is stopped, what waits is cancelled.

    For one that has not begun: `scheduling.services.order_cancel_with_slot`.

    Raises:
        NotFoundError: absent, or hidden from the actor.
        TransitionNotAllowedError: the order is over already.
    """
    permission = held_of(actor, Permission.ORDER_WRITE, WRITE)
    order = order_lock(order_access(actor, order_id, permission).pk)
    order_stop(actor=actor, order=order, reason=reason, at=at, door=door)
    return order


def _held(actor: Actor, step_id: int) -> tuple[ScheduledStep, Order]:
    policy.require(actor, WRITE)
    step = step_access(actor, step_id, WRITE)
    return step, order_lock(step.requested_procedure.order_id)


def _moved(step: ScheduledStep, moved: bool, event: str) -> ScheduledStep:  # noqa: FBT001
    if not moved:
        message = f"This exam is {step.status}: it cannot {event}."
        raise TransitionNotAllowedError(message, event=event, state=step.status)
    return step


def _others_begun(order: Order, step: ScheduledStep) -> bool:
    return (
        ScheduledStep.objects.filter(requested_procedure__order=order)
        .exclude(pk=step.pk)
        .filter(status__in=("STARTED", "COMPLETED", "DEPARTED", "DISCONTINUED"))
        .exists()
    )
