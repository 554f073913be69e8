"""Drawing the images and handing them to the one ingest, as a modality would."""

import datetime as dt
from collections.abc import Sequence

from django.db import transaction

from apps.accounts.selectors import actor_for_ae
from apps.archive.incoming import IncomingObject, Staged
from apps.core.actors import Actor
from apps.demo.phantoms.dicom import Coding, StudyTags, Subject
from apps.demo.phantoms.drawing import Drawn, Job, drawn_all
from apps.demo.phantoms.exams import Exam
from apps.demo.seed.history import Written
from apps.demo.seed.plan import PHANTOMS, ZONE
from apps.patients.models import PatientIdentifier
from apps.reports.models import Report
from apps.studies.domain import Completeness
from apps.studies.models import Study
from apps.studies.services import instances_record
from apps.studies.steps import study_settle
from apps.worklists.reading.steps import study_sync

BATCH = 120


def jobs_for(rows: Sequence[Written]) -> list[Job]:
    """Return what is to be drawn for the exams that have images."""
    numbers = {
        one.patient_id: one
        for one in PatientIdentifier.objects.filter(
            patient__in={row.order.patient_id for row in rows}, primary=True
        )
    }
    return [_job(row, numbers[row.order.patient_id]) for row in rows]


def _job(row: Written, number: PatientIdentifier) -> Job:
    plan, order, exam = row.plan, row.order, row.exam
    patient = order.patient
    groups = (patient.name_alphabetic, patient.name_ideographic, patient.name_phonetic)
    subject = Subject(
        patient_id=number.value,
        issuer=number.issuer,
        name="=".join(groups).rstrip("="),
        birth_date=patient.birth_date or dt.date(1970, 1, 1),
        sex=patient.sex,
    )
    tags = StudyTags(
        study_instance_uid=exam.study_instance_uid,
        accession_number=order.accession_number,
        issuer_of_accession_number=order.issuer_of_accession_number,
        description=exam.description,
        started_at=(plan.started_at or plan.start).astimezone(ZONE).replace(tzinfo=None),
        referring_physician=order.referring_physician_name,
        requested_procedure_id=exam.requested_procedure_id,
        scheduled_step_id=row.step.scheduled_procedure_step_id if row.step else "",
        code=(exam.code, "L", exam.description),
        reason=plan.reason,
        institution=order.site.name,
        station_name=plan.room.ae_title,
    )
    kind = PHANTOMS[plan.line.code][0]
    coding = (Coding.JPEG_LS, Coding.JPEG_LS, Coding.HTJ2K, Coding.PLAIN)[exam.pk % 4]
    if kind.startswith("ct") and coding is Coding.PLAIN:
        coding = Coding.JPEG_LS
    picture = Exam(kind, plan.person, plan.finding, coarse=not plan.fine, coding=coding)
    return Job(exam.pk, picture, subject, tags)


def ingest(rows: Sequence[Written], at: dt.datetime) -> int:
    """Draw the exams and file them through the ingest of all doors; return how many objects."""
    by_key = {row.exam.pk: row for row in rows}
    count = 0
    for key, drawn in drawn_all(jobs_for(rows)):
        row = by_key[key]
        actor = actor_for_ae(row.plan.room.ae_title, "127.0.0.1").actor
        received = min(at, (row.plan.ended_at or row.plan.end) + dt.timedelta(seconds=40))
        count += store(actor, drawn, received, "dimse")
        settle(row.exam.study_instance_uid, received)
    return count


def store(actor: Actor, drawn: Sequence[Drawn], at: dt.datetime, door: str) -> int:
    """Stage and record objects; return how many were given."""
    for first in range(0, len(drawn), BATCH):
        batch = [stage(one) for one in drawn[first : first + BATCH]]
        instances_record(actor=actor, batch=batch, at=at, door=door)
    return len(drawn)


def stage(one: Drawn) -> Staged:
    """Write one object into the archive as any door does."""
    incoming = IncomingObject(
        sop_class_uid=one.sop_class_uid,
        sop_instance_uid=one.sop_instance_uid,
        transfer_syntax_uid=one.transfer_syntax_uid,
    )
    incoming.write(one.data_set)
    return incoming.finish()


@transaction.atomic(durable=True)
def settle(study_instance_uid: str, at: dt.datetime) -> None:
    """Call the study complete, put it on the reading list, tie its report to it."""
    study = Study.objects.select_for_update(of=("self",)).get(study_instance_uid=study_instance_uid)
    study_settle(
        study=study,
        to=Completeness.COMPLETE,
        evidence=f"{study.number_of_instances} images, none new since",
    )
    study_sync(study_id=study.pk, at=at)
    for report in Report.objects.filter(requested_procedures__matches__study=study):
        report.studies.add(study)
