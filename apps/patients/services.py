"""Commands on patients."""

import datetime
from collections.abc import Sequence

from django.db import transaction

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.audit.steps import record
from apps.core.actors import Actor
from apps.core.errors import DomainError, InvalidInputError, NotPermittedError
from apps.core.steps import publish
from apps.patients import audit_events, selectors, steps
from apps.patients.domain import Demographics, QualifiedId
from apps.patients.models import Patient, PatientMerge


class MergeRefusedError(DomainError):
    """The merge would go round in a circle, or there is none to undo."""

    code = "patients.merge-refused"


@transaction.atomic(durable=True)
def patient_register(
    *,
    actor: Actor,
    identifiers: Sequence[QualifiedId],
    demographics: Demographics,
    site_id: int,
    at: datetime.datetime,
    door: str = "page",
) -> steps.Registered:
    """Register a person, or take over what is said of a known one. Idempotent on identifiers.

    Raises:
        NotPermittedError: the actor's role registers nobody, or not at this site.
        InvalidInputError: no name, no identifier, or one without issuer.
        IdentifierConflictError: the identifiers belong to different patients.
    """
    policy.require(actor, Permission.PATIENT_WRITE)
    if not policy.allows(actor, Permission.PATIENT_WRITE, policy.Facts(site_id=site_id)):
        raise NotPermittedError(permission=Permission.PATIENT_WRITE.value)
    if not (demographics.name or "").strip("^= "):
        message = "A patient needs a name."
        raise InvalidInputError(message, field="name")
    return steps.patient_register(
        actor=actor,
        identifiers=identifiers,
        demographics=demographics,
        site_id=site_id,
        at=at,
        door=door,
    )


@transaction.atomic(durable=True)
def patient_update(
    *,
    actor: Actor,
    patient_id: int,
    demographics: Demographics,
    at: datetime.datetime,
    door: str = "page",
) -> Patient:
    """Change what is known of a patient; of a merged one, of its survivor.

    Raises:
        NotFoundError: absent, or not the actor's to change.
    """
    policy.require(actor, Permission.PATIENT_WRITE)
    patient = selectors.current(
        selectors.patient_access(actor, patient_id, Permission.PATIENT_WRITE)
    )
    steps.patient_change(actor=actor, patient=patient, demographics=demographics, at=at, door=door)
    return patient


@transaction.atomic(durable=True)
def patient_merge(
    *,
    actor: Actor,
    patient_id: int,
    into_id: int,
    reason: str,
    at: datetime.datetime,
    door: str = "page",
) -> Patient:
    """Let one patient stand for another; nothing is rewritten, and `patient_unmerge` undoes it.

    Args:
        actor: needs `patient.write` on both.
        patient_id: who is merged away.
        into_id: who survives.
        reason: why these two are one person.
        at: now.
        door: where the command came in.

    Returns:
        The survivor. A repeat of the same merge changes nothing.

    Raises:
        MergeRefusedError: a patient into itself, or into one that was merged into it.
        NotFoundError: one of them is absent or not the actor's.
    """
    policy.require(actor, Permission.PATIENT_WRITE)
    for key in (patient_id, into_id):
        selectors.patient_access(actor, key, Permission.PATIENT_WRITE)
    rows = {row.pk: row for row in _lock([patient_id, into_id])}
    patient = rows[patient_id]
    survivor = _lock([rows[into_id].survivor_id or into_id])[0]
    if PatientMerge.objects.filter(patient=patient, into_id=into_id, undone_at=None).exists():
        return survivor
    if survivor.pk == patient.pk:
        message = "A patient cannot be merged into itself, or into one that was merged into it."
        raise MergeRefusedError(message)
    if patient.survivor_id is not None:
        message = "This patient is merged already. Undo that first."
        raise MergeRefusedError(message)
    PatientMerge.objects.create(
        patient=patient, into_id=into_id, merged_at=at, merged_by=actor.key, reason=reason[:300]
    )
    _point(patient, survivor, at)
    _tell(
        actor=actor,
        event=audit_events.MERGED,
        name="patients.patient.merged",
        patient=patient,
        survivor=survivor,
        door=door,
        reason=reason,
    )
    return survivor


@transaction.atomic(durable=True)
def patient_unmerge(
    *, actor: Actor, patient_id: int, at: datetime.datetime, door: str = "page"
) -> Patient:
    """Undo the merge of a patient; those that had been merged into it go with it again.

    Raises:
        MergeRefusedError: the patient is not merged.
        NotFoundError: absent, or not the actor's.
    """
    policy.require(actor, Permission.PATIENT_WRITE)
    selectors.patient_access(actor, patient_id, Permission.PATIENT_WRITE)
    patient = _lock([patient_id])[0]
    merge = PatientMerge.objects.filter(patient=patient, undone_at=None).first()
    if merge is None or patient.survivor is None:
        message = "This patient is not merged."
        raise MergeRefusedError(message)
    survivor = patient.survivor
    merge.undone_at, merge.undone_by = at, actor.key
    merge.save(update_fields=["undone_at", "undone_by"])
    followers = _followers(patient)
    Patient.objects.filter(pk=patient.pk).update(survivor=None, updated_at=at)
    Patient.objects.filter(pk__in=followers).update(survivor=patient, updated_at=at)
    _raise_versions([patient.pk, survivor.pk, *followers])
    _tell(
        actor=actor,
        event=audit_events.UNMERGED,
        name="patients.patient.unmerged",
        patient=patient,
        survivor=survivor,
        door=door,
        reason="",
    )
    patient.refresh_from_db()
    return patient


def _lock(keys: list[int]) -> list[Patient]:
    return list(Patient.objects.select_for_update(of=("self",)).filter(pk__in=keys).order_by("pk"))


def _point(patient: Patient, survivor: Patient, at: datetime.datetime) -> None:
    """`survivor` always names the last of a chain, so that reading needs one join."""
    followers = list(Patient.objects.filter(survivor=patient).values_list("pk", flat=True))
    Patient.objects.filter(pk__in=[patient.pk, *followers]).update(survivor=survivor, updated_at=at)
    _raise_versions([patient.pk, survivor.pk, *followers])


def _followers(patient: Patient) -> list[int]:
    """Return those whose standing merges lead to this patient."""
    found: list[int] = []
    waiting = [patient.pk]
    while waiting:
        merges = PatientMerge.objects.filter(into_id__in=waiting, undone_at=None)
        waiting = list(merges.order_by("pk").values_list("patient_id", flat=True))
        found += waiting
    return found


def _raise_versions(keys: list[int]) -> None:
    for patient in _lock(keys):
        patient.version += 1
        patient.save(update_fields=["version"])


def _tell(
    *,
    actor: Actor,
    event: str,
    name: str,
    patient: Patient,
    survivor: Patient,
    door: str,
    reason: str,
) -> None:
    for key in (patient.pk, survivor.pk):
        record(
            actor=actor,
            event=event,
            door=door,
            patient=key,
            key=f"patient:{patient.pk}",
            survivor=survivor.pk,
            reason=reason,
        )
    publish(
        name=name,
        aggregate=f"patient:{survivor.pk}",
        payload={"patient_id": patient.pk, "survivor_id": survivor.pk},
    )
