"""Images that come through the real ingest move the exam; the scanner's word overrules them."""

import datetime

import pytest
from django.conf import settings
from pydicom.dataset import Dataset

from apps.core import clock
from apps.core.actors import system_actor
from apps.core.tasks import relay_once
from apps.scheduling import services as scheduling
from apps.studies.models import Study
from apps.studies.services import instances_record, studies_settle
from apps.worklists import services
from apps.worklists.models import WorklistAttention
from pacs_site.celery import app
from tests.factories.dicom import as_file, ct_slice, stage
from tests.scheduling.conftest import NOW
from tests.worklists.test_performed_steps import creation, ending, states

pytestmark = pytest.mark.django_db(transaction=True)


def images_of(step, *numbers, **attributes):
    exam = step.requested_procedure
    number = exam.order.patient.identifiers.get()
    return [
        ct_slice(
            study=exam.study_instance_uid,
            series=f"{exam.study_instance_uid}.1"[:64],
            number=one,
            PatientID=number.value,
            IssuerOfPatientID=number.issuer,
            AccessionNumber=exam.order.accession_number,
            **attributes,
        )
        for one in numbers
    ]


def store(hospital, slices):
    results = instances_record(
        actor=hospital.scanner,
        batch=[stage(as_file(one)) for one in slices],
        at=clock.now(),
        door="dimse",
    )
    assert all(result.error is None for result in results)
    deliver()


def deliver():
    while relay_once():
        pass


def settle():
    studies_settle(
        actor=system_actor("test"), at=clock.now() + datetime.timedelta(minutes=5), limit=10
    )
    deliver()


def test_images_begin_the_exam_and_their_end_completes_it(hospital):
    step = hospital.book(hospital.department.exam())
    store(hospital, images_of(step, 1, 2))
    assert states(step) == ("STARTED", "checked-in", "IP")
    assert step.status_source == "images"
    settle()
    assert states(step) == ("COMPLETED", "fulfilled", "CM")
    store(hospital, images_of(step, 3))
    assert states(step)[0] == "COMPLETED"


def test_images_do_not_end_what_the_scanner_or_a_person_has_in_hand(hospital):
    d = hospital.department
    by_hand = hospital.book(d.exam())
    services.exam_start(actor=d.technologist, step_id=by_hand.pk, at=NOW)
    by_scanner = hospital.book(d.exam(), "2026-11-24 11:00")
    services.performed_step_create(actor=hospital.scanner, attributes=creation(by_scanner), at=NOW)
    store(hospital, images_of(by_hand, 1) + images_of(by_scanner, 1))
    settle()
    assert states(by_hand)[0] == states(by_scanner)[0] == "STARTED"


def test_a_cancelled_exam_stays_cancelled(hospital):
    step = hospital.book(hospital.department.exam())
    scheduling.appointment_cancel(
        actor=hospital.department.scheduler,
        appointment_id=step.appointment_id,
        reason="ill",
        at=NOW,
    )
    store(hospital, images_of(step, 1))
    assert states(step)[0] == "CANCELED"


def test_the_scanner_s_references_judge_the_study(hospital):
    step = hospital.book(hospital.department.exam())
    slices = images_of(step, 1, 2)
    performed = services.performed_step_create(
        actor=hospital.scanner, attributes=creation(step), at=NOW
    )
    store(hospital, slices[:1])
    end = ending(images=0)
    references = []
    for one in slices:
        item = Dataset()
        item.ReferencedSOPClassUID = one.SOPClassUID
        item.ReferencedSOPInstanceUID = one.SOPInstanceUID
        references.append(item)
    end.PerformedSeriesSequence[0].ReferencedImageSequence = references
    services.performed_step_set(
        actor=hospital.scanner,
        sop_instance_uid=performed.sop_instance_uid,
        modifications=end,
        at=NOW,
    )
    study = Study.objects.get()
    assert study.completeness == "PARTIAL"
    services.performed_steps_watch(at=NOW + datetime.timedelta(hours=6))
    assert WorklistAttention.objects.filter(kind="mpps-no-images", resolved_at=None).exists()
    store(hospital, slices[1:])
    study.refresh_from_db()
    assert study.completeness == "COMPLETE"
    assert not WorklistAttention.objects.filter(resolved_at=None).exists()


def test_what_the_beat_calls_is_a_task():
    app.loader.import_default_modules()
    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        assert entry["task"] in app.tasks
