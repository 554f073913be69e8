"""Commands on the ledger: take the next message to send, note what came of it, mend it.

The network lies between two commands, never inside one: `delivery_claim` leases a message, its
sender talks to the peer, then one of the others notes the outcome. A sender that dies lets the
lease run out, and the message goes again with the same MSH-10, which makes it one for the peer.
"""

import datetime
import random
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.audit.models import Outcome
from apps.audit.steps import record
from apps.core import live
from apps.core.actors import Actor
from apps.core.errors import ConflictError, NotFoundError
from apps.exchange import audit_events
from apps.exchange.models import Delivery, ExchangeAttention
from apps.exchange.selectors import DELIVERY_FIELDS

LEASE = datetime.timedelta(seconds=90)
TRIES_BEFORE_A_PERSON_IS_TOLD = 3
LONGEST_PAUSE_S = 600.0
DEAD, UNREACHABLE = "delivery-dead", "peer-unreachable"


@transaction.atomic(durable=True)
def delivery_claim(*, at: datetime.datetime) -> Delivery | None:
    """Take the next message that is due and lease it; None when there is none.

    Of one peer and ordering key only the oldest that is not done may go. Locked ones are passed
    over, so that senders work beside one another.
    """
    earlier = Delivery.objects.filter(
        peer=OuterRef("peer"),
        ordering_key=OuterRef("ordering_key"),
        status=Delivery.Status.QUEUED,
        pk__lt=OuterRef("pk"),
    )
    row = (
        Delivery.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("peer")
        .filter(~Exists(earlier), status=Delivery.Status.QUEUED, due_at__lte=at)
        .order_by("due_at", "pk")
        .first()
    )
    if row is None:
        return None
    row.attempts += 1
    row.due_at = at + LEASE
    row.save(update_fields=["attempts", "due_at"])
    return row


@transaction.atomic(durable=True)
def delivery_succeed(
    *, actor: Actor, delivery_id: int, acknowledgement: str, at: datetime.datetime
) -> None:
    """Note that the peer accepted the message."""
    row = _lock(delivery_id)
    row.status, row.done_at = Delivery.Status.DONE, at
    row.acknowledgement, row.last_error = acknowledgement, ""
    row.save()
    closed = ExchangeAttention.objects.filter(
        kind=UNREACHABLE, key=f"peer:{row.peer_id}", resolved_at=None
    ).update(resolved_at=at, resolved_by="system", resolution="The system answers again")
    if closed:
        live.notify(live.ATTENTION)
    _tell(actor, audit_events.SENT, row, Outcome.SUCCESS)


@transaction.atomic(durable=True)
def delivery_postpone(*, delivery_id: int, error: str, at: datetime.datetime) -> None:
    """Note that no acknowledgement came; it goes again later, however long it takes.

    After a few tries an item shows a person that the peer does not answer.
    """
    row = _lock(delivery_id)
    pause = min(LONGEST_PAUSE_S, 5.0 * 2.0 ** min(row.attempts, 10)) * random.uniform(0.7, 1.3)  # noqa: S311 -- jitter
    row.due_at = at + datetime.timedelta(seconds=pause)
    row.last_error = error[:500]
    row.save()
    if row.attempts < TRIES_BEFORE_A_PERSON_IS_TOLD:
        return
    waiting = Delivery.objects.filter(peer=row.peer, status=Delivery.Status.QUEUED).count()
    ExchangeAttention.objects.update_or_create(
        kind=UNREACHABLE,
        key=f"peer:{row.peer_id}",
        resolved_at=None,
        defaults={
            "summary": f"{row.peer.name} does not answer: {error}"[:300],
            "details": {"waiting": waiting},
        },
        create_defaults={
            "site": row.peer.site,
            "opened_at": at,
            "delivery": row,
            "summary": f"{row.peer.name} does not answer: {error}"[:300],
            "details": {"waiting": waiting},
        },
    )
    live.notify(live.ATTENTION)


@transaction.atomic(durable=True)
def delivery_bury(
    *, actor: Actor, delivery_id: int, reason: str, acknowledgement: str, at: datetime.datetime
) -> None:
    """Note that the peer refused the message: it goes no more by itself, a person looks at it."""
    row = _lock(delivery_id)
    row.status = Delivery.Status.DEAD
    row.acknowledgement, row.last_error = acknowledgement, reason[:500]
    row.save()
    ExchangeAttention.objects.get_or_create(
        kind=DEAD,
        key=f"delivery:{row.pk}",
        resolved_at=None,
        defaults={
            "site": row.peer.site,
            "summary": f"{row.peer.name} refused a result: {reason}"[:300],
            "opened_at": at,
            "delivery": row,
        },
    )
    live.notify(live.ATTENTION)
    _tell(actor, audit_events.REFUSED, row, Outcome.MINOR_FAILURE)


