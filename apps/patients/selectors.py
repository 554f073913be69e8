"""Reading patients. What the actor may not see does not exist."""

import datetime
from collections.abc import Iterable

from django.db.models import Q, QuerySet

from apps.accounts.domain import Permission
from apps.core.actors import Actor
from apps.core.errors import NotFoundError
from apps.patients import policies
from apps.patients.domain import fold
from apps.patients.models import Patient, PatientIdentifier

SEARCH_LIMIT = 20


def patients_visible_to(
    actor: Actor, permission: Permission = Permission.PATIENT_READ
) -> QuerySet[Patient]:
    """Return the patients on whom the actor holds the permission, merged-away ones included."""
    return Patient.objects.filter(policies.visible(actor, permission))


def patient_access(
    actor: Actor, key: int, permission: Permission = Permission.PATIENT_READ
) -> Patient:
    """Return a patient by primary key.

    Raises:
        NotFoundError: absent, or hidden from the actor.
    """
    patient = (
        patients_visible_to(actor, permission)
        .select_related("survivor", "site")
        .filter(pk=key)
        .first()
    )
    if patient is None:
        raise NotFoundError(patient=key)
    return patient


def current(patient: Patient) -> Patient:
    """Return the patient whose identity counts: the survivor of a merge, else the patient."""
    return patient.survivor or patient


def alias_keys(patient: Patient) -> list[int]:
    """Return the primary keys of the survivor and of all that were merged into it."""
    kept = patient.survivor_id or patient.pk
    return [
        kept,
        *Patient.objects.filter(survivor=kept).order_by("pk").values_list("pk", flat=True),
    ]


def patient_by_identifier(*, value: str, issuer: str) -> Patient | None:
    """Return the patient of a number and its issuer, resolved to the survivor."""
    row = (
        PatientIdentifier.objects.select_related("patient__survivor")
        .filter(value=value, issuer=issuer)
        .first()
    )
    return current(row.patient) if row else None


def primary_identifier(patient: Patient) -> PatientIdentifier | None:
    """Return the number that goes out with the patient: (0010,0020) and (0010,0021)."""
    rows = sorted(patient.identifiers.all(), key=lambda row: (not row.primary, row.pk))
    return rows[0] if rows else None


def patient_search(actor: Actor, text: str, *, born: datetime.date | None = None) -> list[Patient]:
    """Return up to 20 patients whose name begins with, or whose number is, what was typed.

    'falk ines' and 'Falk, Ines' find 'Falk^Ines'; accents and case do not count. A birth date
    narrows them, or is enough alone. Survivors stand for those merged into them.
    """
    words = fold(text.replace(",", " ").replace("^", " ")).split()
    wanted = Q(birth_date=born) if born else Q()
    if words:
        name = Q(name_search__startswith=words[0])
        for word in words[1:]:
            name &= Q(name_search__contains=f"^{word}") | Q(name_search__contains=f" {word}")
        # Fetched apart: with a subquery on one side of the OR, PostgreSQL would read all patients.
        numbers = PatientIdentifier.objects.filter(value=text.strip())
        known = list(numbers.values_list("patient", flat=True)[:SEARCH_LIMIT])
        wanted &= name | Q(pk__in=known) if known else name
    elif born is None:
        return []
    found = (
        patients_visible_to(actor)
        .filter(wanted)
        .select_related("survivor")
        .prefetch_related("identifiers")
        .order_by("name_search", "pk")[: SEARCH_LIMIT * 2]
    )
    return _once(current(patient) for patient in found)[:SEARCH_LIMIT]


def _once(patients: Iterable[Patient]) -> list[Patient]:
    return list({patient.pk: patient for patient in patients}.values())
