"""Which patients an actor sees: those of its sites, those with an order there, those granted."""

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.accounts import policy
from apps.accounts.domain import Confidentiality, Permission
from apps.core.actors import Actor
from apps.patients.models import Patient


def _with_exams(exams: QuerySet) -> Q:
    # Orders lie above this app; the lookup by name is all that is known of them here.
    return Q(pk__in=Patient.objects.filter(orders__requested_procedures__in=exams).values("pk"))


FIELDS = policy.Fields(patient="pk", exams=_with_exams)


def visible(actor: Actor, permission: Permission) -> Q:
    """Return the filter for the patients on whom the actor holds the permission."""
    allowed = policy.visible(actor, permission, FIELDS)
    if permission in actor.permissions and not actor.all_sites and actor.sites:
        # Looked up for each candidate, never made into a list of all who were ever examined here.
        here = Patient.objects.filter(pk=OuterRef("pk"), orders__site__in=actor.sites)
        shared = Q(Exists(here))
        if Permission.CONFIDENTIAL_READ not in actor.permissions:
            shared &= ~Q(confidentiality=Confidentiality.VERY_RESTRICTED.value)
        allowed |= shared
    return allowed
