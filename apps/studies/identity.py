"""Under whose name a study goes out.

What was stored stays as received. Where its patient was merged, or changed since the study was
filed, the identity of today is applied on the way out. An issuer that we assigned is never added.
"""

from collections.abc import Collection
from dataclasses import dataclass

from apps.accounts.models import Site
from apps.patients.models import Patient
from apps.patients.selectors import current, primary_identifier
from apps.studies.ingest.studies import UNIDENTIFIED
from apps.studies.models import Study


@dataclass(frozen=True, slots=True)
class Identity:
    """The patient module's identifying attributes, as DICOM texts."""

    name: str
    patient_id: str
    issuer_of_patient_id: str
    birth_date: str
    sex: str


def identities_of(patient_ids: Collection[int]) -> dict[int, Identity]:
    """Return today's identity of patients; one merged away has its survivor's."""
    ours = set(Site.objects.values_list("issuer_of_patient_id", flat=True)) | {UNIDENTIFIED}
    patients = (
        Patient.objects.filter(pk__in=patient_ids)
        .select_related("survivor")
        .prefetch_related("identifiers", "survivor__identifiers")
    )
    return {patient.pk: _identity(current(patient), ours) for patient in patients}


def changed_identity(study: Study) -> Identity | None:
    """Return the identity that goes out in place of the received one; None where that stands."""
    patient = study.patient
    if patient.survivor_id is None and patient.version == study.patient_version:
        return None
    identity = identities_of([patient.pk])[patient.pk]
    received = Identity(
        study.received_patient_name,
        study.received_patient_id,
        study.received_issuer_of_patient_id,
        study.received_patient_birth_date,
        study.received_patient_sex,
    )
    return None if identity == received else identity


def _identity(patient: Patient, ours: set[str]) -> Identity:
    number = primary_identifier(patient)
    groups = (patient.name_alphabetic, patient.name_ideographic, patient.name_phonetic)
    unidentified = number is None or number.issuer == UNIDENTIFIED
    return Identity(
        name="=".join(groups).rstrip("="),
        patient_id="" if unidentified or number is None else number.value,
        issuer_of_patient_id="" if number is None or number.issuer in ours else number.issuer,
        birth_date=f"{patient.birth_date:%Y%m%d}" if patient.birth_date else "",
        sex=patient.sex,
    )
