"""N-CREATE and N-SET, one table per rule of PS3.4 F.7.2, and what they move."""

import copy
import datetime

import pytest
from pydicom.dataset import Dataset

from apps.core.errors import TransitionNotAllowedError
from apps.core.models import OutboxEvent
from apps.core.uids import new_uid
from apps.scheduling import services as scheduling
from apps.scheduling.models import Appointment
from apps.worklists import services
from apps.worklists.models import PerformedStep, WorklistAttention
from apps.worklists.performing import errors
from tests.scheduling.conftest import NOW

pytestmark = pytest.mark.django_db(transaction=True)


def creation(step=None, **changes):
    """A complete N-CREATE for a scheduled step, or for none."""
    ds = Dataset()
    item = Dataset()
    if step is not None:
        exam = step.requested_procedure
        item.StudyInstanceUID = exam.study_instance_uid
        item.AccessionNumber = exam.order.accession_number
        item.RequestedProcedureID = exam.requested_procedure_id
        item.ScheduledProcedureStepID = step.scheduled_procedure_step_id
        ds.PatientName = "Falk^Ines"
        ds.PatientID = exam.order.patient.identifiers.get().value
    else:
        item.StudyInstanceUID = new_uid()
        item.ScheduledProcedureStepID = ""
        ds.PatientName = "Unknown^Male 7"
        ds.PatientID = "TMP7"
    ds.ScheduledStepAttributesSequence = [item]
    ds.PerformedProcedureStepID = "PPS1"
    ds.PerformedStationAETitle = "CT1"
    ds.PerformedProcedureStepStartDate = "20261124"
    ds.PerformedProcedureStepStartTime = "100500"
    ds.PerformedProcedureStepStatus = "IN PROGRESS"
    ds.Modality = "CT"
    ds.PerformedSeriesSequence = []
    for keyword, value in changes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def ending(status="COMPLETED", images=2, **changes):
    ds = Dataset()
    ds.PerformedProcedureStepStatus = status
    ds.PerformedProcedureStepEndDate = "20261124"
    ds.PerformedProcedureStepEndTime = "102000"
    series = Dataset()
    series.SeriesInstanceUID = new_uid()
    series.ProtocolName = "Chest routine"
    references = []
    for _ in range(images):
        reference = Dataset()
        reference.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        reference.ReferencedSOPInstanceUID = new_uid()
        references.append(reference)
    series.ReferencedImageSequence = references
    ds.PerformedSeriesSequence = [series]
    for keyword, value in changes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def create(hospital, ds, uid="", actor=None):
    return services.performed_step_create(
        actor=actor or hospital.scanner, attributes=ds, at=NOW, sop_instance_uid=uid
    )


def change(hospital, performed, ds, actor=None):
    return services.performed_step_set(
        actor=actor or hospital.scanner,
        sop_instance_uid=performed.sop_instance_uid,
        modifications=ds,
        at=NOW,
    )


def states(step):
    step.refresh_from_db()
    appointment = Appointment.objects.filter(scheduled_steps=step).first()
    order = step.requested_procedure.order
    order.refresh_from_db()
    return step.status, appointment.status if appointment else None, order.status


def open_items():
    return list(WorklistAttention.objects.filter(resolved_at=None).values_list("kind", flat=True))


def test_the_usual_way(hospital):
    step = hospital.book(hospital.department.exam())
    performed = create(hospital, creation(step), "1.2.3")
    assert performed.sop_instance_uid == "1.2.3"
    assert states(step) == ("STARTED", "checked-in", "IP")
    assert step.status_source == "mpps"
    assert performed.started_at == datetime.datetime(2026, 11, 24, 9, 5, tzinfo=datetime.UTC)
    assert performed.patient_id == step.requested_procedure.order.patient_id
    change(hospital, performed, Dataset())
    performed = change(hospital, performed, ending())
    assert performed.status == "COMPLETED"
    assert performed.ended_at == datetime.datetime(2026, 11, 24, 9, 20, tzinfo=datetime.UTC)
    assert states(step) == ("COMPLETED", "fulfilled", "CM")
    assert "PerformedSeriesSequence" in Dataset.from_json(performed.attributes)
    assert open_items() == []
    names = OutboxEvent.objects.filter(name__startswith="worklists.").values_list("name", flat=True)
    assert list(names) == [
        "worklists.performed-step.created",
        "worklists.performed-step.changed",
        "worklists.performed-step.ended",
    ]


