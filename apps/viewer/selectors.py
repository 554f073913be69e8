"""What the viewer is started with: who, which studies, which priors, which report."""

import datetime
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from apps.audit.models import Outcome
from apps.audit.steps import record_read
from apps.core import clock
from apps.core.actors import Actor
from apps.core.errors import DomainError, NotFoundError
from apps.core.status import status_words
from apps.core.words import age, as_date, date_words, person_name, when
from apps.patients.models import Patient
from apps.patients.selectors import current, primary_identifier
from apps.reports.models import Report
from apps.reports.selectors import reports_of_studies
from apps.studies import audit_events
from apps.studies.models import Series, Study
from apps.studies.selectors import studies_of_patient, study_access
from apps.worklists.reading.selectors import own_claim

MOST_PRIORS = 40


class DifferentPatientsError(DomainError):
    """Images of two people must never stand under one name."""

    code = "viewer.different-patients"
    message = "These studies belong to different people. Open them one after the other."


@dataclass(frozen=True, slots=True)
class PatientWords:
    """The identity line, and what every viewport repeats."""

    name: str
    pn: str
    id: str
    birth_words: str
    age_and_sex: str

    @property
    def birth_and_sex(self) -> str:
        """`04 Nov 1967, F`."""
        sex = self.age_and_sex.rpartition(", ")[2]
        return ", ".join(part for part in (self.birth_words, sex) if part)


@dataclass(frozen=True, slots=True)
class SeriesWords:
    """One series before its metadata has come."""

    series_instance_uid: str
    modality: str
    number: int | None
    description: str
    instances: int


@dataclass(frozen=True, slots=True)
class StudyWords:
    """One study of the patient.

    Attributes:
        time: `09:31`, empty where none was sent.
        evidence: by what completeness is known.
        moment: for a heading, `today 09:31` or `19 Aug 2024`.
        status: the state to show as a chip, empty where all is well.
    """

    study_instance_uid: str
    date: str
    time: str
    today: bool
    description: str
    modalities: list[str]
    availability: str
    availability_words: str
    completeness: str
    evidence: str
    moment: str
    status: str
    series: list[SeriesWords] = field(default_factory=list)
    report: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """Everything the page needs before the first image.

    Attributes:
        heartbeat: where to say that the reader still has the study open; empty without a claim.
    """

    patient: PatientWords
    studies: list[StudyWords]
    priors: list[StudyWords]
    dicomweb: str
    heartbeat: str = ""

    def as_json(self) -> dict[str, Any]:
        """The same for the browser."""
        patient = {**asdict(self.patient), "birth_and_sex": self.patient.birth_and_sex}
        return {**asdict(self), "patient": patient}


def viewer_launch(
    actor: Actor, study_instance_uids: Sequence[str], *, dicomweb: str, door: str = "page"
) -> Launch:
    """Return what the viewer opens with, and record that the studies were viewed.

    The first study is the one being read, the others and the patient's earlier ones are priors.

    Raises:
        NotFoundError: none named, or one absent or hidden from the actor.
        DifferentPatientsError: they are not of one person.
    """
    opened = [_access(actor, uid, door) for uid in dict.fromkeys(study_instance_uids)]
    if not opened:
        raise NotFoundError
    patients = {current(study.patient).pk: current(study.patient) for study in opened}
    if len(patients) > 1:
        raise DifferentPatientsError
    [patient] = patients.values()
    for study in opened:
        record_read(
            actor=actor,
            event=audit_events.VIEWED,
            door=door,
            patient=patient.pk,
            study=study.study_instance_uid,
        )
    uids = [study.study_instance_uid for study in opened]
    others = studies_of_patient(actor, patient.pk).exclude(study_instance_uid__in=uids)
    priors = list(others[:MOST_PRIORS])
    keys = [study.pk for study in [*opened, *priors]]
    reports = reports_of_studies(actor, keys)
    series = _series_of(keys)
    today = timezone.localdate(clock.now())
    claim = own_claim(actor, opened[0].pk, clock.now())
    return Launch(
        patient=patient_words(patient),
        studies=[_study_words(s, series, reports, today) for s in opened],
        priors=[_study_words(s, series, reports, today) for s in priors],
        dicomweb=dicomweb,
        heartbeat=reverse("reading:heartbeat", args=[claim.pk]) if claim else "",
    )


def _access(actor: Actor, uid: str, door: str) -> Study:
    try:
        return study_access(actor, uid)
    except NotFoundError:
        hidden = Study.objects.filter(study_instance_uid=uid).first()
        if hidden is not None:
            record_read(
                actor=actor,
                event=audit_events.ACCESS_REFUSED,
                door=door,
                outcome=Outcome.MINOR_FAILURE,
                patient=hidden.patient_id,
                study=uid,
            )
        raise


def patient_words(patient: Patient) -> PatientWords:
    """Return a person's identity in words: the number always with its issuer."""
    number = primary_identifier(patient)
    parts = (age(patient.birth_date), patient.sex)
    return PatientWords(
        name=str(person_name(patient.name_alphabetic)),
        pn=patient.name_alphabetic,
        id=f"{number.issuer} {number.value}".strip() if number else "",
        birth_words=date_words(patient.birth_date),
        age_and_sex=", ".join(part for part in parts if part),
    )


def study_moment(study: Study) -> str:
    """Return when a study was made, for a heading: `today 09:31`, `19 Aug 2024`."""
    day = as_date(study.study_date)
    if day == timezone.localdate(clock.now()):
        return f"today {_clock(study.study_time)}".strip()
    return when(day) if day else "no date"


def _exception(study: Study) -> str:
    if study.availability != "ONLINE":
        return f"study.{study.availability}"
    return "" if study.completeness == "COMPLETE" else f"study.{study.completeness}"


def _clock(study_time: str) -> str:
    digits = study_time.replace(":", "")
    return f"{digits[:2]}:{digits[2:4]}" if len(digits) >= 4 else ""


def _series_of(studies: list[int]) -> dict[int, list[SeriesWords]]:
    rows: QuerySet[Series] = Series.objects.filter(study__in=studies)
    found: dict[int, list[SeriesWords]] = {}
    for row in rows:
        number = int(row.series_number) if row.series_number.strip().lstrip("-").isdigit() else None
        found.setdefault(row.study_id, []).append(
            SeriesWords(
                series_instance_uid=row.series_instance_uid,
                modality=row.modality,
                number=number,
                description=row.series_description,
                instances=row.number_of_instances,
            )
        )
    for listed in found.values():
        listed.sort(key=lambda s: (s.number is None, s.number or 0, s.series_instance_uid))
    return found


def _study_words(
    study: Study,
    series: dict[int, list[SeriesWords]],
    reports: dict[int, Report],
    today: datetime.date,
) -> StudyWords:
    report = reports.get(study.pk)
    return StudyWords(
        study_instance_uid=study.study_instance_uid,
        date=study.study_date,
        time=_clock(study.study_time),
        today=as_date(study.study_date) == today,
        description=study.study_description,
        modalities=list(study.modalities_in_study),
        availability=study.availability,
        availability_words=status_words(f"study.{study.availability}").words,
        completeness=study.completeness,
        evidence=study.completeness_evidence,
        moment=study_moment(study),
        status=_exception(study),
        series=series.get(study.pk, []),
        report={
            "words": status_words(f"report.{report.status}").words,
            "url": reverse("reports:report", args=[report.pk]),
        }
        if report
        else None,
    )
