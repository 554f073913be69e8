"""Reading the black box; for administrators, whose pages ask for the permission."""

import datetime
from dataclasses import dataclass

from django.db.models import Q, QuerySet, Sum, TextField
from django.db.models.functions import Cast

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.core.actors import Actor
from apps.dimse.models import AssociationRecord, PortProbe


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for; what is empty narrows nothing."""

    text: str = ""
    end: str = ""
    message: str = ""
    first: datetime.datetime | None = None
    last: datetime.datetime | None = None
    failed: bool = False


def associations_found(actor: Actor, search: Search) -> QuerySet[AssociationRecord]:
    """Return the associations that fit, the last first.

    Raises:
        NotPermittedError: the actor is no administrator.
    """
    policy.require(actor, Permission.ADMINISTER)
    rows = AssociationRecord.objects.all()
    if search.text:
        rows = rows.filter(
            Q(calling_ae__icontains=search.text)
            | Q(called_ae__icontains=search.text)
            | Q(address__startswith=search.text)
            | Q(implementation__icontains=search.text)
        )
    if search.end:
        rows = rows.filter(end=search.end)
    if search.message:
        rows = rows.annotate(said=Cast("messages", TextField())).filter(
            said__contains=f'"{search.message} '
        )
    if search.first:
        rows = rows.filter(started_at__gte=search.first)
    if search.last:
        rows = rows.filter(started_at__lt=search.last)
    if search.failed:
        rows = rows.filter(failed=True)
    return rows.order_by("-started_at", "-pk")


def probes_since(actor: Actor, since: datetime.datetime) -> list[tuple[str, int]]:
    """Return how many connections sent nothing since a moment, by address, the most first.

    Raises:
        NotPermittedError: the actor is no administrator.
    """
    policy.require(actor, Permission.ADMINISTER)
    rows = PortProbe.objects.filter(minute__gte=since).values("address")
    return list(
        rows.annotate(n=Sum("count")).order_by("-n", "address").values_list("address", "n")[:10]
    )