@pytest.mark.parametrize(
    "keyword",
    [
        "ScheduledStepAttributesSequence",
        "PerformedProcedureStepID",
        "PerformedStationAETitle",
        "PerformedProcedureStepStartDate",
        "PerformedProcedureStepStartTime",
        "PerformedProcedureStepStatus",
        "Modality",
    ],
)
def test_what_a_creation_must_have(hospital, keyword):
    step = hospital.book(hospital.department.exam())
    with pytest.raises(errors.MissingAttributeError) as caught:
        create(hospital, creation(step, **{keyword: None}))
    assert caught.value.details["attribute"] == keyword
    empty = [] if keyword.endswith("Sequence") else ""
    with pytest.raises(errors.MissingValueError):
        create(hospital, creation(step, **{keyword: empty}))
    assert not PerformedStep.objects.exists()
    assert states(step) == ("SCHEDULED", "booked", "SC")


@pytest.mark.parametrize("status", ["COMPLETED", "DISCONTINUED", "DONE", "in progress"])
def test_a_creation_is_in_progress(hospital, status):
    with pytest.raises(errors.InvalidValueError):
        create(hospital, creation(PerformedProcedureStepStatus=status))


def test_a_uid_is_used_once_and_issued_where_none_is_given(hospital):
    create(hospital, creation(), "1.2.3")
    with pytest.raises(errors.DuplicateStepError):
        create(hospital, creation(), "1.2.3")
    assert create(hospital, creation()).sop_instance_uid.startswith("2.25.")


@pytest.mark.parametrize(
    ("modifications", "error"),
    [
        (ending(PerformedProcedureStepEndDate=None), errors.MissingAttributeError),
        (ending(PerformedProcedureStepEndTime=""), errors.MissingValueError),
        (ending(PerformedSeriesSequence=None), errors.MissingValueError),
        (ending(PerformedSeriesSequence=[]), errors.MissingValueError),
        (ending(PerformedSeriesSequence=[Dataset()]), errors.MissingAttributeError),
        (ending("FINISHED"), errors.InvalidValueError),
    ],
)
def test_what_an_end_must_have(hospital, modifications, error):
    step = hospital.book(hospital.department.exam())
    performed = create(hospital, creation(step))
    with pytest.raises(error):
        change(hospital, performed, modifications)
    performed.refresh_from_db()
    assert performed.status == "IN PROGRESS"
    assert states(step)[0] == "STARTED"


@pytest.mark.parametrize("status", ["COMPLETED", "DISCONTINUED"])
def test_a_final_state_takes_no_more_changes(hospital, status):
    step = hospital.book(hospital.department.exam())
    performed = create(hospital, creation(step))
    change(hospital, performed, ending(status))
    for again in (Dataset(), ending("COMPLETED"), ending("DISCONTINUED")):
        with pytest.raises(errors.FinalStepError) as caught:
            change(hospital, performed, again)
        assert caught.value.code == "worklists.mpps-final"


def test_what_is_fixed_at_the_creation_stays(hospital):
    step = hospital.book(hospital.department.exam())
    performed = create(hospital, creation(step))
    wrong = ending()
    wrong.PatientID = "OTHER"
    wrong.PerformedProcedureStepStartTime = "235900"
    wrong.PerformedProcedureStepDescription = "Chest"
    performed = change(hospital, performed, wrong)
    kept = Dataset.from_json(performed.attributes)
    assert kept.PatientID != "OTHER"
    assert kept.PerformedProcedureStepStartTime == "100500"
    assert kept.PerformedProcedureStepDescription == "Chest"


