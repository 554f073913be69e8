"""Commands of storage commitment: take the question, lease it, note the check and what came of it.

The check reads files and the answer goes over the network: both lie between two commands. A
worker that dies lets the lease run out, and the question is taken up again.

Source: PS3.4 Annex J.
"""

import datetime
import random
from collections.abc import Mapping, Sequence

from django.db import transaction

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.audit.models import Outcome
from apps.audit.steps import record
from apps.core import live
from apps.core.actors import Actor
from apps.core.errors import InvalidInputError, NotFoundError
from apps.core.steps import publish, transition
from apps.exchange import audit_events
from apps.exchange.domain import COMMITMENT, CommitmentState
from apps.exchange.models import ExchangeAttention, StorageCommitment
from apps.exchange.selectors import COMMITMENT_FIELDS
from apps.studies.commitment import FailureReason, Reference
from apps.studies.judging import commitment_evidence

LEASE = datetime.timedelta(minutes=20)
KEEP_TRYING = datetime.timedelta(days=2)
TRIES_BEFORE_A_PERSON_IS_TOLD = 3
LONGEST_PAUSE_S = 1800.0
UNDELIVERED = "commitment-undelivered"
OPEN = (CommitmentState.REQUESTED.value, CommitmentState.CHECKED.value)


class TransactionReusedError(InvalidInputError):
    """The peer used the UID before, for another list."""

    code = "exchange.transaction-reused"
    message = "this Transaction UID was used for another list"


@transaction.atomic(durable=True)
def commitment_request(
    *,
    actor: Actor,
    ae_title: str,
    site_id: int,
    association: str,
    transaction_uid: str,
    references: Sequence[Reference],
    at: datetime.datetime,
) -> StorageCommitment:
    """Take a request down, to be checked and answered after this commits.

    Idempotent on AE title and Transaction UID: the same list again is checked and answered anew,
    whether or not it was answered before (the peer did not hear it, or has sent the rest since).

    Args:
        actor: the peer.
        ae_title: to which the answer goes.
        site_id: whose instances it may ask about.
        association: in which it asked.
        transaction_uid: (0008,1195).
        references: what it asks about; the same one twice counts once.
        at: now.

    Raises:
        InvalidInputError: nothing is asked about.
        TransactionReusedError: the UID was used for another list.
    """
    pairs = list(dict.fromkeys((r.sop_class_uid, r.sop_instance_uid) for r in references))
    if not pairs:
        message = "no instances are named"
        raise InvalidInputError(message)
    row, is_new = StorageCommitment.objects.select_for_update().get_or_create(
        ae_title=ae_title,
        transaction_uid=transaction_uid,
        defaults={
            "site_id": site_id,
            "association": association,
            "references": pairs,
            "requested_at": at,
            "due_at": at,
            "give_up_at": at + KEEP_TRYING,
        },
    )
    if not is_new:
        if sorted(map(tuple, row.references)) != sorted(pairs):
            raise TransactionReusedError
        transition(row, COMMITMENT, "ask-again")
        row.association, row.requested_at, row.due_at = association, at, at
        row.give_up_at = at + KEEP_TRYING
        row.failures, row.checked_at, row.done_at = [], None, None
        row.attempts, row.last_error = 0, ""
        row.save()
    commitment_evidence(
        ae_title=ae_title,
        transaction_uid=transaction_uid,
        site_id=site_id,
        sop_instance_uids=[uid for _, uid in pairs],
        at=at,
    )
    publish(
        name="exchange.commitment.requested",
        aggregate=f"commitment:{row.pk}",
        payload={"commitment_id": row.pk},
    )
    record(
        actor=actor,
        event=audit_events.COMMITMENT_REQUESTED,
        door="dimse",
        key=f"commitment:{row.pk}",
        transaction=transaction_uid,
        instances=len(pairs),
    )
    return row


@transaction.atomic(durable=True)
def commitment_claim(*, at: datetime.datetime, association: str = "") -> StorageCommitment | None:
    """Take the next question that is due and lease it; None when there is none.

    Args:
        at: now.
        association: only what was asked in this association; empty for any.
    """
    rows = StorageCommitment.objects.filter(state__in=OPEN, due_at__lte=at)
    if association:
        rows = rows.filter(association=association)
    row = rows.select_for_update(skip_locked=True).order_by("due_at", "pk").first()
    if row is None:
        return None
    row.attempts += 1
    row.due_at = at + LEASE
    row.save(update_fields=["attempts", "due_at"])
    return row


