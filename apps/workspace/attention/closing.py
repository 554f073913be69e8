"""Closing a break that needs nothing more, with the reason, and taking that back."""

import datetime

from django.db import transaction
from django.db.models import QuerySet

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.accounts.models import AttentionItem
from apps.audit.steps import record
from apps.core import live
from apps.core.actors import Actor
from apps.core.errors import ConflictError, InvalidInputError, NotFoundError
from apps.core.steps import lock
from apps.workspace import audit_events

FIELDS = policy.Fields(confidentiality="", patient="")


def item_access(
    actor: Actor,
    model: type[AttentionItem],
    key: int,
    permission: Permission = Permission.ATTENTION_READ,
) -> AttentionItem:
    """Return a break at one of the actor's sites, open or closed.

    Raises:
        NotFoundError: absent, or of another site.
    """
    row = (
        QuerySet(model)
        .filter(policy.visible(actor, permission, FIELDS), pk=key)
        .select_related("site")
        .first()
    )
    if row is None:
        raise NotFoundError(item=key)
    return row


@transaction.atomic(durable=True)
def item_close(
    *, actor: Actor, model: type[AttentionItem], key: int, reason: str, at: datetime.datetime
) -> AttentionItem:
    """Close a break that is settled without a change here, and say why.

    Raises:
        InvalidInputError: no reason.
        NotFoundError: absent, or of another site.
        ConflictError: closed already.
    """
    policy.require(actor, Permission.ATTENTION_RESOLVE)
    why = reason.strip()[:300]
    if not why:
        message = "Say why it needs nothing more."
        raise InvalidInputError(message, field="reason")
    row = lock(item_access(actor, model, key, Permission.ATTENTION_RESOLVE))
    if row.resolved_at is not None:
        raise ConflictError
    row.resolved_at, row.resolved_by, row.resolution = at, actor.display[:200], why
    row.save(update_fields=["resolved_at", "resolved_by", "resolution"])
    _tell(actor, audit_events.ITEM_CLOSED, row, why)
    return row


@transaction.atomic(durable=True)
def item_reopen(
    *, actor: Actor, model: type[AttentionItem], key: int, at: datetime.datetime
) -> AttentionItem:
    """Take back that a break was closed.

    Raises:
        NotFoundError: absent, or of another site.
        ConflictError: it is open, or another one about the same is.
    """
    policy.require(actor, Permission.ATTENTION_RESOLVE)
    row = lock(item_access(actor, model, key, Permission.ATTENTION_RESOLVE))
    again: QuerySet[AttentionItem] = QuerySet(model).filter(
        kind=row.kind, key=row.key, resolved_at=None
    )
    if row.resolved_at is None or again.exists():
        raise ConflictError
    row.resolved_at, row.resolved_by, row.resolution = None, "", ""
    row.save(update_fields=["resolved_at", "resolved_by", "resolution"])
    _tell(actor, audit_events.ITEM_REOPENED, row, at.isoformat())
    return row


def _tell(actor: Actor, event: str, row: AttentionItem, words: str) -> None:
    record(
        actor=actor,
        event=event,
        door="page",
        key=f"attention:{row.address}",
        kind=row.kind,
        words=words,
    )
    live.notify(live.ATTENTION)