def test_stopped_early_then_repeated(hospital):
    step = hospital.book(hospital.department.exam())
    first = create(hospital, creation(step))
    reason = Dataset()
    reason.CodeValue, reason.CodingSchemeDesignator = "110514", "DCM"
    reason.CodeMeaning = "Incorrect worklist entry selected"
    stop = ending(
        "DISCONTINUED",
        PerformedSeriesSequence=[],
        PerformedProcedureStepDiscontinuationReasonCodeSequence=[reason],
    )
    first = change(hospital, first, stop)
    assert first.discontinuation_reason == "Incorrect worklist entry selected"
    assert states(step) == ("DISCONTINUED", "fulfilled", "DC")
    second = create(hospital, creation(step))
    assert states(step) == ("STARTED", "fulfilled", "IP")
    change(hospital, second, ending())
    assert states(step) == ("COMPLETED", "fulfilled", "CM")


def test_a_second_step_of_the_same_exam_appends_to_it(hospital):
    step = hospital.book(hospital.department.exam())
    first = create(hospital, creation(step))
    second = create(hospital, creation(step))
    change(hospital, first, ending())
    assert states(step)[0] == "STARTED"
    change(hospital, second, ending())
    assert states(step) == ("COMPLETED", "fulfilled", "CM")
    third = create(hospital, creation(step))
    assert states(step) == ("STARTED", "fulfilled", "IP")
    change(hospital, third, ending())
    assert states(step)[0] == "COMPLETED"


def test_one_step_for_two_exams(hospital):
    d = hospital.department
    order = d.order(d.ct, d.ct)
    one, two = [
        hospital.book(exam, when)
        for exam, when in zip(
            order.requested_procedures.order_by("number"),
            ("2026-11-24 10:00", "2026-11-24 10:30"),
            strict=True,
        )
    ]
    ds = creation(one)
    ds.ScheduledStepAttributesSequence = [
        *ds.ScheduledStepAttributesSequence,
        *creation(two).ScheduledStepAttributesSequence,
    ]
    performed = create(hospital, ds)
    assert performed.scheduled_steps.count() == 2
    assert [states(step)[0] for step in (one, two)] == ["STARTED", "STARTED"]
    change(hospital, performed, ending())
    assert [states(step)[2] for step in (one, two)] == ["CM", "CM"]


def test_an_order_is_complete_when_all_its_exams_are(hospital):
    d = hospital.department
    order = d.order(d.ct, d.mri)
    ct, mri = order.requested_procedures.order_by("number")
    step = hospital.book(ct)
    change(hospital, create(hospital, creation(step)), ending())
    assert states(step)[2] == "IP"
    second = hospital.book(mri, "2026-11-24 12:00", d.mr)
    performed = create(hospital, creation(second, Modality="MR"))
    change(hospital, performed, ending())
    assert states(second)[2] == "CM"


def test_an_emergency_is_taken_and_asks_for_a_person(hospital):
    performed = create(hospital, creation())
    assert performed.patient_id is None
    assert performed.site_id == hospital.department.site.pk
    assert open_items() == ["mpps-unscheduled"]
    change(hospital, performed, ending())


def test_the_study_uid_is_enough(hospital):
    step = hospital.book(hospital.department.exam())
    ds = creation(step)
    ds.ScheduledStepAttributesSequence[0].ScheduledProcedureStepID = ""
    create(hospital, ds)
    assert states(step)[0] == "STARTED"
    assert open_items() == []


def test_another_patient_is_never_matched(hospital):
    step = hospital.book(hospital.department.exam())
    performed = create(hospital, creation(step, PatientID="SOMEBODY ELSE"))
    assert states(step) == ("SCHEDULED", "booked", "SC")
    assert performed.patient_id is None
    assert open_items() == ["mpps-patient-differs"]


