"""Who sees and who takes a line of the reading list."""

from django.db.models import Q, QuerySet

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.core.actors import Actor
from apps.worklists.models import ReadingItem


def _for_exams(exams: QuerySet) -> Q:
    return Q(requested_procedure__in=exams)


FIELDS = policy.Fields(exams=_for_exams)


def visible(actor: Actor, permission: Permission = Permission.READING_READ) -> Q:
    """Return the filter for the lines on which the actor holds the permission."""
    return policy.visible(actor, permission, FIELDS)


def allows(actor: Actor, permission: Permission, item: ReadingItem) -> bool:
    """Tell whether the actor holds the permission on this line."""
    exams = [item.requested_procedure_id] if item.requested_procedure_id else []
    facts = policy.Facts(item.site_id, item.confidentiality, item.patient_id, exams)
    return policy.allows(actor, permission, facts)
