"""Reading the black box; for administrators, whose pages ask for the permission."""

import datetime
from dataclasses import dataclass

from django.db.models import OuterRef, Q, QuerySet, Subquery, Sum, TextField
from django.db.models.functions import Cast

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.accounts.models import ApplicationEntity
from apps.core.actors import Actor
from apps.dimse.models import AssociationRecord, NodeTest, PortProbe


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


def last_associations(actor: Actor) -> dict[str, AssociationRecord]:
    """Return the last association of each registered AE that had one, by AE title.

    Raises:
        NotPermittedError: the actor is no administrator.
    """
    policy.require(actor, Permission.ADMINISTER)
    newest = AssociationRecord.objects.filter(calling_ae=OuterRef("ae_title"))
    keys = ApplicationEntity.objects.annotate(
        last=Subquery(newest.order_by("-started_at").values("pk")[:1])
    ).values_list("last", flat=True)
    rows = AssociationRecord.objects.filter(pk__in=[key for key in keys if key])
    return {row.calling_ae: row for row in rows}


def associations_of(actor: Actor, ae_title: str) -> QuerySet[AssociationRecord]:
    """Return the associations of one calling AE title, the last first.

    Raises:
        NotPermittedError: the actor is no administrator.
    """
    policy.require(actor, Permission.ADMINISTER)
    return AssociationRecord.objects.filter(calling_ae=ae_title).order_by("-started_at", "-pk")


def node_by_title(actor: Actor, ae_title: str) -> ApplicationEntity | None:
    """Return the registered AE of a title.

    Raises:
        NotPermittedError: the actor is no administrator.
    """
    policy.require(actor, Permission.ADMINISTER)
    return ApplicationEntity.objects.filter(ae_title=ae_title.strip()).first()


def node_tests(actor: Actor, entity: ApplicationEntity) -> QuerySet[NodeTest]:
    """Return what a node was asked, the last first.

    Raises:
        NotPermittedError: the actor is no administrator.
    """
    policy.require(actor, Permission.ADMINISTER)
    return NodeTest.objects.filter(entity=entity).order_by("-pk")


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
