"""Reading what came in over HL7."""

from django.db.models import QuerySet

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.core.actors import Actor
from apps.hl7.models import Hl7Attention

ATTENTION_FIELDS = policy.Fields(confidentiality="", patient="")


def attention_visible_to(
    actor: Actor, permission: Permission = Permission.ATTENTION_READ
) -> QuerySet[Hl7Attention]:
    """Return the refused messages of senders at the actor's sites, oldest first."""
    return (
        Hl7Attention.objects.filter(
            policy.visible(actor, permission, ATTENTION_FIELDS), resolved_at=None
        )
        .select_related("message__peer", "site")
        .order_by("opened_at", "pk")
    )
