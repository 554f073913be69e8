"""A busy day for the pages: patients booked, arrived, on the scanner, missed, and waiting."""

import datetime

import pytest

from apps.accounts.domain import Role
from apps.accounts.models import User
from apps.core import clock
from apps.scheduling import services
from apps.scheduling.models import Appointment, Room, ScheduledStep
from tests.scheduling.conftest import BERLIN, Department, make_department

PASSWORD = "a-demonstration-2026"
NAMES = [
    "Oyelaran^Tobi Dietrich^Karla Duarte^Rui Marlowe^June Chaudhry^Imran Nilsen^Siri",
    "Estrada^Luz Fontaine^Odile Hussain^Amira Westbrook^Tom Da Silva^Inês Moretti^Carlo",
    "Keane^Aoife",
    "Halvorsen^Nils Okonkwo^Adaeze Abdullahi^Yusuf Reinholt^Erik Costa^Luísa Salim^Nadia",
]
NAMES = [name for line in NAMES for name in line.replace("Da Silva", "Da_Silva").split()]


def today_at(text: str, now: datetime.datetime) -> datetime.datetime:
    """The instant of a wall time in Berlin, today."""
    date = now.astimezone(BERLIN).date()
    return datetime.datetime.combine(date, datetime.time.fromisoformat(text), BERLIN).astimezone(
        datetime.UTC
    )


def by_day(monkeypatch: pytest.MonkeyPatch) -> datetime.datetime:
    """Return the time; told as last evening's at night: the day must hold what is around now."""
    now = clock.now()
    if not 6 <= now.hour < 19:
        evening = now.replace(hour=18)
        late, told = (now - evening) % datetime.timedelta(days=1), clock.now
        now -= late
        monkeypatch.setattr(clock, "now", lambda: told() - late)
    return now


class BusyDay:
    """A department with people who sign in, and a day that is half over at `now`."""

    def __init__(self, now: datetime.datetime) -> None:
        self.now = now
        self.department: Department = make_department()
        self.site = self.department.site
        for room in Room.objects.all():
            room.opening_hours.all().delete()
            for weekday in range(7):
                room.opening_hours.create(
                    weekday=weekday, opens=datetime.time(0), closes=datetime.time(23, 59)
                )
        Room.objects.filter(code="MR1").update(description="1.5 T, wide bore")
        Room.objects.filter(code="CT1").update(description="Body, cardiac")
        self.staff = {role: self._person(role) for role in (Role.SCHEDULER, Role.TECHNOLOGIST)}
        self.names = iter(NAMES)
        self.slot = now.replace(minute=0, second=0, microsecond=0)

    def _person(self, role: Role) -> User:
        user = User(
            username=role.value,
            roles=[role.value],
            first_name="Tomi",
            last_name="Alander",
            home_site=self.site,
        )
        user.set_password(PASSWORD)
        user.save()
        user.sites.add(self.site)
        return user

    def exam(self, procedure=None, **order):
        """An exam to book, of the next name."""
        name = order.pop("name", None) or next(self.names).replace("_", " ")
        return self.department.exam(procedure or self.department.ct, name=name, **order)

    def book(self, start: datetime.datetime, room=None, exam=None) -> Appointment:
        """Book as if long before."""
        room = room or self.department.ct1
        procedure = self.department.mri if room.modality == "MR" else self.department.ct
        return services.appointment_book(
            actor=self.department.scheduler,
            requested_procedure_id=(exam or self.exam(procedure)).pk,
            room_id=room.pk,
            start_at=start,
            at=start - datetime.timedelta(days=1),
        )

    def fill(self) -> None:
        """Fill the hours around now."""
        from apps.worklists import services as worklists

        d, hour = self.department, datetime.timedelta(hours=1)
        half, quarter = hour / 2, hour / 4
        by = {"actor": d.scheduler, "at": self.now}
        done = self.book(self.slot - 2 * hour)
        late = self.book(self.slot - hour, d.ct2)
        running = self.book(self.slot - quarter)
        here = self.book(self.slot + quarter)
        ready = self.book(self.slot, d.mr)
        for offset in (1, 1.5, 2.25):
            self.book(self.slot + offset * hour)
        self.book(self.slot + half, d.ct2)
        self.book(self.slot + hour, d.mr)
        services.appointment_noshow(appointment_id=late.pk, **by)
        services.appointment_arrive(appointment_id=here.pk, **by)
        services.appointment_check_in(appointment_id=ready.pk, **by)
        exams = {"actor": d.technologist, "at": self.now}
        for appointment, end in ((done, True), (running, False)):
            step = ScheduledStep.objects.get(appointment=appointment)
            worklists.exam_start(step_id=step.pk, **exams)
            if end:
                worklists.exam_end(step_id=step.pk, **exams)
        self.exam(priority="urgent")
        self.exam(d.mri)
        self.exam()
