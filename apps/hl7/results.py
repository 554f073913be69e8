"""What a report's version says, as the plain values of an ORU."""

import datetime
from zoneinfo import ZoneInfo

from apps.accounts.models import Hl7Peer, User
from apps.hl7.domain import oru
from apps.hl7.domain.charsets import canonical
from apps.hl7.domain.datatypes import (
    Coded,
    DataTypeError,
    Hierarchic,
    Identifier,
    Person,
    timestamp,
)
from apps.hl7.domain.oru import Procedure, Result, ResultStatus, Section
from apps.orders.models import RequestedProcedure
from apps.patients.models import Patient, PatientIdentifier
from apps.patients.selectors import alias_keys, current
from apps.reports.models import Report, ReportVersion
from apps.studies.models import Study

STATUS = {
    "preliminary": ResultStatus.PRELIMINARY,
    "final": ResultStatus.FINAL,
    "appended": ResultStatus.CORRECTED,
    "corrected": ResultStatus.CORRECTED,
    "cancelled": ResultStatus.CORRECTED,
}
"""FHIR diagnostic-report-status to OBR-25 (table 0123): what is preliminary never goes as final."""


def render_version(
    version: ReportVersion, peer: Hl7Peer, *, control_id: str, at: datetime.datetime
) -> str:
    """Render a version for a peer, as the text whose MSH-18 names its character set."""
    return oru.render(
        result_of(version),
        control_id=control_id,
        at=at,
        sender=("ISOCENTER", version.report.site.code),
        receiver=(peer.app, peer.facility),
        charset=canonical(peer.charset) or "UNICODE UTF-8",
    )


def result_of(version: ReportVersion) -> Result:
    """Gather what an ORU of this version says.

    The patient is the survivor with all its numbers, the primary one first. A withdrawn report goes
    out as a correction that says so in place of the text.
    """
    report = version.report
    patient = current(report.patient)
    name = "=".join(
        (patient.name_alphabetic, patient.name_ideographic, patient.name_phonetic)
    ).rstrip("=")
    studies = list(report.studies.order_by("pk"))
    exams = report.requested_procedures.select_related("order__referrer").order_by("pk")
    performed_at = _performed_at(report, studies)
    procedures = [_ordered(exam, performed_at) for exam in exams]
    return Result(
        status=STATUS[version.status],
        withdrawn=version.status == "cancelled",
        identifiers=_identifiers(patient),
        name=name,
        birth_date=patient.birth_date,
        sex=patient.sex,
        procedures=procedures or [_unordered(study, performed_at) for study in studies[:1]],
        study_instance_uids=[study.study_instance_uid for study in studies],
        sections=_sections(version),
        reported_at=version.signed_at,
        author=_author(version.signed_by),
    )


def _sections(version: ReportVersion) -> list[Section]:
    if version.status == "cancelled":
        words = f"This report was withdrawn. {version.reason}".strip()
        return [Section("withdrawn", "Report withdrawn", words)]
    return [
        Section(part["key"], part["title"], part["text"])
        for part in version.sections
        if part["text"].strip()
    ]


def _identifiers(patient: Patient) -> list[Identifier]:
    rows = PatientIdentifier.objects.filter(patient__in=alias_keys(patient)).order_by("pk")
    first = sorted(rows, key=lambda row: (row.patient_id != patient.pk, not row.primary))
    return [Identifier(row.value, Hierarchic(row.issuer), row.type_code) for row in first]


def _ordered(exam: RequestedProcedure, performed_at: datetime.datetime | None) -> Procedure:
    order = exam.order
    return Procedure(
        placer_number=order.placer_order_number,
        placer_namespace=order.placer_issuer if order.placer_order_number else "",
        filler_number=order.accession_number,
        accession=order.accession_number,
        code=Coded(exam.code, exam.description, exam.coding_scheme),
        performed_at=performed_at,
        provider=_provider(order.referrer, order.referring_physician_name),
    )


def _unordered(study: Study, performed_at: datetime.datetime | None) -> Procedure:
    text = study.study_description or " ".join(study.modalities_in_study) or "Imaging study"
    return Procedure(
        placer_number="",
        placer_namespace="",
        filler_number=study.accession_number or study.study_instance_uid,
        accession=study.accession_number,
        code=Coded("", text, ""),
        performed_at=performed_at,
        provider=None,
    )


def _performed_at(report: Report, studies: list[Study]) -> datetime.datetime | None:
    """Return when the first study was made, in the wall time of the site it stands for."""
    for study in studies:
        time = study.study_time.partition(".")[0]
        try:
            return timestamp(study.study_date + time, ZoneInfo(report.site.timezone))
        except DataTypeError:
            continue
    return None


def _provider(user: User | None, name: str) -> Person | None:
    family, given, _, prefix, *_ = [*name.split("^"), "", "", "", ""]
    if user is not None:
        family, given = user.last_name or family, user.first_name or given
        return Person(user.provider_id, family, given, user.title or prefix, "")
    return Person("", family, given, prefix, "") if family else None


def _author(user: User) -> Person:
    return Person(
        user.provider_id or user.username,
        user.last_name or user.username,
        user.first_name,
        user.title,
        "",
    )
