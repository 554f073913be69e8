"""Writing what was read: reports with their signed versions, the reading list, the old archive."""

import datetime as dt
import random

from apps.accounts.models import User
from apps.core.words import date_words
from apps.demo.seed.history import BATCH, SEEDER, Written
from apps.demo.seed.plan import ZONE
from apps.demo.seed.staff import Hospital
from apps.reports.domain import ADDENDUM, SECTION_TITLES, version_digest
from apps.reports.models import DraftKind, Report, ReportVersion
from apps.reports.selectors import signer_name, version_content
from apps.studies.domain import Availability, Completeness, MatchReason
from apps.studies.models import Study, StudyMatch
from apps.worklists.models import ReadingItem
from apps.worklists.reading.domain import due_at, priority_rank

OLD_ARCHIVE = "films of the old archive, not digitised"
STATE = ReadingItem.State
WRITING = ("registered", "preliminary")
ITEM_STATE = {
    "done": STATE.DONE, "unread": STATE.UNREAD, "claimed": STATE.UNREAD, "draft": STATE.DRAFT,
    "preliminary": STATE.PRELIMINARY,
}  # fmt: skip


def write_old_archive(rows: list[Written]) -> dict[int, Study]:
    """Write studies whose films lie in the old archive: known, matched, OFFLINE, no images here.

    Returns:
        The study of each exam, by the key of the requested procedure.
    """
    studies = [_film_study(row) for row in rows]
    Study.objects.bulk_create(studies, batch_size=BATCH)
    StudyMatch.objects.bulk_create(
        [
            StudyMatch(
                study=study,
                requested_procedure=row.exam,
                score=100,
                reason=MatchReason.ACCESSION_NUMBER.value,
                evidence="register of the old archive",
                matched_by=SEEDER,
                matched_at=_ended(row),
            )
            for row, study in zip(rows, studies, strict=True)
        ],
        batch_size=BATCH,
    )
    return {row.exam.pk: study for row, study in zip(rows, studies, strict=True)}


def _film_study(row: Written) -> Study:
    began = (row.plan.started_at or row.plan.start).astimezone(ZONE)
    patient = row.order.patient
    return Study(
        site=row.order.site,
        confidentiality=row.order.confidentiality,
        study_instance_uid=row.exam.study_instance_uid,
        patient=patient,
        study_date=began.strftime("%Y%m%d"),
        study_time=began.strftime("%H%M%S"),
        accession_number=row.order.accession_number,
        issuer_of_accession_number=row.order.issuer_of_accession_number,
        study_id=row.exam.requested_procedure_id[:16],
        study_description=row.exam.description[:64],
        referring_physician_name=row.order.referring_physician_name,
        modalities_in_study=[row.exam.modality],
        body_part=row.exam.body_part,
        received_patient_name=patient.name_alphabetic,
        received_patient_birth_date=f"{patient.birth_date:%Y%m%d}" if patient.birth_date else "",
        received_patient_sex=patient.sex,
        completeness=Completeness.COMPLETE.value,
        completeness_evidence=OLD_ARCHIVE,
        availability=Availability.OFFLINE.value,
        source="old archive",
    )


def write_reading(
    hospital: Hospital, rows: list[Written], films: dict[int, Study], at: dt.datetime
) -> None:
    """Write the reading list's lines and the reports of all exams that were done."""
    rng = random.Random(len(rows))
    ReadingItem.objects.bulk_create(
        [_item(hospital, row, films.get(row.exam.pk), at) for row in rows], batch_size=BATCH
    )
    read = [row for row in rows if row.plan.reading in {"done", "preliminary", "draft"}]
    reports = [_report(hospital, row, rng, at) for row in read]
    Report.objects.bulk_create(reports, batch_size=BATCH)
    Report.requested_procedures.through.objects.bulk_create(
        [
            Report.requested_procedures.through(report=report, requestedprocedure=row.exam)
            for row, report in zip(read, reports, strict=True)
        ],
        batch_size=BATCH,
    )
    Report.studies.through.objects.bulk_create(
        [
            Report.studies.through(report=report, study=films[row.exam.pk])
            for row, report in zip(read, reports, strict=True)
            if row.exam.pk in films
        ],
        batch_size=BATCH,
    )
    versions = [
        version
        for row, report in zip(read, reports, strict=True)
        for version in _versions(hospital, row, report, at)
    ]
    ReportVersion.objects.bulk_create(versions, batch_size=BATCH)


