"""Steps on patients for the commands of this and higher apps."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import IntegrityError

from apps.accounts.domain import Confidentiality
from apps.audit.steps import record
from apps.core.actors import Actor
from apps.core.errors import DomainError, InvalidInputError
from apps.core.steps import lock, publish, require_transaction, savepoint
from apps.patients import audit_events
from apps.patients.domain import (
    NOT_A_PERSONS_NUMBER,
    Demographics,
    QualifiedId,
    name_search,
    split_groups,
)
from apps.patients.models import Patient, PatientIdentifier
from apps.patients.selectors import current


class IdentifierConflictError(DomainError):
    """The identifiers of one message belong to different people here."""

    code = "patients.identifier-conflict"
    message = "These identifiers belong to different patients here; a person has to look at it."


@dataclass(frozen=True, slots=True)
class Registered:
    """What a registration did."""

    patient: Patient
    created: bool
    changed: bool


def patient_register(
    *,
    actor: Actor,
    identifiers: Sequence[QualifiedId],
    demographics: Demographics,
    site_id: int,
    at: datetime.datetime,
    door: str,
    confidentiality: str = Confidentiality.NORMAL.value,
) -> Registered:
    """Find the patient of these identifiers, or make one, and take over what is said of them.

    Race-safe: of two parallel calls with one identifier, one makes the patient and the other finds
    it. Identifiers that are new are added; the first given is the primary one of a new patient.
    A merged patient's message changes the survivor.

    Raises:
        InvalidInputError: no identifier, or one without value or issuer.
        IdentifierConflictError: they belong to different patients.
    """
    require_transaction()
    ids = _clean(identifiers)
    for _ in range(3):
        patient = _find(ids)
        if patient is not None:
            changed = _take_over(
                actor=actor,
                patient=patient,
                ids=ids,
                demographics=demographics,
                at=at,
                door=door,
            )
            return Registered(patient, created=False, changed=changed)
        try:
            with savepoint():
                patient = _create(ids, demographics, site_id, confidentiality, at)
        except IntegrityError:
            continue  # made by another transaction a moment ago: find it
        record(
            actor=actor,
            event=audit_events.REGISTERED,
            door=door,
            patient=patient.pk,
            key=f"patient:{patient.pk}",
            identifiers=[f"{one.value} ({one.issuer})" for one in ids],
        )
        publish(
            name="patients.patient.registered",
            aggregate=f"patient:{patient.pk}",
            payload={"patient_id": patient.pk},
        )
        return Registered(patient, created=True, changed=True)
    raise IdentifierConflictError


def patient_change(
    *,
    actor: Actor,
    patient: Patient,
    demographics: Demographics,
    at: datetime.datetime,
    door: str,
) -> bool:
    """Take over what is said of a patient; return whether anything differed.

    Locks the patient, raises its version, audits old and new.
    """
    return _take_over(
        actor=actor,
        patient=lock(patient),
        ids=(),
        demographics=demographics,
        at=at,
        door=door,
    )


def _clean(identifiers: Sequence[QualifiedId]) -> list[QualifiedId]:
    found: dict[tuple[str, str], QualifiedId] = {}
    for one in identifiers:
        value, issuer = one.value.strip(), one.issuer.strip()
        if one.type_code in NOT_A_PERSONS_NUMBER or not value:
            continue
        if not issuer:
            message = f"The patient ID {value} has no issuer: it may be anybody's."
            raise InvalidInputError(message, field="identifiers")
        if len(value) > 64 or len(issuer) > 64:
            message = "A patient ID and its issuer have at most 64 characters each."
            raise InvalidInputError(message, field="identifiers")
        found.setdefault((issuer, value), QualifiedId(value, issuer, one.type_code[:8] or "MR"))
    if not found:
        message = "A patient needs an identifier."
        raise InvalidInputError(message, field="identifiers")
    return list(found.values())


def _find(ids: Sequence[QualifiedId]) -> Patient | None:
    rows = PatientIdentifier.objects.select_related("patient__survivor").filter(
        value__in=[one.value for one in ids]
    )
    wanted = {(one.issuer, one.value) for one in ids}
    found = {
        kept.pk: kept
        for row in rows
        if (row.issuer, row.value) in wanted
        for kept in (current(row.patient),)
    }
    if len(found) > 1:
        raise IdentifierConflictError(patients=sorted(found))
    return lock(next(iter(found.values()))) if found else None


def _create(
    ids: Sequence[QualifiedId],
    demographics: Demographics,
    site_id: int,
    confidentiality: str,
    at: datetime.datetime,
) -> Patient:
    patient = Patient(
        site_id=site_id, confidentiality=confidentiality, created_at=at, updated_at=at
    )
    _apply(patient, demographics)
    patient.name_search = name_search(
        patient.name_alphabetic, patient.name_ideographic, patient.name_phonetic
    )
    patient.save(force_insert=True)
    first = ids[0]
    # In one order everywhere, so that two registrations wait for each other and never deadlock.
    for one in sorted(ids, key=lambda one: (one.issuer, one.value)):
        PatientIdentifier.objects.create(
            patient=patient,
            value=one.value,
            issuer=one.issuer,
            type_code=one.type_code,
            primary=one is first,
        )
    return patient


def _take_over(
    *,
    actor: Actor,
    patient: Patient,
    ids: Sequence[QualifiedId],
    demographics: Demographics,
    at: datetime.datetime,
    door: str,
) -> bool:
    """Write what differs; the patient is locked."""
    known = set(
        PatientIdentifier.objects.filter(patient__in=_family(patient)).values_list(
            "issuer", "value"
        )
    )
    added = sorted(
        (one for one in ids if (one.issuer, one.value) not in known),
        key=lambda one: (one.issuer, one.value),
    )
    for one in added:
        PatientIdentifier.objects.create(
            patient=patient, value=one.value, issuer=one.issuer, type_code=one.type_code
        )
    changes = _apply(patient, demographics)
    if not changes and not added:
        return False
    patient.name_search = name_search(
        patient.name_alphabetic, patient.name_ideographic, patient.name_phonetic
    )
    patient.version += 1
    patient.updated_at = at
    patient.save()
    record(
        actor=actor,
        event=audit_events.UPDATED,
        door=door,
        patient=patient.pk,
        key=f"patient:{patient.pk}",
        changes=changes,
        identifiers_added=[f"{one.value} ({one.issuer})" for one in added],
    )
    publish(
        name="patients.patient.updated",
        aggregate=f"patient:{patient.pk}",
        payload={"patient_id": patient.pk, "version": patient.version},
    )
    return True


def _family(patient: Patient) -> list[int]:
    return [patient.pk, *Patient.objects.filter(survivor=patient).values_list("pk", flat=True)]


def _apply(patient: Patient, said: Demographics) -> dict[str, list[str]]:
    """Set on the object what was said; return old and new of what differs."""
    values: dict[str, object] = {}
    if said.name is not None:
        groups = split_groups(said.name)
        values |= dict(
            zip(("name_alphabetic", "name_ideographic", "name_phonetic"), groups, strict=True)
        )
    if said.birth_date is not None or said.birth_date_deleted:
        values["birth_date"] = said.birth_date
    if said.sex is not None:
        values["sex"] = said.sex
    if said.phone is not None:
        values["phone"] = said.phone[:40]
    if said.address is not None:
        values["address"] = said.address[:300]
    changes: dict[str, list[str]] = {}
    for field, new in values.items():
        old = getattr(patient, field)
        if old != new:
            changes[field] = [str(old or ""), str(new or "")]
            setattr(patient, field, new)
    return changes
