"""Two schedulers on one slot: one wins, and what makes it so."""

import datetime
import threading

import pytest
from django.db import connection, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from psycopg.errors import DeadlockDetected, ExclusionViolation

from apps.scheduling import services
from apps.scheduling.errors import SlotTakenError
from apps.scheduling.models import Appointment, ScheduledStep
from tests.scheduling.conftest import NOW, berlin

pytestmark = pytest.mark.django_db(transaction=True)

TRIES = 50
START = berlin("2026-11-24 10:00")


def at_once(count, work):
    """Run `work(index)` in threads that begin together; return what each gave or raised."""
    barrier = threading.Barrier(count)
    results = [None] * count

    def run(index):
        try:
            barrier.wait(30)
            results[index] = work(index)
        except Exception as error:
            results[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_of_fifty_tries_on_one_slot_one_wins(department):
    exams = [department.exam() for _ in range(TRIES)]

    def book(index):
        return services.appointment_book(
            actor=department.scheduler,
            requested_procedure_id=exams[index].pk,
            room_id=department.ct1.pk,
            start_at=START + datetime.timedelta(minutes=5 * (index % 4)),
            at=NOW,
        )

    results = at_once(TRIES, book)
    winners = [one for one in results if isinstance(one, Appointment)]
    refused = [one for one in results if isinstance(one, SlotTakenError)]
    assert (len(winners), len(refused)) == (1, TRIES - 1), results
    assert Appointment.objects.count() == ScheduledStep.objects.count() == 1


def look_then_insert(department):
    """Book as one does without lock: look whether it is free, then insert."""
    period = DateTimeTZRange(START, START + datetime.timedelta(minutes=30))

    def work(_index):
        with transaction.atomic():
            if Appointment.objects.filter(room=department.ct1, period__overlap=period).exists():
                return "taken"
            together.wait(30)
            Appointment.objects.create(
                room=department.ct1, period=period, booked_by="x", booked_at=NOW
            )
            return "booked"

    together = threading.Barrier(2)
    return at_once(2, work)


def test_without_the_constraint_two_get_the_same_slot(department):
    """The race is real: what the test above shows is not luck."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE scheduling_appointment DROP CONSTRAINT no_double_booking")
    try:
        assert look_then_insert(department) == ["booked", "booked"]
    finally:
        Appointment.objects.all().delete()
        constraint = next(
            one for one in Appointment._meta.constraints if one.name == "no_double_booking"
        )
        with connection.schema_editor() as editor:
            editor.add_constraint(Appointment, constraint)


def test_with_the_constraint_alone_one_of_the_two_is_refused(department):
    """As a clash, or as a deadlock where each saw the other's row: why the room is locked first."""
    results = look_then_insert(department)
    assert results.count("booked") == 1
    [refused] = [one for one in results if one != "booked"]
    assert isinstance(refused.__cause__, (ExclusionViolation, DeadlockDetected)), repr(refused)
    assert Appointment.objects.count() == 1


def test_one_exam_is_booked_once_however_many_try(department):
    exam = department.exam()

    def book(index):
        return services.appointment_book(
            actor=department.scheduler,
            requested_procedure_id=exam.pk,
            room_id=(department.ct1, department.ct2)[index % 2].pk,
            start_at=START + datetime.timedelta(hours=index // 2),
            at=NOW,
        )

    results = at_once(8, book)
    assert sum(isinstance(one, Appointment) for one in results) == 1, results


def test_two_moves_that_swap_do_not_wait_for_each_other(department):
    one, two = (
        services.appointment_book(
            actor=department.scheduler,
            requested_procedure_id=department.exam().pk,
            room_id=room.pk,
            start_at=START,
            at=NOW,
        )
        for room in (department.ct1, department.ct2)
    )

    def swap(index):
        appointment, room = ((one, department.ct2), (two, department.ct1))[index]
        return services.appointment_move(
            actor=department.scheduler,
            appointment_id=appointment.pk,
            room_id=room.pk,
            start_at=START,
            at=NOW,
        )

    assert all(isinstance(result, SlotTakenError) for result in at_once(2, swap))
