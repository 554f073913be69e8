"""The one way to declare a Celery task, and one round of the outbox relay."""

import datetime
import random
from collections.abc import Callable
from typing import Any

import structlog
from celery import Task, shared_task  # noqa: TID251 - this is the replacement
from django.db import transaction

from apps.core import clock, events
from apps.core.models import OutboxDelivery

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 12
BATCH = 200


def pacs_task(
    *,
    queue: str = "default",
    retry_on: tuple[type[Exception], ...] = (),
    max_retries: int = 10,
    time_limit: int = 300,
) -> Callable[[Callable[..., Any]], Task]:
    """Declare a task.

    It is acknowledged after it ran, and given to another worker when its own dies, so it must be
    idempotent; arguments are keyword-only ids. No result is kept: domain rows hold the state.

    Args:
        queue: one of `default hl7-out dicom-out render`.
        retry_on: passing faults; anything else fails the task at once.
        max_retries: tries after the first, with doubling, jittered pauses up to ten minutes.
        time_limit: seconds.
    """
    declare = shared_task(
        acks_late=True,
        reject_on_worker_lost=True,
        ignore_result=True,
        autoretry_for=retry_on,
        retry_backoff=True,
        retry_backoff_max=600,
        retry_jitter=True,
        max_retries=max_retries,
        time_limit=time_limit,
    )

    def register(function: Callable[..., Any]) -> Task:
        _queues[f"{function.__module__}.{function.__name__}"] = queue
        return declare(function)

    return register


_queues: dict[str, str] = {}


def route(name: str, *_: Any, **__: Any) -> dict[str, str]:
    """Tell Celery the queue a task was declared with (`CELERY_TASK_ROUTES`)."""
    return {"queue": _queues.get(name, "default")}


def relay_once(limit: int = BATCH) -> int:
    """Deliver up to `limit` due events and return how many were tried.

    Takes the oldest undone delivery of each (subscriber, aggregate) only, so order holds; several
    relays work beside one another, since a locked row is skipped. A failing delivery waits longer
    each time and is dead after `MAX_ATTEMPTS`; while it is alive, later ones of its aggregate wait.
    """
    now = clock.now()
    waiting = OutboxDelivery.objects.filter(done_at=None, dead_at=None)
    heads = waiting.order_by("subscriber", "aggregate", "id").distinct("subscriber", "aggregate")
    due = [d.pk for d in heads if d.due_at <= now][:limit]
    return sum(_deliver(pk) for pk in due)


def _deliver(pk: int) -> int:
    with transaction.atomic():
        delivery = (
            OutboxDelivery.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("event")
            .filter(pk=pk, done_at=None, dead_at=None)
            .first()
        )
        if delivery is None:
            return 0
        event = delivery.event
        handler = events.subscribers_of(event.name).get(delivery.subscriber)
        try:
            if handler is None:
                message = f"no subscriber {delivery.subscriber} is installed"
                raise LookupError(message)
            with transaction.atomic():
                handler(
                    events.Event(
                        event.pk, event.name, event.aggregate, event.payload, event.published_at
                    )
                )
            delivery.done_at, delivery.error = clock.now(), ""
        except Exception as error:
            _postpone(delivery, error)
        delivery.save(update_fields=["attempts", "due_at", "done_at", "dead_at", "error"])
    return 1


def _postpone(delivery: OutboxDelivery, error: Exception) -> None:
    delivery.attempts += 1
    delivery.error = f"{type(error).__name__}: {error}"[:2000]
    if delivery.attempts >= MAX_ATTEMPTS:
        delivery.dead_at = clock.now()
    pause = min(600.0, 2.0**delivery.attempts) * random.uniform(0.7, 1.3)  # noqa: S311 - jitter
    delivery.due_at = clock.now() + datetime.timedelta(seconds=pause)
    log.warning(
        "outbox.delivery-failed",
        event_id=delivery.event_id,
        subscriber=delivery.subscriber,
        attempts=delivery.attempts,
        dead=delivery.dead_at is not None,
        exc_info=error,
    )