def _ended(row: Written) -> dt.datetime:
    return row.plan.ended_at or row.plan.end


def _item(hospital: Hospital, row: Written, film: Study | None, at: dt.datetime) -> ReadingItem:
    order, exam, state = row.order, row.exam, row.plan.reading
    since = _ended(row)
    reader = _reader(hospital, row)
    claimed = state == "claimed"
    return ReadingItem(
        site=order.site,
        confidentiality=max(order.confidentiality, order.patient.confidentiality, key="NRV".index),
        requested_procedure=exam,
        study=film,
        patient=order.patient,
        state=ITEM_STATE[state],
        priority=order.priority,
        priority_rank=priority_rank(order.priority),
        due_at=due_at(order.priority, since),
        modality=exam.modality,
        body_part=exam.body_part,
        description=exam.description,
        requesting_service=order.requesting_service,
        since=since,
        claimed_by=reader if claimed else None,
        claimed_at=at - dt.timedelta(minutes=6) if claimed else None,
        claim_seen_at=at if claimed else None,
        assigned_to=reader if state in {"draft", "preliminary"} else None,
    )


def _reader(hospital: Hospital, row: Written) -> User:
    """Return who reads it; drafts and unsigned reports are the demo radiologist's own."""
    if row.plan.reading in {"draft", "preliminary"}:
        return hospital.people["radiologist"]
    if row.plan.reading == "claimed" and row.plan.reader == "radiologist":
        return hospital.people["o.lindqvist"]
    return hospital.people[row.plan.reader]


def _sections(row: Written) -> list[dict[str, str]]:
    found = row.plan.text
    texts = {
        "indication": row.plan.reason,
        "technique": row.plan.line.technique,
        "comparison": "None.",
        "findings": found.findings,
        "impression": "" if row.plan.reading == "draft" else found.impression,
    }
    return [
        {"key": key, "title": title, "text": texts[key]} for key, title in SECTION_TITLES.items()
    ]


def _report(hospital: Hospital, row: Written, rng: random.Random, at: dt.datetime) -> Report:
    reader = _reader(hospital, row)
    since = _ended(row)
    quick = {"stat": 18, "urgent": 90, "routine": 420}[row.order.priority]
    begun = min(since + dt.timedelta(minutes=rng.randint(4, quick)), at - dt.timedelta(minutes=9))
    saved = begun + dt.timedelta(minutes=rng.randint(3, 8))
    status = {"done": "final", "preliminary": "preliminary", "draft": "registered"}[
        row.plan.reading
    ]
    if status == "final" and rng.random() < 0.02 and row.plan.start < at - dt.timedelta(days=10):
        status = "appended"
    return Report(
        site=row.order.site,
        confidentiality=row.order.confidentiality,
        patient=row.order.patient,
        status=status,
        draft_sections=_sections(row) if status in WRITING else [],
        draft_kind=DraftKind.REPORT if status in WRITING else "",
        draft_revision=3,
        draft_saved_at=saved,
        author=reader,
        created_at=begun,
    )


def _versions(
    hospital: Hospital, row: Written, report: Report, at: dt.datetime
) -> list[ReportVersion]:
    if report.status == "registered" or report.draft_saved_at is None:
        return []
    reader = _reader(hospital, row)
    first = "preliminary" if report.status == "preliminary" else "final"
    signed = report.draft_saved_at + dt.timedelta(minutes=1)
    versions = [_version(report, reader, 1, first, _sections(row), signed, "")]
    if report.status == "appended":
        text = "The result was told to the referrer by telephone after the report was signed."
        later = min(signed + dt.timedelta(hours=5), at)
        heading = f"Addendum, {date_words(later)}"
        added = [*_sections(row), {"key": ADDENDUM, "title": heading, "text": text}]
        versions.append(_version(report, reader, 2, "appended", added, later, versions[0].digest))
    return versions


def _version(
    report: Report, reader: User, number: int, status: str, sections: list[dict[str, str]],
    signed_at: dt.datetime, previous: str,
) -> ReportVersion:  # fmt: skip
    version = ReportVersion(
        report=report,
        number=number,
        status=status,
        sections=sections,
        signed_by=reader,
        signed_by_display=signer_name(reader),
        signed_at=signed_at,
        previous_digest=previous,
    )
    version.digest = version_digest(version_content(version))
    return version
