"""The breaks of every app, through each one's policy."""

import datetime
from dataclasses import dataclass

from django.db.models import Count, QuerySet

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.accounts.models import AttentionItem
from apps.core.actors import Actor
from apps.core.errors import NotFoundError
from apps.exchange.models import ExchangeAttention
from apps.hl7.models import Hl7Attention
from apps.orders.models import OrderAttention
from apps.studies.models import StudyAttention
from apps.worklists.models import WorklistAttention
from apps.workspace.attention import commitments, intake, messages, orders, scanner, studies
from apps.workspace.attention.closing import FIELDS, item_access
from apps.workspace.attention.kinds import Kind, Line

KINDS: tuple[Kind, ...] = (
    *studies.KINDS,
    *intake.KINDS,
    *orders.KINDS,
    *scanner.KINDS,
    *messages.KINDS,
    *commitments.KINDS,
)
BY_KEY = {kind.key: kind for kind in KINDS}
MODELS: dict[str, type[AttentionItem]] = {
    "studies": StudyAttention,
    "orders": OrderAttention,
    "worklists": WorklistAttention,
    "exchange": ExchangeAttention,
    "hl7": Hl7Attention,
}
RELATED: dict[type[AttentionItem], tuple[str, ...]] = {
    StudyAttention: ("study__patient__survivor", "site"),
    OrderAttention: ("order",),
    WorklistAttention: ("performed_step",),
    ExchangeAttention: ("delivery__peer", "commitment"),
    Hl7Attention: ("message__peer",),
}
SHOWN = 200


@dataclass(frozen=True, slots=True)
class Item:
    """A break in the list."""

    key: str
    kind: Kind
    line: Line
    opened_at: datetime.datetime
    resolved_at: datetime.datetime | None
    resolved_by: str
    resolution: str


def counts(actor: Actor) -> dict[str, int]:
    """Return how many breaks of each kind are open at the actor's sites."""
    found: dict[str, int] = {}
    visible = policy.visible(actor, Permission.ATTENTION_READ, FIELDS)
    for model in MODELS.values():
        rows: QuerySet[AttentionItem] = QuerySet(model).filter(visible, resolved_at=None)
        found |= dict(rows.values("kind").annotate(n=Count("pk")).values_list("kind", "n"))
    return {key: found.get(key, 0) for key in BY_KEY}


def oldest(actor: Actor) -> datetime.datetime | None:
    """Return when the oldest open break was opened."""
    visible = policy.visible(actor, Permission.ATTENTION_READ, FIELDS)
    firsts = [
        QuerySet(model)
        .filter(visible, resolved_at=None)
        .order_by("opened_at")
        .values_list("opened_at", flat=True)
        .first()
        for model in MODELS.values()
    ]
    return min((first for first in firsts if first), default=None)


def items_of(actor: Actor, kind: Kind) -> list[Item]:
    """Return the open breaks of a kind, oldest first."""
    visible = policy.visible(actor, Permission.ATTENTION_READ, FIELDS)
    rows: QuerySet[AttentionItem] = (
        QuerySet(kind.model)
        .filter(visible, kind=kind.key, resolved_at=None)
        .select_related(*RELATED[kind.model])
        .order_by("opened_at", "pk")[:SHOWN]
    )
    return _items(actor, kind, list(rows))


def items_mended(actor: Actor, since: datetime.datetime) -> list[Item]:
    """Return the breaks closed since a moment, the last first."""
    visible = policy.visible(actor, Permission.ATTENTION_READ, FIELDS)
    found: list[Item] = []
    for kind in KINDS:
        rows: QuerySet[AttentionItem] = (
            QuerySet(kind.model)
            .filter(visible, kind=kind.key, resolved_at__gte=since)
            .select_related(*RELATED[kind.model])
            .order_by("-resolved_at", "-pk")[:SHOWN]
        )
        found += _items(actor, kind, list(rows))
    return sorted(found, key=lambda item: item.resolved_at or since, reverse=True)[:SHOWN]


def mended_count(actor: Actor, since: datetime.datetime) -> int:
    """Return how many breaks were closed since a moment."""
    visible = policy.visible(actor, Permission.ATTENTION_READ, FIELDS)
    return sum(
        QuerySet(model).filter(visible, resolved_at__gte=since).count() for model in MODELS.values()
    )


def row_access(actor: Actor, key: str) -> tuple[Kind, AttentionItem]:
    """Return kind and row of a break by its key, `orders-12`.

    Raises:
        NotFoundError: absent, of another site, or of a kind that has no page.
    """
    app, _, number = key.partition("-")
    if app not in MODELS or not number.isdecimal():
        raise NotFoundError(item=key)
    row = item_access(actor, MODELS[app], int(number))
    kind = BY_KEY.get(row.kind)
    if kind is None:
        raise NotFoundError(item=key)
    return kind, row


def _items(actor: Actor, kind: Kind, rows: list[AttentionItem]) -> list[Item]:
    lines = kind.lines(actor, rows)
    return [
        Item(
            key=row.address,
            kind=kind,
            line=lines[row.pk],
            opened_at=row.opened_at,
            resolved_at=row.resolved_at,
            resolved_by=row.resolved_by,
            resolution=row.resolution,
        )
        for row in rows
    ]
