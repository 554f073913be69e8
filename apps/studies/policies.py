"""Which studies an actor sees."""

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.core.actors import Actor
from apps.studies.models import StudyMatch


def _of_exams(exams: QuerySet) -> Q:
    # Looked up for each study of a page; for many PostgreSQL makes the list of all by itself.
    return Q(Exists(StudyMatch.objects.filter(study=OuterRef("pk"), requested_procedure__in=exams)))


FIELDS = policy.Fields(patient="patient_id", exams=_of_exams)


def visible(actor: Actor, permission: Permission = Permission.STUDY_READ) -> Q:
    """Return the filter for the studies on which the actor holds the permission."""
    return policy.visible(actor, permission, FIELDS)
