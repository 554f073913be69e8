"""Finding or making the patient, study and series that received instances belong to."""

import datetime
import hashlib
from collections.abc import Sequence

from django.db import IntegrityError

from apps.accounts.models import Site
from apps.core.actors import Actor
from apps.core.steps import savepoint
from apps.patients.domain import Demographics, QualifiedId
from apps.patients.models import Patient, PatientIdentifier
from apps.patients.selectors import alias_keys, current, patient_by_identifier
from apps.patients.steps import patient_register
from apps.studies.candidates import strong_candidates
from apps.studies.ingest.received import Received, dicom_date
from apps.studies.ingest.rows import lock_studies
from apps.studies.models import Series, Study

UNIDENTIFIED = "ISOCENTER-UNIDENTIFIED"
STUDY_TEXTS = (
    "study_date", "study_time", "timezone_offset", "accession_number", "study_id",
    "study_description", "character_set",
)  # fmt: skip
SERIES_TEXTS = (
    "modality", "series_number", "series_description", "series_date", "series_time",
    "body_part_examined", "laterality", "station_name", "manufacturer", "performed_start_date",
    "performed_start_time",
)  # fmt: skip


def studies_for(
    batch: Sequence[Received], *, actor: Actor, site: Site, at: datetime.datetime
) -> tuple[dict[str, Study], list[Study]]:
    """Return the batch's studies, locked, by UID, and those that are new.

    A new study takes its attributes from the first instance that came.
    """
    first: dict[str, Received] = {}
    for received in batch:
        first.setdefault(received.study_instance_uid, received)
    studies = lock_studies(sorted(first))
    created = []
    for uid in sorted(first.keys() - studies.keys()):
        study = _new_study(first[uid], actor=actor, site=site, at=at)
        try:
            with savepoint():
                study.save(force_insert=True)
        except IntegrityError:  # another batch was faster
            studies |= lock_studies([uid])
        else:
            studies[uid] = study
            created.append(study)
    return studies, created


def series_for(
    batch: Sequence[Received], studies: dict[str, Study], created: Sequence[Study]
) -> dict[tuple[str, str], Series]:
    """Return the batch's series by (study UID, series UID); new ones are made.

    Their studies are locked, so that nobody else makes them. Those just created have none yet.
    """
    first: dict[tuple[str, str], Received] = {}
    for received in batch:
        first.setdefault((received.study_instance_uid, received.series_instance_uid), received)
    older = {uid: study for uid, study in studies.items() if study not in created}
    found = _series(older, first) if older else {}
    missing = sorted(first.keys() - found.keys())
    made = Series.objects.bulk_create(_new_series(studies[key[0]], first[key]) for key in missing)
    return found | dict(zip(missing, made, strict=True))


def _series(
    studies: dict[str, Study], wanted: dict[tuple[str, str], Received]
) -> dict[tuple[str, str], Series]:
    by_id = {study.pk: study for study in studies.values()}
    rows = Series.objects.filter(
        study__in=list(by_id), series_instance_uid__in=[uid for _, uid in wanted]
    )
    return {(by_id[row.study_id].study_instance_uid, row.series_instance_uid): row for row in rows}


def _new_study(received: Received, *, actor: Actor, site: Site, at: datetime.datetime) -> Study:
    texts = received.texts
    patient = _patient(received, actor=actor, site=site, at=at)
    return Study(
        study_instance_uid=received.study_instance_uid,
        patient=patient,
        patient_version=patient.version,
        site=site,
        issuer_of_accession_number=received.issuer_of_accession_number,
        referring_physician_name=texts["referring_physician_name"],
        body_part=texts["body_part_examined"],
        received_patient_id=texts["patient_id"],
        received_issuer_of_patient_id=texts["issuer_of_patient_id"],
        received_patient_name=texts["patient_name"],
        received_patient_birth_date=texts["patient_birth_date"],
        received_patient_sex=texts["patient_sex"],
        source=actor.display[:100],
        first_received_at=at,
        last_received_at=at,
        **{name: texts[name] for name in STUDY_TEXTS},
    )


def _new_series(study: Study, received: Received) -> Series:
    request = received.requests[0] if received.requests else {}
    return Series(
        study=study,
        series_instance_uid=received.series_instance_uid,
        performed_step_uid=received.performed_step_uid,
        scheduled_procedure_step_id=request.get("scheduled_procedure_step_id", ""),
        requested_procedure_id=request.get("requested_procedure_id", ""),
        **{name: received.texts[name] for name in SERIES_TEXTS},
    )


def _patient(received: Received, *, actor: Actor, site: Site, at: datetime.datetime) -> Patient:
    """Return the patient whom the image names, made where nobody has the number.

    Images never change a patient whom we know: the hospital's registration does. An ID without
    issuer is that of the ordered patient where the exam is one of ours, for modalities drop the
    issuer that the worklist gave; else it is one of the sender's site, never joined by the bare
    number (trap 1). No ID at all makes a patient of this study alone.
    """
    texts = received.texts
    value, issuer = texts["patient_id"], texts["issuer_of_patient_id"] or site.issuer_of_patient_id
    if value and not texts["issuer_of_patient_id"]:
        ordered = _ordered_patient(received, site, value)
        if ordered is not None:
            return ordered
    if not value:
        value = hashlib.sha256(received.study_instance_uid.encode()).hexdigest()[:16]
        issuer = UNIDENTIFIED
    known = patient_by_identifier(value=value, issuer=issuer)
    if known is not None:
        return known
    sex = texts["patient_sex"].upper()
    return patient_register(
        actor=actor,
        identifiers=[QualifiedId(value, issuer)],
        demographics=Demographics(
            name=texts["patient_name"],
            birth_date=dicom_date(texts["patient_birth_date"]),
            sex=sex if sex in ("M", "F", "O") else "",
        ),
        site_id=site.pk,
        at=at,
        door="ingest",
    ).patient


def _ordered_patient(received: Received, site: Site, value: str) -> Patient | None:
    """Return the patient of the order that the image belongs to, if one of its numbers is given."""
    for candidate in strong_candidates(
        study_instance_uid=received.study_instance_uid,
        accession_number=received.texts["accession_number"],
        issuer=received.issuer_of_accession_number or site.issuer_of_accession_number,
    ):
        patient = current(candidate.procedure.order.patient)
        numbers = PatientIdentifier.objects.filter(patient__in=alias_keys(patient), value=value)
        if numbers.exists():
            return patient
    return None