@transaction.atomic(durable=True)
def peer_retry(*, actor: Actor, peer_id: int, at: datetime.datetime) -> int:
    """Make everything that waits for a peer due now; return how many messages wait.

    Raises:
        NotFoundError: nothing waits for it, or it is not at the actor's sites.
    """
    policy.require(actor, Permission.ATTENTION_RESOLVE)
    visible = policy.visible(actor, Permission.ATTENTION_RESOLVE, DELIVERY_FIELDS)
    waiting = Delivery.objects.filter(visible, peer=peer_id, status=Delivery.Status.QUEUED)
    count = Delivery.objects.filter(pk__in=waiting.values("pk")).update(due_at=at)
    if not count:
        raise NotFoundError(peer=peer_id)
    return count


@transaction.atomic(durable=True)
def delivery_resend(
    *, actor: Actor, delivery_id: int, at: datetime.datetime, payload: str | None = None
) -> Delivery:
    """Send a refused message again, as it is or as a person edited it; its item closes.

    Raises:
        NotFoundError: no such delivery, or not the actor's.
        ConflictError: it was not refused, or was sent again already.
    """
    row = _of(actor, delivery_id)
    if row.status != Delivery.Status.DEAD:
        message = "This message was sent already, or is waiting to be."
        raise ConflictError(message)
    edited = payload is not None and payload != row.payload
    if payload is not None:
        row.payload = payload
    row.status, row.attempts, row.due_at = Delivery.Status.QUEUED, 0, at
    row.save()
    _close(actor, row, "Sent again" + (", edited" if edited else ""), at)
    _tell(actor, audit_events.RESENT, row, Outcome.SUCCESS, edited=edited)
    return row


@transaction.atomic(durable=True)
def delivery_abandon(
    *, actor: Actor, delivery_id: int, reason: str, at: datetime.datetime
) -> Delivery:
    """Give up a refused message: it stays in the ledger, its item closes.

    Raises:
        NotFoundError: no such delivery, or not the actor's.
        ConflictError: it was not refused.
    """
    row = _of(actor, delivery_id)
    if row.status != Delivery.Status.DEAD:
        raise ConflictError
    _close(actor, row, reason.strip()[:300] or "Given up", at)
    _tell(actor, audit_events.ABANDONED, row, Outcome.SUCCESS, reason=reason)
    return row


@transaction.atomic(durable=True)
def delivery_take_up(*, actor: Actor, delivery_id: int, at: datetime.datetime) -> Delivery:
    """Undo `delivery_abandon`: the item stands open again.

    Raises:
        NotFoundError: no such delivery, or not the actor's.
        ConflictError: it was sent since.
    """
    row = _of(actor, delivery_id)
    item = (
        ExchangeAttention.objects.select_for_update()
        .filter(kind=DEAD, delivery=row)
        .order_by("-pk")
        .first()
    )
    if item is None or row.status != Delivery.Status.DEAD:
        raise ConflictError
    item.resolved_at, item.resolved_by, item.resolution = None, "", ""
    item.save()
    live.notify(live.ATTENTION)
    _tell(actor, audit_events.TAKEN_UP, row, Outcome.SUCCESS, at=at.isoformat())
    return row


def _lock(delivery_id: int) -> Delivery:
    return (
        Delivery.objects.select_for_update(of=("self",))
        .select_related("peer__site")
        .get(pk=delivery_id)
    )


def _of(actor: Actor, delivery_id: int) -> Delivery:
    policy.require(actor, Permission.ATTENTION_RESOLVE)
    visible = policy.visible(actor, Permission.ATTENTION_RESOLVE, DELIVERY_FIELDS)
    if not Delivery.objects.filter(visible, pk=delivery_id).exists():
        raise NotFoundError(delivery=delivery_id)
    return _lock(delivery_id)


def _close(actor: Actor, row: Delivery, words: str, at: datetime.datetime) -> None:
    ExchangeAttention.objects.filter(kind=DEAD, key=f"delivery:{row.pk}", resolved_at=None).update(
        resolved_at=at, resolved_by=actor.key, resolution=words
    )
    live.notify(live.ATTENTION)


def _tell(actor: Actor, event: str, row: Delivery, outcome: Outcome, **details: Any) -> None:
    patient = row.ordering_key.removeprefix("patient:")
    record(
        actor=actor,
        event=event,
        door="task" if actor.user_id is None else "page",
        outcome=outcome,
        patient=patient if patient.isdecimal() else "",
        key=f"delivery:{row.pk}",
        reference=row.reference,
        peer=row.peer.name,
        error=row.last_error,
        **details,
    )