@transaction.atomic(durable=True)
def commitment_checked(
    *,
    commitment_id: int,
    failures: Mapping[Reference, FailureReason],
    at: datetime.datetime,
) -> StorageCommitment:
    """Note what the check found. This is the answer until the peer asks again.

    What may have reached the peer is repeated as it was; what never left is checked anew.
    """
    row = StorageCommitment.objects.select_for_update().get(pk=commitment_id)
    transition(row, COMMITMENT, "check")
    row.failures = [
        (reference.sop_class_uid, reference.sop_instance_uid, int(reason))
        for reference, reason in failures.items()
    ]
    row.checked_at = at
    row.save(update_fields=["failures", "checked_at"])
    return row


@transaction.atomic(durable=True)
def commitment_reported(*, actor: Actor, commitment_id: int, at: datetime.datetime) -> None:
    """Note that the peer took the answer."""
    row = StorageCommitment.objects.select_for_update().get(pk=commitment_id)
    transition(row, COMMITMENT, "report")
    row.done_at, row.last_error = at, ""
    row.save(update_fields=["done_at", "last_error"])
    closed = ExchangeAttention.objects.filter(
        kind=UNDELIVERED, key=f"ae:{row.ae_title}", resolved_at=None
    ).update(resolved_at=at, resolved_by="system", resolution="It takes its answers again")
    if closed:
        live.notify(live.ATTENTION)
    record(
        actor=actor,
        event=audit_events.COMMITMENT_REPORTED,
        door="task",
        outcome=Outcome.MINOR_FAILURE if row.failures else Outcome.SUCCESS,
        key=f"commitment:{row.pk}",
        peer=row.ae_title,
        transaction=row.transaction_uid,
        committed=row.committed,
        failed=len(row.failures),
    )


@transaction.atomic(durable=True)
def commitment_postpone(
    *, commitment_id: int, error: str, at: datetime.datetime, never_left: bool = False
) -> None:
    """Note that the answer was not taken; it is said again later, for two days.

    After a few tries an item shows a person that the peer does not take its answers; after two
    days the row is UNDELIVERED, and only a person, or the peer asking again, brings it back.

    Args:
        commitment_id: which.
        error: why, in words.
        at: now.
        never_left: the peer could not be reached. The check is made anew before the next try, and
            nothing else is tried with this peer before.
    """
    row = StorageCommitment.objects.select_for_update().get(pk=commitment_id)
    pause = min(LONGEST_PAUSE_S, 5.0 * 2.0 ** min(row.attempts, 10)) * random.uniform(0.7, 1.3)  # noqa: S311 -- jitter
    row.due_at = at + datetime.timedelta(seconds=pause)
    row.last_error = error[:500]
    row.save(update_fields=["due_at", "last_error"])
    others = StorageCommitment.objects.filter(ae_title=row.ae_title, state__in=OPEN)
    if never_left:
        transition(row, COMMITMENT, "not-sent")
        others.exclude(pk=row.pk).filter(due_at__lt=row.due_at).update(due_at=row.due_at)
    waiting = others.count()
    if at >= row.give_up_at:
        transition(row, COMMITMENT, "give-up")
    elif row.attempts < TRIES_BEFORE_A_PERSON_IS_TOLD:
        return
    words = {
        "summary": f"{row.ae_title} does not take its storage confirmations: {error}"[:300],
        "details": {"waiting": waiting},
        "commitment": row,
    }
    ExchangeAttention.objects.update_or_create(
        kind=UNDELIVERED,
        key=f"ae:{row.ae_title}",
        resolved_at=None,
        defaults=words,
        create_defaults={**words, "site": row.site, "opened_at": at},
    )
    live.notify(live.ATTENTION)


@transaction.atomic(durable=True)
def commitments_retry(*, actor: Actor, ae_title: str, at: datetime.datetime) -> int:
    """Make every answer that waits for a peer due now, given-up ones too; return how many.

    Raises:
        NotFoundError: nothing waits for it, or it is not at the actor's sites.
    """
    policy.require(actor, Permission.ATTENTION_RESOLVE)
    visible = policy.visible(actor, Permission.ATTENTION_RESOLVE, COMMITMENT_FIELDS)
    rows = list(
        StorageCommitment.objects.select_for_update()
        .filter(visible, ae_title=ae_title)
        .exclude(state=CommitmentState.REPORTED)
    )
    if not rows:
        raise NotFoundError(ae_title=ae_title)
    for row in rows:
        transition(row, COMMITMENT, "retry")
        row.due_at, row.give_up_at = at, at + KEEP_TRYING
        row.save(update_fields=["due_at", "give_up_at"])
    record(
        actor=actor,
        event=audit_events.COMMITMENT_RETRIED,
        door="page",
        key=f"ae:{ae_title}",
        waiting=len(rows),
    )
    return len(rows)
