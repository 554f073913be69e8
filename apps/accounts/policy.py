"""The one policy. Pages, API, DICOMweb, DIMSE, FHIR and HL7 all ask here.

A decision is made twice from the same rule: as a query filter for lists and counts (`visible`), and
as a check of one object (`allows`), so that the two cannot disagree. Closed by default: what no
line permits is refused, and refused looks like absent.

The rule: an actor holds a permission at its sites, or only where a grant names it (`AT_SITES`,
`BY_GRANT`). Very restricted rows need `confidential.read` or a grant as well.
"""

import datetime
from collections.abc import Callable, Collection
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from apps.accounts.domain import Confidentiality, Permission
from apps.accounts.models import AccessGrant
from apps.core import clock
from apps.core.actors import Actor, ActorKind
from apps.core.errors import NotPermittedError

NOTHING = Q(pk__in=[])


@dataclass(frozen=True, slots=True)
class Fields:
    """Where a model keeps the facts that the policy asks for.

    Attributes:
        site: lookup of the site's primary key.
        confidentiality: lookup of the confidentiality code.
        patient: lookup of the patient's primary key; empty where there is none.
        exams: given a queryset of granted exam keys, the filter for this model.
    """

    site: str = "site_id"
    confidentiality: str = "confidentiality"
    patient: str = "patient_id"
    exams: Callable[[QuerySet], Q] | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """The same facts of one object."""

    site_id: int
    confidentiality: str = Confidentiality.NORMAL.value
    patient_id: int | None = None
    exam_ids: Collection[int] = ()


def visible(actor: Actor, permission: Permission, fields: Fields) -> Q:
    """Return the filter for the rows on which the actor holds the permission."""
    if actor.kind is ActorKind.SYSTEM:
        return Q()
    held = permission in actor.permissions
    secret = fields.confidentiality and Permission.CONFIDENTIAL_READ not in actor.permissions
    if held and actor.all_sites and not secret:
        return Q()
    result = NOTHING
    by_grant = actor.grantees and (permission in actor.granted or (held and secret))
    granted = _granted(actor, fields) if by_grant else NOTHING
    if held:
        result = Q() if actor.all_sites else Q(**{f"{fields.site}__in": actor.sites})
        if secret:
            very = Q(**{fields.confidentiality: Confidentiality.VERY_RESTRICTED.value})
            result &= ~very if granted is NOTHING else ~very | granted
    if permission in actor.granted and granted is not NOTHING:
        result = granted if result is NOTHING else result | granted
    return result


def allows(actor: Actor, permission: Permission, facts: Facts) -> bool:
    """Tell whether the actor holds the permission on this object."""
    if actor.kind is ActorKind.SYSTEM:
        return True
    if permission in actor.permissions and (actor.all_sites or facts.site_id in actor.sites):
        if facts.confidentiality != Confidentiality.VERY_RESTRICTED.value:
            return True
        if Permission.CONFIDENTIAL_READ in actor.permissions or _has_grant(actor, facts):
            return True
    return permission in actor.granted and _has_grant(actor, facts)


def require(actor: Actor, permission: Permission) -> None:
    """Refuse an actor whose role does not include the permission anywhere.

    Raises:
        NotPermittedError: so; what it names is the role's lack, never an object.
    """
    if actor.kind is not ActorKind.SYSTEM and not actor.may(permission):
        raise NotPermittedError(permission=permission.value)


def granted_exams(actor: Actor, at: datetime.datetime | None = None) -> QuerySet:
    """Return the keys of the exams granted to the actor."""
    return _live(actor.grantees, at).filter(exam_key__isnull=False).values("exam_key")


def exam_grants(actor: Actor) -> list[QuerySet[AccessGrant]]:
    """Return the live grants on exams, holder by holder: each in the order of `grant_once`."""
    return [
        _live([grantee], None).filter(exam_key__isnull=False) for grantee in sorted(actor.grantees)
    ]


def granted_patients(actor: Actor, at: datetime.datetime | None = None) -> QuerySet:
    """Return the keys of the patients granted to the actor."""
    # A grant names one of the two; saying both lets `grant_once` lead to it.
    live = _live(actor.grantees, at).filter(exam_key=None, patient_key__isnull=False)
    return live.values("patient_key")


def _live(grantees: Collection[str], at: datetime.datetime | None) -> QuerySet[AccessGrant]:
    when = at or clock.now()
    return AccessGrant.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=when), grantee__in=grantees, revoked_at=None
    )


def _granted(actor: Actor, fields: Fields) -> Q:
    result = NOTHING
    if fields.patient:
        result = result | Q(**{f"{fields.patient}__in": granted_patients(actor)})
    if fields.exams is not None:
        result = result | fields.exams(granted_exams(actor))
    return result


def _has_grant(actor: Actor, facts: Facts) -> bool:
    if not actor.grantees:
        return False
    named = Q(exam_key__in=list(facts.exam_ids))
    if facts.patient_id is not None:
        named |= Q(patient_key=facts.patient_id)
    return _live(actor.grantees, None).filter(named).exists()
