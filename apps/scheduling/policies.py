"""Which steps, appointments and exams to book an actor sees: those of its sites, those granted.

A row counts as confidential as the more confidential of its order and its patient.
"""

from dataclasses import replace

from django.db.models import Q

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.core.actors import Actor, ActorKind
from apps.core.errors import NotPermittedError

STEP = policy.Fields(
    confidentiality="requested_procedure__order__confidentiality",
    patient="requested_procedure__order__patient_id",
    exams=lambda exams: Q(requested_procedure_id__in=exams),
)
EXAM = policy.Fields(
    site="order__site_id",
    confidentiality="order__confidentiality",
    patient="order__patient_id",
    exams=lambda exams: Q(pk__in=exams),
)


def steps_visible(actor: Actor, permission: Permission) -> Q:
    """Return the filter for the scheduled steps on which the actor holds the permission."""
    person = "requested_procedure__order__patient__confidentiality"
    return policy.visible(actor, permission, STEP) & policy.visible(
        actor, permission, replace(STEP, confidentiality=person)
    )


def exams_visible(actor: Actor, permission: Permission) -> Q:
    """Return the filter for the requested procedures on which the actor holds the permission."""
    person = "order__patient__confidentiality"
    return policy.visible(actor, permission, EXAM) & policy.visible(
        actor, permission, replace(EXAM, confidentiality=person)
    )


def rooms_visible(actor: Actor, permission: Permission) -> Q:
    """Return the filter for the rooms of the actor's sites; a grant opens no room."""
    if actor.kind is ActorKind.SYSTEM:
        return Q()
    if permission not in actor.permissions:
        return policy.NOTHING
    return Q() if actor.all_sites else Q(site_id__in=actor.sites)


def held_of(actor: Actor, *permissions: Permission) -> Permission:
    """Return the first of these permissions that the actor holds.

    Raises:
        NotPermittedError: it holds none of them.
    """
    for permission in permissions:
        if actor.kind is ActorKind.SYSTEM or actor.may(permission):
            return permission
    raise NotPermittedError(permission=permissions[0].value)
