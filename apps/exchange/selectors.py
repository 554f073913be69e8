"""Reading the ledger of what left the house."""

from django.db.models import QuerySet

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.accounts.models import Hl7Peer
from apps.core.actors import Actor
from apps.exchange.models import Delivery, ExchangeAttention, StorageCommitment

DELIVERY_FIELDS = policy.Fields(site="peer__site_id", confidentiality="", patient="")
COMMITMENT_FIELDS = policy.Fields(confidentiality="", patient="")
ATTENTION_FIELDS = policy.Fields(confidentiality="", patient="")


def peers_for(*, site_id: int, event: str) -> list[Hl7Peer]:
    """Return the peers of a site that want this kind of message and have an address."""
    return list(
        Hl7Peer.objects.filter(site_id=site_id, active=True, events__contains=[event])
        .exclude(send_host="")
        .exclude(send_port=None)
        .order_by("pk")
    )


def deliveries_visible_to(
    actor: Actor, permission: Permission = Permission.ATTENTION_READ
) -> QuerySet[Delivery]:
    """Return the deliveries to peers of the actor's sites, newest first."""
    return (
        Delivery.objects.filter(policy.visible(actor, permission, DELIVERY_FIELDS))
        .select_related("peer")
        .order_by("-pk")
    )


def attention_visible_to(
    actor: Actor, permission: Permission = Permission.ATTENTION_READ
) -> QuerySet[ExchangeAttention]:
    """Return exchange's open breaks at the actor's sites, oldest first."""
    return (
        ExchangeAttention.objects.filter(
            policy.visible(actor, permission, ATTENTION_FIELDS), resolved_at=None
        )
        .select_related("delivery__peer", "site")
        .order_by("opened_at", "pk")
    )


def deliveries_of(references: list[str]) -> QuerySet[Delivery]:
    """Return the deliveries of these plain references, such as `report-version:12`, oldest first.

    For those who may see what was sent; they ask with the keys of what they see.
    """
    return Delivery.objects.filter(reference__in=references).select_related("peer").order_by("pk")


def commitments_visible_to(
    actor: Actor, permission: Permission = Permission.ATTENTION_READ
) -> QuerySet[StorageCommitment]:
    """Return the storage commitments that peers of the actor's sites asked for, newest first."""
    return StorageCommitment.objects.filter(
        policy.visible(actor, permission, COMMITMENT_FIELDS)
    ).order_by("-requested_at", "-pk")
