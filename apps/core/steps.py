"""Steps every command uses: they need a transaction, and never commit one."""

from typing import Any, TypeVar

from django.db import connection, models, transaction

from apps.core import clock, events
from apps.core.machines import Machine
from apps.core.models import OutboxDelivery, OutboxEvent

OUTBOX_CHANNEL = "isocenter_outbox"
ModelT = TypeVar("ModelT", bound=models.Model)


def require_transaction() -> None:
    """Refuse to run outside a transaction.

    Raises:
        RuntimeError: the caller forgot it; what it writes could be half kept.
    """
    if not connection.in_atomic_block:
        message = "this step must run inside a transaction"
        raise RuntimeError(message)


def lock(obj: ModelT) -> ModelT:
    """Lock the object's row until the transaction ends, and read it again."""
    require_transaction()
    obj.refresh_from_db(from_queryset=_rows(obj).select_for_update(of=("self",)))
    return obj


def transition(obj: models.Model, machine: Machine, event: str) -> tuple[str, str]:
    """Lock the row, take the step that the table gives, and write the new state.

    Args:
        obj: a saved row; its state field is read again under the lock.
        machine: the table.
        event: one of the machine's events.

    Returns:
        The state before and the state after.

    Raises:
        TransitionNotAllowedError: the table has no such step from here.
    """
    require_transaction()
    rows = _rows(obj)
    before = rows.select_for_update().values_list(machine.field, flat=True).get(pk=obj.pk)
    after = machine.target(event, before)
    if after != before:
        rows.filter(pk=obj.pk).update(**{machine.field: after})
    setattr(obj, machine.field, after)
    return before, after


def publish(*, name: str, aggregate: str, payload: dict[str, Any]) -> OutboxEvent:
    """Write an event for its subscribers, to be delivered after this transaction commits.

    Call it while holding the aggregate's row lock: then events of one aggregate commit in the
    order of their ids, and are delivered in it.

    Args:
        name: `app.noun.participle`, such as `reports.report.finalised`.
        aggregate: what the order is kept for, such as `report:12`.
        payload: ids and ISO times only.
    """
    require_transaction()
    at = clock.now()
    event = OutboxEvent.objects.create(
        name=name, aggregate=aggregate, payload=payload, published_at=at
    )
    OutboxDelivery.objects.bulk_create(
        OutboxDelivery(event=event, subscriber=subscriber, aggregate=aggregate, due_at=at)
        for subscriber in events.subscribers_of(name)
    )
    if events.subscribers_of(name):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, '')", [OUTBOX_CHANNEL])
    return event


def savepoint() -> transaction.Atomic:
    """Return a savepoint inside the command's transaction."""
    require_transaction()
    return transaction.atomic()


def _rows(obj: models.Model) -> models.Manager:
    return type(obj)._default_manager  # noqa: SLF001 - Django's documented name for it