def test_a_merged_number_is_the_same_patient(hospital):
    step = hospital.book(hospital.department.exam())
    ds = creation(step)
    patient = step.requested_procedure.order.patient
    patient.survivor = hospital.department.patient("Falk-Berg^Ines")
    patient.save()
    assert create(hospital, copy.deepcopy(ds)).patient_id == patient.survivor_id
    assert states(step)[0] == "STARTED"


def test_a_cancelled_exam_that_is_done_asks_for_a_person(hospital):
    step = hospital.book(hospital.department.exam())
    scheduling.appointment_cancel(
        actor=hospital.department.scheduler,
        appointment_id=step.appointment_id,
        reason="ill",
        at=NOW,
    )
    create(hospital, creation(step))
    assert states(step) == ("CANCELED", "cancelled", "RE")
    assert open_items() == ["mpps-step-over"]


def test_another_site_s_steps_are_out_of_reach(hospital):
    step = hospital.book(hospital.department.exam())
    performed = create(hospital, creation(step))
    with pytest.raises(errors.UnknownStepError):
        change(hospital, performed, ending(), hospital.far_scanner)
    create(hospital, creation(step), actor=hospital.far_scanner)
    assert open_items() == ["mpps-unscheduled"]


def test_a_step_that_never_ends_and_images_that_never_come(hospital):
    one = create(hospital, creation())
    step = hospital.book(hospital.department.exam())
    two = create(hospital, creation(step))
    change(hospital, two, ending())
    assert services.performed_steps_watch(at=NOW + datetime.timedelta(minutes=20)) == 0
    services.performed_steps_watch(at=NOW + datetime.timedelta(hours=6))
    services.performed_steps_watch(at=NOW + datetime.timedelta(hours=6))
    assert sorted(open_items()) == ["mpps-late", "mpps-no-images", "mpps-unscheduled"]
    change(hospital, one, ending("DISCONTINUED"))
    assert sorted(open_items()) == ["mpps-no-images", "mpps-unscheduled"]


def test_a_person_begins_ends_and_takes_it_back(hospital):
    step = hospital.book(hospital.department.exam())
    by = {"actor": hospital.department.technologist, "step_id": step.pk, "at": NOW}
    services.exam_start(**by)
    assert states(step) == ("STARTED", "checked-in", "IP")
    services.exam_undo(**by)
    assert states(step) == ("READY", "checked-in", "SC")
    services.exam_start(**by)
    services.exam_end(**by)
    assert states(step) == ("COMPLETED", "fulfilled", "CM")
    services.exam_undo(**by)
    assert states(step)[0] == "STARTED"
    services.exam_stop(reason="Patient felt unwell", **by)
    assert states(step) == ("DISCONTINUED", "fulfilled", "DC")
    assert step.discontinuation_reason == "Patient felt unwell"
    with pytest.raises(TransitionNotAllowedError):
        services.exam_end(**by)


def test_what_the_scanner_said_is_not_taken_back(hospital):
    step = hospital.book(hospital.department.exam())
    create(hospital, creation(step))
    with pytest.raises(errors.NotUndoableError):
        services.exam_undo(actor=hospital.department.technologist, step_id=step.pk, at=NOW)


def test_an_order_that_has_begun_is_discontinued(hospital):
    d = hospital.department
    order = d.order(d.ct, d.mri)
    ct, mri = order.requested_procedures.order_by("number")
    one, two = hospital.book(ct), hospital.book(mri, "2026-11-24 12:00", d.mr)
    create(hospital, creation(one))
    services.order_discontinue(
        actor=d.scheduler, order_id=order.pk, reason="Went home", at=NOW, door="hl7"
    )
    assert states(one) == ("DISCONTINUED", "fulfilled", "DC")
    assert states(two) == ("CANCELED", "cancelled", "DC")
