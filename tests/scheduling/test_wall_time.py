"""The nights on which the clock changes, and every other day of the year.

Berlin 2026: on 29 March 02:00 becomes 03:00, on 25 October 03:00 becomes 02:00.
"""

import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.scheduling import errors, selectors, services, wall_time
from apps.scheduling.models import OpeningHours
from apps.scheduling.wall_time import Span
from tests.scheduling.conftest import BERLIN, berlin

SPRING, AUTUMN = datetime.date(2026, 3, 29), datetime.date(2026, 10, 25)
ZONES = [
    ZoneInfo(name)
    for name in (
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",  # changes by half an hour
        "America/Havana",  # changes at midnight
        "Asia/Kathmandu",
        "UTC",
    )
]


def utc(text):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("date", "time", "closing", "expected"),
    [
        (SPRING, "01:59", False, "2026-03-29 00:59"),
        (SPRING, "02:30", False, "2026-03-29 01:00"),
        (SPRING, "02:30", True, "2026-03-29 01:00"),
        (SPRING, "03:00", False, "2026-03-29 01:00"),
        (AUTUMN, "02:30", False, "2026-10-25 00:30"),
        (AUTUMN, "02:30", True, "2026-10-25 01:30"),
        (AUTUMN, "03:00", False, "2026-10-25 02:00"),
    ],
)
def test_wall_times_of_the_nights_of_change(date, time, closing, expected):
    moment = wall_time.instant(date, datetime.time.fromisoformat(time), BERLIN, closing=closing)
    assert moment == utc(expected)


def test_days_have_23_24_and_25_hours():
    hours = [
        wall_time.day(date, BERLIN).length / datetime.timedelta(hours=1)
        for date in (SPRING, datetime.date(2026, 6, 1), AUTUMN)
    ]
    assert hours == [23, 24, 25]


@given(
    st.sampled_from(ZONES),
    st.dates(datetime.date(2020, 1, 1), datetime.date(2030, 12, 31)),
    st.times(),
    st.times(),
)
@settings(max_examples=300, deadline=None)
def test_opening_hours_never_run_backwards(zone, date, one, two):
    opens, closes = sorted(time.replace(second=0, microsecond=0) for time in (one, two))
    whole = wall_time.day(date, zone)
    for span in wall_time.opening(date, [(opens, closes)], zone):
        assert span.start < span.end
        assert whole.holds(span)
    start = wall_time.instant(date, opens, zone)
    assert wall_time.instant(date, opens, zone, closing=True) >= start
    shown = wall_time.wall(start, zone).replace(tzinfo=None)
    wanted = datetime.datetime.combine(date, opens)
    assert shown == wanted or shown - wanted <= datetime.timedelta(hours=1)


spans = st.builds(
    lambda start, length: Span(
        utc("2026-01-01 00:00") + start * wall_time.SLOT,
        utc("2026-01-01 00:00") + (start + length) * wall_time.SLOT,
    ),
    st.integers(0, 100),
    st.integers(1, 30),
)


@given(st.lists(spans, max_size=4), st.lists(spans, max_size=8))
@settings(max_examples=200, deadline=None)
def test_gaps_are_exactly_what_is_open_and_not_busy(opened, busy):
    opened = wall_time.joined(opened)
    found = list(wall_time.gaps(opened, busy))

    def marks(many):
        return {
            span.start + index * wall_time.SLOT
            for span in many
            for index in range(int(span.length / wall_time.SLOT))
        }

    assert marks(found) == marks(opened) - marks(busy)
    assert found == sorted(found)


def test_starts_fit_and_begin_on_the_raster():
    gap = Span(utc("2026-01-01 08:02"), utc("2026-01-01 09:30"))
    half = datetime.timedelta(minutes=30)
    assert [f"{start:%H:%M}" for start in wall_time.starts(gap, half)] == ["08:05", "08:35"]
    assert list(wall_time.starts(Span(gap.start, gap.start + half), half)) == []


@pytest.fixture
def night(department):
    """A room that is open all night, on a Sunday too."""
    OpeningHours.objects.filter(room=department.ct1).delete()
    OpeningHours.objects.bulk_create(
        OpeningHours(
            room=department.ct1,
            weekday=day,
            opens=datetime.time(0),
            closes=datetime.time(23, 59),
        )
        for day in range(7)
    )
    return department


def book(department, start, at):
    return services.appointment_book(
        actor=department.scheduler,
        requested_procedure_id=department.exam().pk,
        room_id=department.ct1.pk,
        start_at=start,
        at=at,
    )


@pytest.mark.django_db(transaction=True)
def test_half_past_two_comes_twice_and_both_can_be_booked(night):
    at = berlin("2026-10-24 12:00")
    first = book(night, berlin("2026-10-25 02:30", fold=0), at)
    second = book(night, berlin("2026-10-25 02:30", fold=1), at)
    assert second.period.lower - first.period.lower == datetime.timedelta(hours=1)
    for appointment in (first, second):
        assert appointment.scheduled_steps.get().start_time == datetime.time(2, 30)
    with pytest.raises(errors.SlotTakenError):
        book(night, berlin("2026-10-25 02:30", fold=1), at)


@pytest.mark.django_db(transaction=True)
def test_over_the_gap_an_exam_keeps_its_length(night):
    appointment = book(night, berlin("2026-03-29 01:45"), berlin("2026-03-28 12:00"))
    assert appointment.period.upper - appointment.period.lower == datetime.timedelta(minutes=30)
    assert wall_time.wall(appointment.period.upper, BERLIN).time() == datetime.time(3, 15)


@pytest.mark.django_db(transaction=True)
def test_an_exam_over_midnight_in_a_room_open_all_night(night):
    appointment = book(night, berlin("2026-11-24 23:45"), berlin("2026-11-24 09:00"))
    assert appointment.scheduled_steps.get().start_date == datetime.date(2026, 11, 24)


@pytest.mark.django_db(transaction=True)
def test_offers_follow_opening_hours_and_bookings(department):
    exam = department.exam()
    at = berlin("2026-11-27 16:20")  # Friday

    def offers(limit=3, **more):
        found = selectors.slots_find(department.scheduler, exam, at=at, limit=limit, **more)
        return [f"{slot.room.code} {slot.start_local:%a %H:%M}" for slot in found]

    assert offers() == ["CT1 Fri 16:20", "CT2 Fri 16:20", "CT1 Mon 08:00"]
    book(department, berlin("2026-11-27 16:30"), at)
    assert offers() == ["CT2 Fri 16:20", "CT1 Mon 08:00", "CT2 Mon 08:00"]
    assert offers(room_ids=[department.ct1.pk], limit=2) == ["CT1 Mon 08:00", "CT1 Mon 08:30"]
    assert offers(minutes=60, limit=1) == ["CT1 Mon 08:00"]
    assert offers(since=berlin("2026-12-01 13:00"), limit=1) == ["CT1 Tue 13:00"]
    assert selectors.slots_find(department.stranger, exam, at=at) == []
