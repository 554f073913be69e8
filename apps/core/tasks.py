"""The one way to declare a Celery task, and one round of the outbox relay."""

import datetime
import random
from collections.abc import Callable
from typing import Any

import structlog
from celery import Task, shared_task  # noqa: TID251 - this is the replacement
from django.db import connection, transaction

from apps.core import clock, events
from apps.core.models import OutboxDelivery

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 12
BATCH = 200
_CLAIM = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"


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
    """Deliver what is due of up to `limit` aggregates and return how many deliveries were tried.

    Several relays work beside one another, each on an aggregate of its own. A failing delivery
    waits longer each time and is dead after `MAX_ATTEMPTS`; while it is alive, the later ones of
    its subscriber and aggregate wait, so that order holds.
    """
    now = clock.now()
    waiting = OutboxDelivery.objects.filter(done_at=None, dead_at=None)
    heads = waiting.order_by("subscriber", "aggregate", "id").distinct("subscriber", "aggregate")
    due = dict.fromkeys(head.aggregate for head in heads if head.due_at <= now)
    return sum(_deliver(aggregate, now) for aggregate in list(due)[:limit])


@transaction.atomic
def _deliver(aggregate: str, now: datetime.datetime) -> int:
    """Deliver what is due of an aggregate, in one transaction, unless another relay is at it."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [f"outbox:{aggregate}"])
        [claimed] = cursor.fetchone()
    if not claimed:
        return 0
    waiting = (
        OutboxDelivery.objects.select_for_update(of=("self",))
        .select_related("event")
        .filter(aggregate=aggregate, done_at=None, dead_at=None)
        .order_by("id")
    )
    tried, behind = [], set()
    for delivery in waiting:
        if delivery.subscriber in behind:
            continue
        if delivery.due_at <= now:
            tried.append(delivery)
            _hand_over(delivery)
        if delivery.done_at is None:
            behind.add(delivery.subscriber)
    done = [delivery.pk for delivery in tried if delivery.done_at]
    OutboxDelivery.objects.filter(pk__in=done).update(done_at=clock.now(), error="")
    for delivery in tried:
        if not delivery.done_at:
            delivery.save(update_fields=["attempts", "due_at", "dead_at", "error"])
    return len(tried)


def _hand_over(delivery: OutboxDelivery) -> None:
    """Have the subscriber take it, or note that it failed."""
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
        delivery.done_at = clock.now()
    except Exception as error:
        _postpone(delivery, error)


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
