"""Booking, moving, cancelling, arriving: what changes, what is refused, what can be undone."""

import datetime

import pytest

from apps.accounts.domain import Role
from apps.audit.models import AuditEvent
from apps.core.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    NotPermittedError,
    TransitionNotAllowedError,
)
from apps.core.models import OutboxEvent
from apps.scheduling import errors, selectors, services
from apps.scheduling.models import Appointment, ScheduledStep
from tests.scheduling.conftest import NOW, actor_of, berlin

pytestmark = pytest.mark.django_db(transaction=True)


def book(department, exam, when="2026-11-24 10:00", room=None, **more):
    return services.appointment_book(
        actor=more.pop("actor", department.scheduler),
        requested_procedure_id=exam.pk,
        room_id=(room or department.ct1).pk,
        start_at=berlin(when),
        at=more.pop("at", NOW),
        **more,
    )


def test_booking_makes_the_step_of_the_worklist(department):
    exam = department.exam()
    appointment = book(department, exam)
    step = appointment.scheduled_steps.get()
    assert (step.status, step.modality, step.scheduled_station_ae_title) == (
        "SCHEDULED",
        "CT",
        "CT1",
    )
    assert step.scheduled_procedure_step_id == f"SPS{step.pk:07d}"
    assert (step.start_date, step.start_time) == (
        datetime.date(2026, 11, 24),
        datetime.time(10, 0),
    )
    assert step.start_at == datetime.datetime(2026, 11, 24, 9, 0, tzinfo=datetime.UTC)
    assert appointment.period.upper - appointment.period.lower == datetime.timedelta(minutes=30)
    exam.order.refresh_from_db()
    assert exam.order.status == "SC"
    audit = AuditEvent.objects.get(event="scheduling.appointment.booked")
    assert audit.patient_key == str(exam.order.patient_id)
    assert audit.details["accession_number"] == exam.order.accession_number
    names = list(OutboxEvent.objects.values_list("name", flat=True))
    assert names == ["orders.order.moved", "scheduling.appointment.booked"]


def test_a_length_that_is_no_multiple_of_five_minutes_is_brought_up(department):
    appointment = book(department, department.exam(department.mri), room=department.mr)
    assert appointment.period.upper - appointment.period.lower == datetime.timedelta(minutes=45)


