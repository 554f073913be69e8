"""Bookings that cannot be, as the page's own requests make them: said in words, nothing written."""

import datetime

import pytest
from django.test import Client

from apps.accounts.domain import Role
from apps.core import clock
from apps.core.models import OutboxEvent
from apps.scheduling.models import Appointment, ScheduledStep
from tests.scheduling.builders import BusyDay
from tests.scheduling.test_races import TRIES, at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def busy() -> BusyDay:
    return BusyDay(clock.now())


def scheduler(busy: BusyDay) -> Client:
    client = Client()
    client.force_login(
        busy.staff[Role.SCHEDULER], backend="django.contrib.auth.backends.ModelBackend"
    )
    return client


@pytest.mark.parametrize("scripted", [True, False])
def test_a_booking_in_the_past_is_refused_in_words(busy: BusyDay, scripted: bool) -> None:
    exam = busy.exam(name="Past^Ann")
    start = busy.slot - datetime.timedelta(days=1)
    answer = scheduler(busy).post(
        "/schedule/book/",
        {"exam": exam.pk, "room": busy.department.ct1.pk, "start": start.isoformat()},
        headers={"HX-Request": "true"} if scripted else {},
    )
    assert answer.status_code == 422
    said = answer.headers["HX-Trigger"] if scripted else answer.content.decode()
    assert "This time has passed" in said
    assert not Appointment.objects.exists()
    assert not ScheduledStep.objects.exists()
    assert not OutboxEvent.objects.exists()
    exam.order.refresh_from_db()
    assert exam.order.status == "RE"


def test_of_fifty_requests_for_one_slot_one_wins_and_the_others_are_told(busy: BusyDay) -> None:
    exams = [busy.exam(name=f"Try^N{number}") for number in range(TRIES)]
    start = busy.slot + datetime.timedelta(days=1)
    clients = [scheduler(busy) for _ in range(TRIES)]

    def book(index: int) -> int:
        answer = clients[index].post(
            "/schedule/book/",
            {
                "exam": exams[index].pk,
                "room": busy.department.ct1.pk,
                "start": start.isoformat(),
            },
            headers={"HX-Request": "true"},
        )
        return answer.status_code

    statuses = at_once(TRIES, book)
    assert sorted(map(str, statuses)) == ["200", *["422"] * (TRIES - 1)]
    assert Appointment.objects.count() == ScheduledStep.objects.count() == 1
