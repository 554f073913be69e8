"""Reading the audit trail."""

import datetime
from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from apps.audit.models import Action, AuditEvent, AuditSeal
from apps.core.actors import Actor

AUDIT_READ = "audit.read"


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What to look for; an empty part asks nothing.

    Attributes:
        patients: primary keys of patients; None asks nothing, an empty collection finds nothing.
        who: part of the name, or the whole key (`user:12`, `ae:CT_1`) of who acted.
        study: a Study Instance UID.
        first, last: instants; `first <= at < last`.
    """

    patients: Collection[int] | None = None
    who: str = ""
    study: str = ""
    door: str = ""
    event: str = ""
    failures: bool = False
    first: datetime.datetime | None = None
    last: datetime.datetime | None = None

    def condition(self) -> Q:
        """The filter as a query condition."""
        wanted = Q()
        if self.patients is not None:
            wanted &= Q(patient_key__in=[str(key) for key in self.patients])
        if self.who:
            wanted &= Q(actor_key=self.who) | Q(actor_display__icontains=self.who)
        if self.study:
            wanted &= Q(study_instance_uid=self.study)
        if self.door:
            wanted &= Q(door=self.door)
        if self.event:
            wanted &= Q(event=self.event)
        if self.failures:
            wanted &= Q(outcome__gt=0)
        if self.first:
            wanted &= Q(at__gte=self.first)
        if self.last:
            wanted &= Q(at__lt=self.last)
        return wanted


def audit_visible_to(actor: Actor) -> QuerySet[AuditEvent]:
    """Return the whole trail for those who may read it, nothing for others."""
    events = AuditEvent.objects.all()
    return events if actor.may(AUDIT_READ) else events.none()


def audit_page(
    actor: Actor, wanted: AuditFilter, *, before: int | None = None, size: int = 50
) -> tuple[list[AuditEvent], int | None]:
    """Return one page, newest first, and the id to ask before for the next; None at the end.

    Paged by key: a page is as quick at the far end of the trail as at its head.
    """
    found = audit_visible_to(actor).filter(wanted.condition())
    if before is not None:
        found = found.filter(id__lt=before)
    rows = list(found.order_by("-id")[: size + 1])
    return rows[:size], (rows[size - 1].id if len(rows) > size else None)


def patient_viewers(actor: Actor, patients: Collection[int], size: int = 5) -> list[AuditEvent]:
    """Return who last looked at a patient, newest first; nothing to those who may not read it."""
    looked = audit_visible_to(actor).filter(AuditFilter(patients=patients).condition())
    return list(looked.filter(action=Action.READ).order_by("-id")[:size])


def last_seal() -> AuditSeal | None:
    """Return the newest link of the hash chain."""
    return AuditSeal.objects.order_by("-last_id").first()