@pytest.mark.parametrize(
    ("when", "room", "error"),
    [
        ("2026-11-24 08:55", "ct1", errors.InThePastError),
        ("2026-11-23 10:00", "ct1", errors.InThePastError),
        ("2026-11-24 07:00", "ct1", errors.InThePastError),
        ("2026-11-25 07:45", "ct1", errors.RoomClosedError),
        ("2026-11-24 16:45", "ct1", errors.RoomClosedError),
        ("2026-11-28 10:00", "ct1", errors.RoomClosedError),
        ("2026-11-24 10:00", "mr", errors.WrongModalityError),
        ("2026-11-24 10:02", "ct1", InvalidInputError),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(department, when, room, error):
    exam = department.exam()
    with pytest.raises(error):
        book(department, exam, when, getattr(department, room))
    assert not Appointment.objects.exists()
    assert not ScheduledStep.objects.exists()
    exam.order.refresh_from_db()
    assert exam.order.status == "RE"
    assert not OutboxEvent.objects.exists()


def test_the_slot_that_runs_may_still_be_booked(department):
    book(department, department.exam(), "2026-11-24 09:00", at=NOW + datetime.timedelta(minutes=4))


def test_a_taken_slot_is_refused_however_it_overlaps(department):
    book(department, department.exam(), "2026-11-24 10:00")
    for when in ("2026-11-24 09:35", "2026-11-24 10:00", "2026-11-24 10:25"):
        with pytest.raises(errors.SlotTakenError) as caught:
            book(department, department.exam(), when)
        assert caught.value.code == "scheduling.slot-taken"
    book(department, department.exam(), "2026-11-24 09:30")
    book(department, department.exam(), "2026-11-24 10:30")
    book(department, department.exam(), "2026-11-24 10:00", department.ct2)


@pytest.mark.parametrize("status", ["VT", "HD", "CA"])
def test_an_order_that_is_not_ready_is_refused_with_its_reason(department, status):
    order = department.order(status="VT" if status == "VT" else "RE")
    if status != "VT":
        type(order).objects.filter(pk=order.pk).update(status=status)
    with pytest.raises(errors.NotSchedulableError):
        book(department, order.requested_procedures.get())


def test_an_exam_of_unknown_code_is_refused(department):
    exam = department.exam()
    exam.procedure, exam.modality = None, ""
    exam.save()
    with pytest.raises(errors.NotSchedulableError):
        book(department, exam)


def test_an_exam_is_booked_once(department):
    exam = department.exam()
    book(department, exam)
    with pytest.raises(errors.AlreadyBookedError):
        book(department, exam, "2026-11-24 14:00")


def test_what_is_of_another_site_does_not_exist(department):
    exam = department.exam()
    with pytest.raises(NotFoundError):
        book(department, exam, actor=department.stranger)
    appointment = book(department, exam)
    with pytest.raises(NotFoundError):
        services.appointment_cancel(
            actor=department.stranger, appointment_id=appointment.pk, reason="x", at=NOW
        )
    with pytest.raises(NotFoundError):
        services.appointment_arrive(
            actor=department.stranger, appointment_id=appointment.pk, at=NOW
        )


def test_a_role_that_does_not_schedule_is_refused(department):
    exam = department.exam()
    with pytest.raises(NotPermittedError):
        book(department, exam, actor=department.technologist)
    with pytest.raises(NotPermittedError):
        book(department, exam, actor=actor_of(Role.PRIVACY_OFFICER, department.site))


def test_a_very_confidential_patient_is_hidden_from_a_scheduler(department):
    order = department.order()
    order.patient.confidentiality = "V"
    order.patient.save()
    with pytest.raises(NotFoundError):
        book(department, order.requested_procedures.get())
    assert not selectors.exams_to_book(department.scheduler).exists()


def test_move_and_its_undo(department):
    appointment = book(department, department.exam())
    moved = services.appointment_move(
        actor=department.scheduler,
        appointment_id=appointment.pk,
        room_id=department.ct2.pk,
        start_at=berlin("2026-11-25 11:00"),
        at=NOW,
        version=1,
    )
    step = moved.scheduled_steps.get()
    assert (step.scheduled_station_ae_title, str(step.start_date), moved.version) == (
        "CT2",
        "2026-11-25",
        2,
    )
    book(department, department.exam(), "2026-11-24 10:30")
    back = services.appointment_undo_move(
        actor=department.scheduler, appointment_id=appointment.pk, at=NOW, version=2
    )
    step.refresh_from_db()
    assert (back.room_id, step.scheduled_station_ae_title) == (department.ct1.pk, "CT1")
    assert back.period.lower == berlin("2026-11-24 10:00")
    with pytest.raises(errors.NothingToUndoError):
        services.appointment_undo_move(
            actor=department.scheduler, appointment_id=appointment.pk, at=NOW
        )


def test_a_move_onto_another_is_refused_and_changes_nothing(department):
    book(department, department.exam(), "2026-11-24 10:00")
    second = book(department, department.exam(), "2026-11-24 11:00")
    with pytest.raises(errors.SlotTakenError):
        services.appointment_move(
            actor=department.scheduler,
            appointment_id=second.pk,
            room_id=department.ct1.pk,
            start_at=berlin("2026-11-24 10:15"),
            at=NOW,
        )
    second.refresh_from_db()
    assert second.period.lower == berlin("2026-11-24 11:00")
    assert second.previous_room_id is None


def test_a_move_within_its_own_time(department):
    appointment = book(department, department.exam(), "2026-11-24 10:00")
    services.appointment_move(
        actor=department.scheduler,
        appointment_id=appointment.pk,
        room_id=department.ct1.pk,
        start_at=berlin("2026-11-24 10:10"),
        at=NOW,
    )


def test_a_stale_page_is_told(department):
    appointment = book(department, department.exam())
    with pytest.raises(ConflictError):
        services.appointment_cancel(
            actor=department.scheduler,
            appointment_id=appointment.pk,
            reason="ill",
            at=NOW,
            version=7,
        )


def test_cancel_needs_a_reason_frees_the_slot_and_can_be_undone(department):
    exam = department.exam()
    appointment = book(department, exam)
    with pytest.raises(InvalidInputError):
        services.appointment_cancel(
            actor=department.scheduler, appointment_id=appointment.pk, reason=" ", at=NOW
        )
    cancelled = services.appointment_cancel(
        actor=department.scheduler, appointment_id=appointment.pk, reason="Patient is ill", at=NOW
    )
    exam.order.refresh_from_db()
    step = cancelled.scheduled_steps.get()
    assert (cancelled.status, step.status, exam.order.status) == ("cancelled", "CANCELED", "RE")
    assert exam in selectors.exams_to_book(department.scheduler)
    services.appointment_undo_cancel(
        actor=department.scheduler, appointment_id=appointment.pk, at=NOW
    )
    exam.order.refresh_from_db()
    step.refresh_from_db()
    assert (step.status, exam.order.status) == ("SCHEDULED", "SC")
    assert exam not in selectors.exams_to_book(department.scheduler)


def test_an_undo_whose_slot_is_gone_is_refused(department):
    appointment = book(department, department.exam())
    services.appointment_cancel(
        actor=department.scheduler, appointment_id=appointment.pk, reason="ill", at=NOW
    )
    book(department, department.exam())
    with pytest.raises(errors.SlotTakenError):
        services.appointment_undo_cancel(
            actor=department.scheduler, appointment_id=appointment.pk, at=NOW
        )


def test_an_undo_after_another_booking_is_refused(department):
    exam = department.exam()
    appointment = book(department, exam)
    services.appointment_cancel(
        actor=department.scheduler, appointment_id=appointment.pk, reason="ill", at=NOW
    )
    book(department, exam, "2026-11-24 14:00")
    with pytest.raises(errors.AlreadyBookedError):
        services.appointment_undo_cancel(
            actor=department.scheduler, appointment_id=appointment.pk, at=NOW
        )


def test_a_booking_taken_back_is_entered_in_error(department):
    exam = department.exam()
    appointment = book(department, exam)
    undone = services.appointment_undo_booking(
        actor=department.scheduler, appointment_id=appointment.pk, at=NOW
    )
    exam.order.refresh_from_db()
    assert (undone.status, exam.order.status) == ("entered-in-error", "RE")
    book(department, exam)


def test_arrival_readiness_and_back(department):
    appointment = book(department, department.exam())
    step = appointment.scheduled_steps.get()
    here = {"actor": department.technologist, "appointment_id": appointment.pk, "at": NOW}
    services.appointment_arrive(**here)
    step.refresh_from_db()
    assert step.status == "ARRIVED"
    services.appointment_check_in(**here)
    step.refresh_from_db()
    appointment.refresh_from_db()
    assert (step.status, appointment.status, appointment.arrived_at) == ("READY", "checked-in", NOW)
    services.appointment_undo_arrival(**here)
    step.refresh_from_db()
    assert step.status == "SCHEDULED"


def test_a_patient_who_did_not_come(department):
    exam = department.exam()
    appointment = book(department, exam)
    missed = services.appointment_noshow(
        actor=department.scheduler, appointment_id=appointment.pk, at=NOW
    )
    step = missed.scheduled_steps.get()
    assert (missed.status, step.status) == ("noshow", "CANCELED")
    assert exam in selectors.exams_to_book(department.scheduler)
    services.appointment_undo_noshow(
        actor=department.scheduler, appointment_id=appointment.pk, at=NOW
    )
    step.refresh_from_db()
    assert step.status == "SCHEDULED"
    services.appointment_arrive(actor=department.scheduler, appointment_id=appointment.pk, at=NOW)
    with pytest.raises(TransitionNotAllowedError):
        services.appointment_noshow(
            actor=department.scheduler, appointment_id=appointment.pk, at=NOW
        )


def test_a_walk_in_holds_no_slot_and_is_on_the_worklist(department):
    book(department, department.exam(), "2026-11-24 09:00")
    exam = department.exam()
    step = services.walk_in(
        actor=department.technologist,
        requested_procedure_id=exam.pk,
        room_id=department.ct1.pk,
        at=NOW + datetime.timedelta(minutes=2),
    )
    assert (step.status, step.appointment_id, step.start_at) == ("ARRIVED", None, NOW)
    services.step_ready(actor=department.technologist, step_id=step.pk, at=NOW)
    exam.order.refresh_from_db()
    assert exam.order.status == "SC"


def test_cancelling_an_order_takes_its_appointments_along(department):
    order = department.order(department.ct, department.mri)
    ct, mri = order.requested_procedures.order_by("number")
    book(department, ct)
    book(department, mri, "2026-11-24 12:00", department.mr)
    cancelled = services.order_cancel_with_slot(
        actor=department.scheduler, order_id=order.pk, reason="Not needed", at=NOW, door="hl7"
    )
    assert cancelled.status == "CA"
    assert set(Appointment.objects.values_list("status", flat=True)) == {"cancelled"}
    assert set(ScheduledStep.objects.values_list("status", flat=True)) == {"CANCELED"}
    again = services.order_cancel_with_slot(
        actor=department.scheduler, order_id=order.pk, reason="Not needed", at=NOW, door="hl7"
    )
    assert again.status == "CA"
    book(department, department.exam())


def test_an_order_that_has_begun_is_not_cancelled(department):
    order = department.order()
    appointment = book(department, order.requested_procedures.get())
    ScheduledStep.objects.filter(appointment=appointment).update(status="STARTED")
    with pytest.raises(errors.StepBegunError):
        services.order_cancel_with_slot(
            actor=department.scheduler, order_id=order.pk, reason="x", at=NOW
        )
    with pytest.raises(errors.StepBegunError):
        services.appointment_cancel(
            actor=department.scheduler, appointment_id=appointment.pk, reason="x", at=NOW
        )


def test_cancelling_one_of_two_leaves_the_order_scheduled(department):
    order = department.order(department.ct, department.mri)
    ct, mri = order.requested_procedures.order_by("number")
    first = book(department, ct)
    book(department, mri, "2026-11-24 12:00", department.mr)
    services.appointment_cancel(
        actor=department.scheduler, appointment_id=first.pk, reason="x", at=NOW
    )
    order.refresh_from_db()
    assert order.status == "SC"
    assert list(selectors.exams_to_book(department.scheduler)) == [ct]
